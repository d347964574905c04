"""The data format of a file, by its first examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from pytest_vft.formats.dataset_info import read_layout
from pytest_vft.formats.foreign import recognise
from pytest_vft.formats.registry import data_formats
from pytest_vft.reading.files import BYTE_ORDER_MARK, open_file
from pytest_vft.regular_files import regular

_EXAMPLES = 16
_ENOUGH = 1024 * 1024  # bytes after which no further example is read
_LONGEST = 8 * 1024 * 1024  # bytes of an example


class DetectedFormat(NamedTuple):
    """A data format with its layout."""

    name: str
    layout: Mapping[str, str] = {}


def detect_format(path: str, among: Sequence[str] = ()) -> DetectedFormat:
    """Return the data format of the file at *path*, one of *among* or of all; never raises.

    It is llamafactory if a dataset_info.json beside the file describes the file, else the format of most of
    the first examples, else the first of *among*.
    """
    known = among or data_formats()
    layout = read_layout(path) if "llamafactory" in known else None
    if layout is not None:
        return DetectedFormat("llamafactory", layout)
    try:
        found = Counter(filter(None, map(_data_format, _first_examples(path))))
    except OSError:
        return DetectedFormat(known[0])
    return DetectedFormat(next((name for name, _ in found.most_common() if name in known), known[0]))


def _first_examples(path: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects among the first lines of the file at *path*. Raises OSError."""
    opened = open_file(path)
    if opened.error or opened.container != "JSONL":
        return
    size = 0
    with open(path, "rb", opener=regular) as file:
        file.seek(len(BYTE_ORDER_MARK) if opened.byte_order_mark else 0)
        for _ in range(_EXAMPLES):
            line = file.readline(_LONGEST)
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError:
                value = None
            if isinstance(value, dict):
                yield value
            size += len(line)
            if not line or size > _ENOUGH:
                return


def _data_format(example: Mapping[str, Any]) -> str | None:
    """Return the data format of *example*; None if there is no reader."""
    entry = recognise(example)
    return entry.get("data_format") if entry else None
