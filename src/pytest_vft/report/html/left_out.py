"""Lines that fail a rule and have no card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from pytest_vft.model import FileResult

_MOST_RANGES = 200  # that are listed for each rule


def lines_left_out(
    files: Iterable[FileResult], rule: str, shown: set[tuple[str, int | None]]
) -> tuple[list[str], int]:
    """Return the lines of *files* that fail *rule* and are not *shown*, as texts, and their number.

    At most _MOST_RANGES ranges of lines are in the texts.
    """
    texts, number, room = [], 0, _MOST_RANGES
    for file in files:
        ranges = file.bad_lines.get(rule)
        if ranges is None:
            continue
        lines = {line for path, line in shown if path == file.path}
        listed = list(islice(_without(ranges, lines), room))
        room -= len(listed)
        number += len(ranges) - len(lines)
        if listed:
            texts.append(f"{file.path}: {', '.join(listed)}")
    if room == 0:
        texts.append("...")
    return texts, number


def ranges_text(ranges: Iterable[tuple[int, int]]) -> str:
    """Return at most _MOST_RANGES of *ranges* as a text: "4, 9-18"."""
    listed = [_range(*one) for one in islice(ranges, _MOST_RANGES + 1)]
    return ", ".join([*listed[:_MOST_RANGES], "..."] if len(listed) > _MOST_RANGES else listed)


def _without(ranges: Iterable[tuple[int, int]], lines: set[int | None]) -> Iterator[str]:
    """Yield *ranges* without *lines* as texts."""
    for first, last in ranges:
        start = first
        for line in sorted(line for line in lines if line is not None and first <= line <= last):
            if start < line:
                yield _range(start, line - 1)
            start = line + 1
        if start <= last:
            yield _range(start, last)


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
