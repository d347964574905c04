"""Measurements of images, remembered between runs: each image is decoded once ever."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice, product
from pathlib import Path
from types import NoneType
from typing import NamedTuple, TypeVar

import orjson
import PIL
from xxhash import xxh3_64_digest

from pytest_vft.reading.images import MEASUREMENT_VERSION, ImageMeasurements
from pytest_vft.reading.sqlite import Database

MAX_IMAGES = 500_000  # at 155 bytes each the file has 78 MB

_TABLE = "images (key BLOB PRIMARY KEY, value BLOB NOT NULL)"
_ADD = "INSERT OR REPLACE INTO images VALUES (?, ?)"
_FORGET = "DELETE FROM images WHERE rowid <= (SELECT max(rowid) FROM images) - ?"
_READ_AT_ONCE = 500  # keys a query; older versions of SQLite take 999, and more are hardly faster
_WRITTEN_AT_ONCE = 2_000  # rows; several shards share the work on a page of the index
_SORTED_AT_ONCE = 10_000  # rows; in the order of their keys they meet each page of the index once

_HASH = 16  # bytes of a key that are the hash of the payload
_SUM = 8  # bytes of a value that are its checksum

# The types that the fields of a Image may have.
_SHAPES = frozenset(
    product(
        *((int,), (str,), (bool,), (str, NoneType), (int, NoneType), (int, NoneType)),
        *((str, NoneType), (str, NoneType), (int, NoneType), (int, NoneType), (bool, NoneType)),
    )
)

_T = TypeVar("_T")


class MeasuredImage(NamedTuple):
    """An image with the xxh3_128 of its payload, and that payload's *length* in bytes."""

    key: int
    length: int
    image: ImageMeasurements


class ImageCache:
    """Measurements at full depth in images.sqlite in *folder*, the newest *most* of them.

    They hold for one version of Pillow and of our measuring. What goes wrong with the file costs the
    cache, never the run, and is said in *warnings*. One process adds; others look up with *read_only*,
    which makes nothing and is silent.
    """

    def __init__(self, folder: Path, *, read_only: bool = False, most: int = MAX_IMAGES) -> None:
        self._database = Database(folder / "images.sqlite", _TABLE, read_only=read_only)
        self.warnings = self._database.warnings
        self._most = most
        self._waiting: list[MeasuredImage] = []
        self._setting = xxh3_64_digest(f"full {PIL.__version__} {MEASUREMENT_VERSION}".encode())

    def look_up(self, lengths: Mapping[int, int]) -> dict[int, ImageMeasurements]:
        """Return those images that are known, by the xxh3_128 of their payloads.

        *lengths* has the length in bytes of each payload by that hash.
        """
        found = {}
        for batch in _batches(lengths.items(), _READ_AT_ONCE):
            keys = [self._key(key, length) for key, length in batch]
            marks = ",".join("?" * len(keys))
            query = f"SELECT key, value FROM images WHERE key IN ({marks})"  # noqa: S608 - only marks
            for key, value in self._database.read(query, keys):
                if image := _unpacked(key, value):
                    found[int.from_bytes(key[:_HASH])] = image
        return found

    def add(self, measured: Iterable[MeasuredImage]) -> None:
        """Remember what was *measured*, at the latest when the cache is closed."""
        self._waiting += measured
        if len(self._waiting) >= _WRITTEN_AT_ONCE:
            self._write()

    def close(self) -> None:
        """Write what waits, and use the file no more."""
        self._write()
        self._database.close()

    def _write(self) -> None:
        """Write what waits, and forget the oldest beyond the bound, all or nothing."""
        listed, self._waiting = self._waiting[-self._most :], []
        if listed:
            room = self._most - len(listed)  # made first, so that the file does not grow for a moment
            batches = (sorted(self._rows(batch)) for batch in _batches(listed, _SORTED_AT_ONCE))
            self._database.write((_FORGET, [(room,)]), (_ADD, chain.from_iterable(batches)))

    def _key(self, key: int, length: int) -> bytes:
        return key.to_bytes(_HASH) + length.to_bytes(8) + self._setting

    def _rows(self, measured: Iterable[MeasuredImage]) -> Iterator[tuple[bytes, bytes]]:
        for one in measured:
            key = self._key(one.key, one.length)
            try:
                value = orjson.dumps(tuple(one.image))
            except TypeError:  # a decoder's words are no Unicode
                continue
            yield key, xxh3_64_digest(key + value) + value


def _unpacked(key: object, value: object) -> ImageMeasurements | None:
    """Return the image that *value* holds; None unless both are just as they were written."""
    if not (isinstance(key, bytes) and isinstance(value, bytes)):
        return None
    if xxh3_64_digest(key + value[_SUM:]) != value[:_SUM]:
        return None
    try:
        fields = orjson.loads(value[_SUM:])
    except ValueError:
        return None
    fits = isinstance(fields, list) and tuple(map(type, fields)) in _SHAPES
    return ImageMeasurements(*fields) if fits else None


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
