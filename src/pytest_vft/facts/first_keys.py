"""The keys of examples and messages by the line where they first appear.

A loader that makes a table of a file takes the columns from the first block of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypedDict

MAX_KEYS = 1_000  # a file with more has keys of its own in each example
_MAX_SHAPES = 10_000
_IMAGE_COLUMNS = ("images", "image")
_MEDIA_COLUMNS = ("images", "videos", "audios")


class FirstKeyFacts(TypedDict):
    """The facts of a file that key_facts() returns."""

    images_column: bool
    image_columns: list[str]
    last_new_key: str
    last_new_key_line: int
    last_new_key_start: int


_NO_KEYS: FirstKeyFacts = {
    "images_column": False,
    "image_columns": [],
    "last_new_key": "",
    "last_new_key_line": 0,
    "last_new_key_start": 0,
}


class FirstKeys:
    """Maps each key to the line, and the byte where the line starts, of the first example that has the key.

    A key of a message is written as in "messages[].role". The form of a content, text or list, counts as a
    key as well: "messages[].content (list)".
    """

    def __init__(self) -> None:
        self.places: dict[str, tuple[int, int]] = {}
        self._shapes: set[tuple[Any, ...]] = set()

    def add(self, example: Mapping[str, Any], line: int, start: int) -> None:
        """Add the keys of *example*, which is on *line*; the line starts at byte *start*."""
        for name, value in example.items():
            self._add([name], line, start)
            rows = value if isinstance(value, list) else (value,)
            prefix = f"{name}[]" if rows is value else name
            for row in rows:
                if not isinstance(row, dict):
                    continue
                shape = (prefix, type(row.get("content")), *row)
                if shape not in self._shapes:
                    if len(self._shapes) < _MAX_SHAPES:
                        self._shapes.add(shape)
                    self._add(_inner_keys(prefix, row), line, start)

    def _add(self, keys: Iterable[str], line: int, start: int) -> None:
        for key in keys:
            if len(self.places) < MAX_KEYS:
                self.places.setdefault(key, (line, start))


def _inner_keys(name: str, value: Mapping[str, Any]) -> Iterator[str]:
    for key, inner in value.items():
        yield f"{name}.{key}"
        if key == "content" and isinstance(inner, str | list):
            yield f"{name}.{key} ({'text' if isinstance(inner, str) else 'list'})"


def key_facts(places: Mapping[str, tuple[int, int]], before: int = 0) -> FirstKeyFacts:
    """Return the facts about the keys of a file that first appear at *places*, after *before* bytes."""
    if not places:
        return {**_NO_KEYS, "last_new_key_start": before}
    last = max(places, key=lambda key: places[key][1])
    line, start = places[last]
    return {
        "images_column": any(key in places for key in _IMAGE_COLUMNS),
        "image_columns": [key for key in _IMAGE_COLUMNS if key in places],
        "last_new_key": last,
        "last_new_key_line": line,
        "last_new_key_start": before + start,
    }


def missing_columns(places: Mapping[str, tuple[int, int]], layout: Mapping[str, str]) -> list[str]:
    """Return the keys of media in *layout* that are not among *places*, the keys of a file."""
    if not places or len(places) >= MAX_KEYS:
        return []
    described = [layout[column] for column in _MEDIA_COLUMNS if column in layout]
    return [key for key in described if key not in places]
