"""A cache of image measurements, so that each image is decoded in one run only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, product
from pathlib import Path
from types import NoneType
from typing import NamedTuple

import orjson
import PIL
from xxhash import xxh3_64_digest

from pytest_vft.reading.batches import batches
from pytest_vft.reading.images import MEASUREMENT_VERSION, ImageMeasurements
from pytest_vft.reading.sqlite import Database

MAX_IMAGES = 500_000

_TABLE = "images (key BLOB PRIMARY KEY, value BLOB NOT NULL)"
_ADD = "INSERT OR REPLACE INTO images VALUES (?, ?)"
_FORGET = "DELETE FROM images WHERE rowid <= (SELECT max(rowid) FROM images) - ?"
_READ_AT_ONCE = 500  # keys in a query; older versions of SQLite accept 999
_WRITTEN_AT_ONCE = 2_000  # rows; several shards update a page of the index together
_SORTED_AT_ONCE = 10_000  # rows; sorted by key, they update each page of the index once

_HASH = 16  # bytes of the payload's hash in a key
_SUM = 8  # bytes of the checksum in a value

# The types that the fields of ImageMeasurements may have, and those of the columns of measurers.
_TYPES = frozenset(
    product(
        *((int,), (str,), (bool,), (str, NoneType), (int, NoneType), (int, NoneType)),
        *((str, NoneType), (str, NoneType), (int, NoneType), (int, NoneType), (bool, NoneType), (dict,)),
    )
)
_COLUMN_TYPES = (int, bool, str, NoneType)


class MeasuredImage(NamedTuple):
    """Measurements with the xxh3_128 of the base64 payload and its *length* in bytes."""

    key: int
    length: int
    image: ImageMeasurements


class ImageCache:
    """The newest *most* measurements at full depth, in images.sqlite in *folder*.

    A row has the columns of an image by their names: those of its header and decoding, which are valid for
    one version of Pillow and one MEASUREMENT_VERSION, and those of each measurer below its id, which names
    its version and its model. Problems with the file disable the cache and are listed in *warnings*. One
    process adds; others only look up, with *read_only*.
    """

    def __init__(self, folder: Path, *, read_only: bool = False, most: int = MAX_IMAGES) -> None:
        self._database = Database(folder / "images.sqlite", _TABLE, read_only=read_only)
        self.warnings = self._database.warnings
        self._most = most
        self._pending: list[MeasuredImage] = []
        self._setting = xxh3_64_digest(f"named {PIL.__version__} {MEASUREMENT_VERSION}".encode())

    def look_up(self, lengths: Mapping[int, int]) -> dict[int, ImageMeasurements]:
        """Return cached measurements; *lengths* maps hashes of payloads to their lengths in bytes."""
        found = {}
        for batch in batches(lengths.items(), _READ_AT_ONCE):
            keys = [self._key(key, length) for key, length in batch]
            marks = ",".join("?" * len(keys))
            query = f"SELECT key, value FROM images WHERE key IN ({marks})"  # noqa: S608 - no data
            for key, value in self._database.read(query, keys):
                if image := _unpack(key, value):
                    found[int.from_bytes(key[:_HASH])] = image
        return found

    def add(self, measured: Iterable[MeasuredImage]) -> None:
        """Store what was *measured*, at the latest in close()."""
        self._pending += measured
        if len(self._pending) >= _WRITTEN_AT_ONCE:
            self._write()

    def close(self) -> None:
        """Write pending measurements and close the file."""
        self._write()
        self._database.close()

    def _write(self) -> None:
        """Write pending measurements and delete the oldest beyond the limit, in one transaction."""
        pending, self._pending = self._pending[-self._most :], []
        if pending:
            room = self._most - len(pending)  # made first, so that the file does not grow in between
            rows = (sorted(self._rows(batch)) for batch in batches(pending, _SORTED_AT_ONCE))
            self._database.write((_FORGET, [(room,)]), (_ADD, chain.from_iterable(rows)))

    def _key(self, key: int, length: int) -> bytes:
        return key.to_bytes(_HASH) + length.to_bytes(8) + self._setting

    def _rows(self, measured: Iterable[MeasuredImage]) -> Iterator[tuple[bytes, bytes]]:
        for one in measured:
            key = self._key(one.key, one.length)
            try:
                value = orjson.dumps(one.image._asdict())
            except TypeError:  # a decoder's message is not Unicode
                continue
            yield key, xxh3_64_digest(key + value) + value


def _unpack(key: object, value: object) -> ImageMeasurements | None:
    """Return the measurements in *value*; None unless key and value are exactly as written."""
    if not (isinstance(key, bytes) and isinstance(value, bytes)):
        return None
    if xxh3_64_digest(key + value[_SUM:]) != value[:_SUM]:
        return None
    try:
        image = ImageMeasurements(**orjson.loads(value[_SUM:]))
    except (ValueError, TypeError):
        return None
    return image if tuple(map(type, image)) in _TYPES and _is_content(image.content) else None


def _is_content(content: Mapping[str, object]) -> bool:
    """Return whether *content*, which was read, has columns by the ids of measurers."""
    tables = content.values()
    return all(
        isinstance(columns, dict) and all(isinstance(value, _COLUMN_TYPES) for value in columns.values())
        for columns in tables
    )
