"""What URLs were found to be, remembered between runs in .vft_cache."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from pytest_vft.reading.images import Picture
from pytest_vft.reading.remote import Remote

PATIENCE = 5.0  # seconds that another run may keep the file to itself
FOLDER = ".vft_cache"
_TABLE = "CREATE TABLE IF NOT EXISTS urls (key BLOB PRIMARY KEY, found TEXT NOT NULL, until REAL NOT NULL)"


class Cache:
    """A table of results in *folder*; *setting* is what else they depend on.

    URLs are kept as hashes: a signed one lets its reader in. What goes wrong with the file costs the
    cache, never the run, and is said in *warnings*.
    """

    def __init__(self, folder: Path, setting: str) -> None:
        self.warnings: list[str] = []
        self._setting = setting
        self._path = folder / "urls.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
            self._table: sqlite3.Connection | None = self._open()
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def get(self, url: str) -> Remote | None:
        """Return what *url* was found to be, None when that is not known or too old."""
        found = None
        if self._table:
            try:
                query = "SELECT found FROM urls WHERE key = ? AND until > ?"
                found = self._table.execute(query, (self._key(url), time.time())).fetchone()
            except sqlite3.Error as error:
                self._give_up(error)
        return _remote(found[0]) if found else None

    def put(self, url: str, remote: Remote, seconds: float) -> None:
        """Remember for some *seconds* what *url* was found to be."""
        picture = remote.picture and remote.picture._asdict()
        found = json.dumps({**remote._asdict(), "picture": picture})
        if self._table:
            try:
                row = (self._key(url), found, time.time() + seconds)
                self._table.execute("INSERT OR REPLACE INTO urls VALUES (?, ?, ?)", row)
            except sqlite3.Error as error:
                self._give_up(error)

    def save(self) -> None:
        """Write what is to be remembered, forget what is too old, and close the file."""
        if self._table:
            try:
                with self._table:
                    self._table.execute("DELETE FROM urls WHERE until <= ?", (time.time(),))
                self._table.close()
            except sqlite3.Error as error:
                self._give_up(error)
            self._table = None

    def _open(self) -> sqlite3.Connection:
        """Open the file; one that is none of SQLite's is set aside."""
        table = sqlite3.connect(self._path, timeout=PATIENCE, check_same_thread=False)
        try:
            table.execute(_TABLE)
        except sqlite3.OperationalError:  # locked, or not to be written: nothing wrong with the file
            table.close()
            raise
        except sqlite3.DatabaseError:
            table.close()
            aside = self._path.with_suffix(".broken")
            self._path.replace(aside)
            self.warnings.append(f"{self._path} was not readable; it is set aside as {aside.name}")
            table = sqlite3.connect(self._path, timeout=PATIENCE, check_same_thread=False)
            table.execute(_TABLE)
        return table

    def _give_up(self, error: Exception) -> None:
        self.warnings.append(f"{self._path} is not used: {error}")
        self._table = None

    def _key(self, url: str) -> bytes:
        return hashlib.sha256(f"{self._setting}\0{url}".encode(errors="surrogatepass")).digest()


def _remote(found: str) -> Remote | None:
    """Return the result that *found* holds; None when it was not written by this version."""
    try:
        fields: dict[str, Any] = json.loads(found)
        picture = fields["picture"]
        if picture is not None:
            picture = Picture(**picture)
        return Remote(**{**fields, "picture": picture})
    except (ValueError, TypeError, KeyError):
        return None
