"""What the first bytes of objects in object storage show: read at the same time, and kept in .vft_cache."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
from xxhash import xxh3_128_digest

from pytest_vft.checking.software import software_hash
from pytest_vft.formats.detection import DetectedFormat, detect_format
from pytest_vft.reading.compression import Compression
from pytest_vft.reading.files import OpenedFile
from pytest_vft.reading.object_paths import ObjectPath, is_pinned
from pytest_vft.reading.sqlite import FOLDER, Database
from pytest_vft.reading.waiting import at_once
from pytest_vft.runs.data_formats import formats_among
from pytest_vft.runs.settings import Settings

_FILE = "objects.sqlite"
_TABLE = "objects (key BLOB PRIMARY KEY, value BLOB NOT NULL)"
_FIND = "SELECT value FROM objects WHERE key = ?"
_ADD = "INSERT OR REPLACE INTO objects VALUES (?, ?)"
_REQUESTS = 16  # at the same time


def read_first_bytes(groups: Iterable[Settings]) -> None:
    """Find out what the objects of *groups* are, by the cache or by their first bytes."""
    objects: dict[Path | None, dict[ObjectPath, Sequence[str]]] = {}
    for settings in groups:
        folder = settings.config.folder / FOLDER if settings.network.cache else None
        among = formats_among(settings)
        for source in settings.sources:
            if is_pinned(source.path):
                objects.setdefault(folder, {})[source.path] = among
    for folder, asked in objects.items():
        if folder is None:
            _detect(asked)
        else:
            with closing(Database(folder / _FILE, _TABLE)) as database:
                keys = _keys(asked)
                for path, key in keys.items():
                    path.known.update(_unpacked(database.read(_FIND, (key,))))
                before = {path: len(path.known) for path in asked}
                _detect(asked)
                new = [
                    path
                    for path in asked
                    if len(path.known) > before[path] and not path.known["opened"].error
                ]
                if new:
                    database.write(
                        (_ADD, [(keys[path], orjson.dumps(path.known, default=list)) for path in new])
                    )


def _detect(objects: Mapping[ObjectPath, Sequence[str]]) -> None:
    for _ in at_once(lambda asked: detect_format(*asked), objects.items(), _REQUESTS):
        pass


def _keys(paths: Iterable[ObjectPath]) -> Mapping[ObjectPath, bytes]:
    """Return a key for each of *paths* that depends on its version and on the software."""
    software = software_hash()
    return {path: xxh3_128_digest(software + repr((path, path.etag)).encode()) for path in paths}


def _unpacked(rows: Sequence[Sequence[Any]]) -> Mapping[str, OpenedFile | DetectedFormat]:
    try:
        known = orjson.loads(rows[0][0])
        size, kind, mark, error, packed = known.pop("opened")
        opened = {"opened": OpenedFile(size, kind, mark, error, packed and Compression(*packed))}
        return opened | {name: DetectedFormat(one[0], one[1], tuple(one[2])) for name, one in known.items()}
    except (ValueError, TypeError, LookupError, AttributeError):
        return {}
