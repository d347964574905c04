"""URLs that were not settled, for reports: grouped by file and cause, with ranges of lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from pytest_vft.model import Report
from pytest_vft.text import count

_MOST_RANGES = 8


class UnsettledLines(NamedTuple):
    """The lines of a file with URLs that were not settled for one cause."""

    path: str
    lines: tuple[int, ...]
    cause: str


def unsettled_lines(report: Report) -> list[UnsettledLines]:
    """Return the lines of *report* with URLs that were not settled, in the order of first lines."""
    groups: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for one in report.unsettled:
        for path, line in one.places:
            groups[path, one.cause].add(line)
    return [UnsettledLines(path, tuple(sorted(lines)), cause) for (path, cause), lines in groups.items()]


def ranges(lines: Iterable[int]) -> str:
    """Return ascending *lines* as text: "1-3, 7"; a long list is cut and the rest counted."""
    pairs: list[list[int]] = []
    for line in lines:
        if pairs and line == pairs[-1][1] + 1:
            pairs[-1][1] = line
        else:
            pairs.append([line, line])
    shown = [f"{start}" if start == end else f"{start}-{end}" for start, end in pairs[:_MOST_RANGES]]
    hidden = sum(end - start + 1 for start, end in pairs[_MOST_RANGES:])
    return ", ".join(shown) + (f" and {count(hidden, 'more line')}" if hidden else "")


def settled_words(report: Report) -> str:
    """Return how many URLs were not settled, as in "2 of 5 URLs not settled", "" if all were."""
    left = len(report.unsettled)
    if not left:
        return ""
    urls = count(report.urls, "URL")
    return f"none of {urls} settled" if left == report.urls else f"{left:,} of {urls} not settled"
