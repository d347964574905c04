"""Target turns and few-shot answers of a shard or a file, as tables of numbers."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pytest_vft.facts.turns import Turn

LOW_HALF = 0xFFFF_FFFF_FFFF_FFFF  # of a key
_numbers = partial(array, "Q")  # numbers of 64 bits
_NO_IMAGES: Any = ()


def shifted(rows: array[int], width: int, column: int, offset: int) -> array[int]:
    """Return *rows* of *width* numbers with *offset* added to one *column*."""
    result = rows[:]
    result[column::width] = array("Q", [number + offset for number in rows[column::width]])
    return result


@dataclass(slots=True)
class TurnTable:
    """Target turns with their lines, as rows of numbers: about 50 bytes for each turn.

    A row has line, key, answer, words, repeated, and the end of its images in *images*, which holds the
    low half of each key.
    """

    rows: array[int] = field(default_factory=_numbers)
    images: array[int] = field(default_factory=_numbers)

    def append(self, line: int, turn: Turn) -> None:
        """Add *turn*, which is on *line*."""
        key, answer, words, images, repeated = turn
        for image in images:
            self.images.append(image & LOW_HALF)
        words = 0 if answer is None else words
        self.rows.extend((line, key, answer or 0, words, repeated, len(self.images)))

    def extend(self, other: TurnTable, lines: int) -> None:
        """Add the turns of *other*, which follows after *lines* lines."""
        self.rows.extend(shifted(shifted(other.rows, 6, 0, lines), 6, 5, len(self.images)))
        if other.images:
            self.images = self.images or _numbers()
            self.images.extend(other.images)

    def pack(self) -> None:
        """Make the table as small as it can be, above all if there are no images."""
        self.rows, self.images = self.rows[:], self.images[:] or _NO_IMAGES

    def __len__(self) -> int:
        return len(self.rows) // 6

    @property
    def keys(self) -> array[int]:
        """The key of each turn."""
        return self.rows[1::6]

    def positions(self, keys: Collection[int]) -> list[int]:
        """Return the positions of the turns with one of *keys*, from 0."""
        return [at for at, key in enumerate(self.keys) if key in keys] if keys else []

    def line(self, at: int) -> int:
        """Return the line of the turn at position *at*."""
        return self.rows[6 * at]

    def turn(self, at: int) -> Turn:
        """Return the turn at position *at*."""
        _, key, answer, words, repeated, end = self.rows[6 * at : 6 * at + 6]
        start = self.rows[6 * at - 1] if at else 0
        return Turn(key, answer if words else None, words, tuple(self.images[start:end]), repeated)

    def images_without(self, keys: Collection[int]) -> array[int]:
        """Return the images of the turns without one of *keys*."""
        if not self.images:
            return self.images
        images = self.images[:]
        for at in reversed(self.positions(keys)):
            start = self.rows[6 * at - 1] if at else 0
            del images[start : self.rows[6 * at + 5]]
        return images

    def __iter__(self) -> Iterator[tuple[int, Turn]]:
        return ((self.line(at), self.turn(at)) for at in range(len(self)))


@dataclass(slots=True)
class ShotTable:
    """Few-shot answers, as rows of line and key, and their JSON pointers, few of which differ."""

    rows: array[int] = field(default_factory=_numbers)
    pointers: list[str] = field(default_factory=list)

    def append(self, line: int, pointer: str, key: int) -> None:
        """Add the answer at *pointer* in the example on *line*."""
        self.rows.extend((line, key))
        self.pointers.append(sys.intern(pointer))

    def extend(self, other: ShotTable, lines: int) -> None:
        """Add the answers of *other*, which follows after *lines* lines."""
        self.rows.extend(shifted(other.rows, 2, 0, lines))
        self.pointers.extend(map(sys.intern, other.pointers))

    def __len__(self) -> int:
        return len(self.pointers)

    @property
    def keys(self) -> array[int]:
        """The key of each answer."""
        return self.rows[1::2]

    def __iter__(self) -> Iterator[tuple[int, str, int]]:
        """Yield line, JSON pointer and key of each answer."""
        return zip(self.rows[0::2], self.pointers, self.keys, strict=True)
