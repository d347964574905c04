"""What URLs were found to be, remembered between runs in .vft_cache."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from pytest_vft.reading.images import ImageMeasurements
from pytest_vft.reading.remote import Remote
from pytest_vft.reading.sqlite import Database

_TABLE = "urls (key BLOB PRIMARY KEY, found TEXT NOT NULL, until REAL NOT NULL)"


class UrlCache:
    """Results in urls.sqlite in *folder*; *setting* is what else they depend on.

    URLs are kept as hashes: a signed one lets its reader in. What goes wrong with the file costs the
    cache, never the run, and is said in *warnings*.
    """

    def __init__(self, folder: Path, setting: str) -> None:
        self._database = Database(folder / "urls.sqlite", _TABLE)
        self.warnings = self._database.warnings
        self._setting = setting
        self._rows: list[tuple[bytes, str, float]] = []

    def get(self, url: str) -> Remote | None:
        """Return what *url* was found to be, None when that is not known or too old."""
        query = "SELECT found FROM urls WHERE key = ? AND until > ?"
        rows = self._database.read(query, (self._key(url), time.time()))
        return _remote(rows[0][0]) if rows else None

    def put(self, url: str, remote: Remote, seconds: float) -> None:
        """Remember for some *seconds* what *url* was found to be, once it is saved."""
        image = remote.image and remote.image._asdict()
        found = json.dumps({**remote._asdict(), "image": image})
        self._rows.append((self._key(url), found, time.time() + seconds))

    def close(self) -> None:
        """Write what is to be remembered, forget what is too old then, and close the file."""
        if self._rows:
            self._database.write(
                ("INSERT OR REPLACE INTO urls VALUES (?, ?, ?)", self._rows),
                ("DELETE FROM urls WHERE until <= ?", [(time.time(),)]),
            )
        self._database.close()

    def _key(self, url: str) -> bytes:
        return hashlib.sha256(f"{self._setting}\0{url}".encode(errors="surrogatepass")).digest()


def _remote(found: bytes) -> Remote | None:
    """Return the result that *found* holds; None when it was not written by this version."""
    try:
        fields: dict[str, Any] = json.loads(found)
        image = fields["image"]
        if image is not None:
            image = ImageMeasurements(**image)
        return Remote(**{**fields, "image": image})
    except (ValueError, TypeError, KeyError):
        return None
