"""The structure of JSON: places and types without values, compared with stored samples."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent / "formats"
TYPES = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    type(None): "null",
    dict: "object",
    list: "array",
}


def structure(value: Any, maps: AbstractSet[str] = frozenset(), place: str = "") -> Iterator[str]:
    """Yield each place in *value* with its type; the keys of the objects at the places *maps* are data."""
    yield f"{place or '.'} {TYPES[type(value)]}"
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from structure(inner, maps, f"{place}.{'*' if place in maps else key}")
    if isinstance(value, list):
        for inner in value:
            yield from structure(inner, maps, f"{place}[]")


def assert_as_stored(data: Iterable[Any], maps: AbstractSet[str] = frozenset()) -> None:
    """Assert that objects in one format have the stored structure of this format.

    VFT_WRITE_SAMPLES=1 stores what is found. A change that takes a line away, or changes a type, needs a new
    version of the format.
    """
    objects = list(data)
    (name,) = {one["format"] for one in objects}
    path = SAMPLES / f"{name.replace('/', '-')}.txt"
    found = "".join(
        f"{line}\n" for line in sorted({line for one in objects for line in structure(one, maps)})
    )
    if os.environ.get("VFT_WRITE_SAMPLES"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")
