"""SQLite files in .vft_cache: what a run keeps for the next, and can do without."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pytest_vft.text import safe

FOLDER = ".vft_cache"
PATIENCE = 5.0  # seconds that another run may keep a file to itself

# Where a broken file makes SQLite's own words no UTF-8, Python raises the last of them.
_CONTENT_ERRORS = (sqlite3.Error, UnicodeDecodeError)


def make_folder(folder: Path) -> None:
    """Make *folder*, which git is to ignore, where there is none. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


class Database:
    """The file at *path* with one table, *table* as it stands behind CREATE TABLE; text is read as bytes.

    What goes wrong with the file ends its use, never the run, and is said in *warnings*. One that is
    broken, or that somebody else wrote, is set aside; a new one begins with the next run, or at once
    where it shows when the file is opened. With *read_only* nothing is made, moved or said.

    Several runs may use the file. It has no write-ahead log, which needs memory that all share, so it
    would not do on a network file system (https://sqlite.org/wal.html#overview).
    """

    def __init__(self, path: Path, table: str, *, read_only: bool = False) -> None:
        self.warnings: list[str] = []
        self._path = path
        self._table = table
        self._read_only = read_only
        self._unused = True
        self._connection: sqlite3.Connection | None = None

    def read(self, query: str, values: Sequence[Any]) -> list[Any]:
        """Return the rows that *query* finds; none when the file is not used."""
        connection = self._connect()
        if connection:
            try:
                return connection.execute(query, values).fetchall()
            except _CONTENT_ERRORS as error:
                self._give_up(error)
        return []

    def write(self, *changes: tuple[str, Iterable[Sequence[Any]]]) -> None:
        """Make all *changes* or none; each is a statement with the rows of values to run it for."""
        connection = self._connect()
        if connection:
            try:
                with connection:
                    for statement, rows in changes:
                        connection.executemany(statement, rows)
            except _CONTENT_ERRORS as error:
                self._give_up(error)

    def close(self) -> None:
        """Use the file no more."""
        self._unused = False
        if self._connection:
            self._connection.close()
            self._connection = None

    def _connect(self) -> sqlite3.Connection | None:
        """Return the connection, made when it is first asked for; None when the file is not used."""
        if not self._unused:
            return self._connection
        self._unused = False
        try:
            if not self._read_only:
                make_folder(self._path.parent)
            try:
                self._connection = self._open()
            except _CONTENT_ERRORS as error:
                if self._read_only or not _is_broken(error):
                    raise
                self._set_aside(error)
                self._connection = self._open()
        except (OSError, *_CONTENT_ERRORS) as error:
            self._give_up(error)
        return self._connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={'ro' if self._read_only else 'rwc'}",
            uri=True,
            timeout=PATIENCE,
            isolation_level="IMMEDIATE",  # a change that is to come waits for its turn, and cannot deadlock
            check_same_thread=False,  # whoever it is, there is one at a time
        )
        # Closed at the latest with this object: a worker has no better moment to close it.
        weakref.finalize(self, connection.close)
        connection.text_factory = bytes  # a flipped bit may leave text that is no UTF-8
        try:
            # No fsync: it is half of what adding takes, and only a power cut, not a killed run, can break
            # the file without (https://sqlite.org/pragma.html#pragma_synchronous). It is set aside then.
            connection.execute("PRAGMA synchronous = OFF")
            made = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
            if not made and not self._read_only:
                connection.execute(f"CREATE TABLE IF NOT EXISTS {self._table}")
            elif made != [(f"CREATE TABLE {self._table}".encode(),)]:
                raise sqlite3.DatabaseError("it is not as pytest-vft writes it")
        except _CONTENT_ERRORS:
            connection.close()
            raise
        return connection

    def _give_up(self, error: Exception) -> None:
        self.close()
        if self._read_only:
            return
        try:
            if _is_broken(error):
                self._set_aside(error)
            else:
                self.warnings.append(f"{self._path} is not used: {safe(error, None)}")
        except OSError as another:
            self.warnings.append(f"{self._path} is not used: {another}")

    def _set_aside(self, error: Exception) -> None:
        """Rename the file. Raises OSError."""
        aside = self._path.with_suffix(".broken")
        self._path.replace(aside)
        self.warnings.append(f"{self._path} is set aside as {aside.name}: {safe(error, None)}")


def _is_broken(error: Exception) -> bool:
    """Return whether *error* tells of a wrong content, not of a lock, a right or a full disk.

    Those are Python's OperationalError, which is also raised when the table is not what it should be.
    """
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode == sqlite3.SQLITE_ERROR
    return isinstance(error, _CONTENT_ERRORS)
