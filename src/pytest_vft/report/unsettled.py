"""URLs that were not settled, for reports: the lines of each file by cause."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import NamedTuple

from pytest_vft.line_ranges import LineRanges
from pytest_vft.model import Report
from pytest_vft.report.layout import MOST_SHOWN
from pytest_vft.text import count


class UnsettledLines(NamedTuple):
    """The lines of a file with URLs that were not settled for one cause."""

    path: str
    cause: str
    lines: LineRanges


def unsettled_lines(report: Report) -> list[UnsettledLines]:
    """Return the lines of *report* with URLs that were not settled, in the order of first lines."""
    groups: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for one in report.unsettled:
        for path, line in one.places:
            groups[path, one.cause].add(line)
    found = []
    for (path, cause), lines in groups.items():
        ranges = LineRanges()
        for line in sorted(lines):
            ranges.add(line)
        found.append(UnsettledLines(path, cause, ranges))
    return found


def shown_lines(group: UnsettledLines, most_shown: int = MOST_SHOWN) -> str:
    """Return the lines of *group* as text, "1-3, 7", with at most *most_shown* ranges (0: all)."""
    ranges = list(islice(group.lines, most_shown)) if most_shown else list(group.lines)
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    hidden = len(group.lines) - sum(last - first + 1 for first, last in ranges)
    return ", ".join(shown) + (f" and {count(hidden, 'more line')}" if hidden else "")


def cause_and_lines(group: UnsettledLines, most_shown: int = MOST_SHOWN) -> str:
    """Return *group* as text, as in "time-out: lines 1-3, 7"; see shown_lines()."""
    noun = "line" if len(group.lines) == 1 else "lines"
    return f"{group.cause}: {noun} {shown_lines(group, most_shown)}"


def settled_words(report: Report) -> str:
    """Return how many URLs were not settled, as in "2 of 5 URLs not settled", "" if all were."""
    left = len(report.unsettled)
    if not left:
        return ""
    urls = count(report.urls, "URL")
    return f"none of {urls} settled" if left == report.urls else f"{left:,} of {urls} not settled"
