"""Replacing values in a JSON text, in which everything else stays byte for byte."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pytest_vft.fixing.json_walk import find_values
from pytest_vft.formats.base import KeyPath


class SpliceError(ValueError):
    """The values of a text could not be replaced with proof."""


def splice(raw: bytes, edits: Mapping[KeyPath, Any]) -> bytes:
    """Return *raw*, a JSON text, with the value at each path of *edits* replaced; no path is in another.

    Both texts are parsed: they differ only at these paths. Raises SpliceError if they differ elsewhere, or
    if a path does not exist.
    """
    spans = find_values(raw, edits)
    if len(spans) < len(edits):
        raise SpliceError("a value was not found again")
    pieces: list[bytes] = []
    done = len(raw)
    for path, (start, end) in sorted(spans.items(), key=lambda item: item[1], reverse=True):
        if end > done:
            raise SpliceError("one changed value is inside another")
        pieces += [raw[end:done], orjson.dumps(edits[path])]
        done = start
    pieces.append(raw[:done])
    spliced = b"".join(reversed(pieces))
    if orjson.loads(spliced) != _edited(orjson.loads(raw), edits):
        raise SpliceError("the new text does not parse to the new value")
    return spliced


def _edited(value: Any, edits: Mapping[KeyPath, Any]) -> Any:
    """Return *value* with *edits*; it is changed in place."""
    for path, new in edits.items():
        if not path:
            return new
        inner = value
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = new
    return value
