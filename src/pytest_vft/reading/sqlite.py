"""SQLite files in .vft_cache: optional caches that one run leaves for the next."""

from __future__ import annotations

import errno
import sqlite3
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pytest_vft.text import safe

FOLDER = ".vft_cache"
_BESIDE = ("-journal", "-wal", "-shm")  # files that SQLite opens as well
PATIENCE = 5.0  # seconds to wait while another run locks a file

# Python raises UnicodeDecodeError if a broken file makes the messages of SQLite invalid UTF-8.
_CONTENT_ERRORS = (sqlite3.Error, UnicodeDecodeError)


def make_folder(folder: Path) -> None:
    """Create *folder* unless it exists, ignored by git. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


class Database:
    """The file at *path* with one table, *table* as written after CREATE TABLE; text is read as bytes.

    A problem with the file ends its use, never the run, and is added to *warnings*. A file that is broken
    or was not written by pytest-vft is renamed; a new one is created by the next run, or at once if the
    problem is found on opening. With *read_only* nothing is created, renamed or reported.

    Several runs may use the file. It has no write-ahead log, which needs shared memory and does not work
    on network file systems (https://sqlite.org/wal.html#overview).
    """

    def __init__(self, path: Path, table: str, *, read_only: bool = False) -> None:
        self.warnings: list[str] = []
        self._path = path
        self._table = table
        self._read_only = read_only
        self._unused = True
        self._connection: sqlite3.Connection | None = None

    def read(self, query: str, values: Sequence[Any]) -> list[Any]:
        """Return the rows that *query* finds; none if the file is not in use."""
        connection = self._connect()
        if connection:
            try:
                return connection.execute(query, values).fetchall()
            except _CONTENT_ERRORS as error:
                self._give_up(error)
        return []

    def write(self, *changes: tuple[str, Iterable[Sequence[Any]]]) -> None:
        """Apply *changes* in one transaction; each is a statement with the rows of its values."""
        connection = self._connect()
        if connection:
            try:
                with connection:
                    for statement, rows in changes:
                        connection.executemany(statement, rows)
            except _CONTENT_ERRORS as error:
                self._give_up(error, "written")  # in a folder that is read-only, it is read

    def close(self) -> None:
        """Close the file, which is not opened again."""
        self._unused = False
        if self._connection:
            self._connection.close()
            self._connection = None

    def _connect(self) -> sqlite3.Connection | None:
        """Return the connection, which is opened on first use; None if the file is not in use."""
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
        for path in (self._path, *(Path(f"{self._path}{end}") for end in _BESIDE)):
            if path.exists() and not (path.is_file() or path.is_dir()):
                raise OSError(errno.EINVAL, "not a regular file", str(path))  # SQLite would wait for a pipe
        connection = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={'ro' if self._read_only else 'rwc'}",
            uri=True,
            timeout=PATIENCE,
            isolation_level="IMMEDIATE",  # the lock is taken at the start: no deadlocks
            check_same_thread=False,  # threads use it one at a time
        )
        # Closed at the latest with this object: a worker is not told when it has done its last shard.
        weakref.finalize(self, connection.close)
        connection.text_factory = bytes  # a flipped bit may make text invalid UTF-8
        try:
            # No fsync, which takes half of the time of adding: without it, only a power failure, not a
            # killed run, can break the file (https://sqlite.org/pragma.html#pragma_synchronous).
            connection.execute("PRAGMA synchronous = OFF")
            made = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
            if not made and not self._read_only:
                connection.execute(f"CREATE TABLE IF NOT EXISTS {self._table}")
            elif made != [(f"CREATE TABLE {self._table}".encode(),)]:
                raise sqlite3.DatabaseError("the file was not written by this version of pytest-vft")
        except _CONTENT_ERRORS:
            connection.close()
            raise
        return connection

    def _give_up(self, error: Exception, use: str = "used") -> None:
        self.close()
        if self._read_only:
            return
        try:
            if _is_broken(error):
                self._set_aside(error)
                return
        except OSError as another:
            error = another
        self.warnings.append(f"{self._path} is not {use}: {safe(error, None)}")

    def _set_aside(self, error: Exception) -> None:
        """Rename the file. Raises OSError."""
        aside = self._path.with_suffix(".broken")
        self._path.replace(aside)
        self.warnings.append(f"{self._path} is renamed to {aside.name}: {safe(error, None)}")


def _is_broken(error: Exception) -> bool:
    """Return whether *error* means broken content, not a lock, missing permissions or a full disk.

    The latter are OperationalErrors, but so are errors in the SQL of a table that differs.
    """
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode == sqlite3.SQLITE_ERROR
    return isinstance(error, _CONTENT_ERRORS)
