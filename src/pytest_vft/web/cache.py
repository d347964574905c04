"""Cache of fetched URLs in .vft_cache, kept between runs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pytest_vft.clock import now
from pytest_vft.reading.images import ImageMeasurements
from pytest_vft.reading.remote import Remote
from pytest_vft.reading.sqlite import Database

_TABLE = "urls (key BLOB PRIMARY KEY, found TEXT NOT NULL, until REAL NOT NULL)"


class UrlCache:
    """Results in urls.sqlite in *folder*; *setting* is everything that they depend on besides the URL.

    URLs are stored as hashes because a signed URL grants access. An error of the file is a warning in
    *warnings* and disables the cache.
    """

    def __init__(self, folder: Path, setting: str) -> None:
        self._database = Database(folder / "urls.sqlite", _TABLE)
        self.warnings = self._database.warnings
        self._setting = setting
        self._rows: list[tuple[bytes, str, float]] = []

    def get(self, url: str) -> Remote | None:
        """Return the cached result of *url*, or None if there is none or it has expired."""
        query = "SELECT found FROM urls WHERE key = ? AND until > ?"
        rows = self._database.read(query, (self._key(url), now().timestamp()))
        return _remote(rows[0][0]) if rows else None

    def put(self, url: str, remote: Remote, seconds: float) -> None:
        """Add the result of *url*, valid for *seconds*, to the rows that close() writes."""
        image = remote.image and remote.image._asdict()
        found = json.dumps({**remote._asdict(), "image": image})
        self._rows.append((self._key(url), found, now().timestamp() + seconds))

    def close(self) -> None:
        """Write the new rows, delete expired ones and close the file."""
        if self._rows:
            self._database.write(
                ("INSERT OR REPLACE INTO urls VALUES (?, ?, ?)", self._rows),
                ("DELETE FROM urls WHERE until <= ?", [(now().timestamp(),)]),
            )
        self._database.close()

    def _key(self, url: str) -> bytes:
        return hashlib.sha256(f"{self._setting}\0{url}".encode(errors="surrogatepass")).digest()


def _remote(found: bytes) -> Remote | None:
    """Return the result in the JSON text *found*, or None if another version wrote it."""
    try:
        fields: dict[str, Any] = json.loads(found)
        image = fields["image"] and ImageMeasurements(**fields["image"])
        return Remote(**{**fields, "image": image})
    except (ValueError, TypeError, KeyError):
        return None
