"""Sets of line numbers, kept as ranges."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial


@dataclass(slots=True)
class LineRanges:
    """Line numbers as ranges in ascending order: 16 bytes for each range, however many lines it has.

    *bounds* holds the first and last line of each range in turn; no range touches the next one.
    """

    bounds: array[int] = field(default_factory=partial(array, "Q"))

    def add(self, first: int, last: int | None = None) -> None:
        """Add line *first*, or the lines up to *last*; *first* is not before the last range."""
        last = first if last is None else last
        bounds = self.bounds
        if bounds and first <= bounds[-1] + 1:
            bounds[-1] = max(bounds[-1], last)
        else:
            bounds.extend((first, last))

    def extend(self, other: LineRanges, lines: int) -> None:
        """Add *other*, whose lines count from line *lines*."""
        for first, last in other:
            self.add(lines + first, lines + last)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the first and last line of each range."""
        return zip(self.bounds[::2], self.bounds[1::2], strict=True)

    def __len__(self) -> int:
        """Return the number of lines."""
        return sum(last - first + 1 for first, last in self)


def union(sets: Iterable[LineRanges]) -> LineRanges:
    """Return the lines that are in any of *sets*."""
    merged = LineRanges()
    for first, last in heapq.merge(*sets):
        merged.add(first, last)
    return merged
