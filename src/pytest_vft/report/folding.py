"""Findings of one rule, folded: equal messages become one entry with its lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from pytest_vft.line_ranges import LineRanges
from pytest_vft.model import Finding
from pytest_vft.report.layout import MOST_SHOWN
from pytest_vft.text import safe


class Folded(NamedTuple):
    """The place and message of the first finding of a group, its pointer, and the other findings.

    *pointer* and *others* are as they follow the message: " (/messages/0)", "; 12 more: 4, 9-18, b.jsonl:3".
    Elements of an array on the line of the first finding are "#1-11", counted from 0.
    """

    place: str
    message: str
    pointer: str
    others: str

    @property
    def whole(self) -> str:
        """The message with everything that follows it."""
        return self.message + self.pointer + self.others


def place(finding: Finding) -> str:
    """Return the place of *finding* as path:line."""
    path = safe(finding.path, None)
    return path if finding.line is None else f"{path}:{finding.line}"


def by_message(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Return groups of findings with the same message, in the order of their first findings."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.message, []).append(finding)
    return list(groups.values())


def by_image(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Return groups of findings with the same image and message, in the order of their first findings."""
    groups: dict[object, list[Finding]] = {}
    for number, finding in enumerate(findings):
        key = (finding.image, finding.message) if finding.image else number
        groups.setdefault(key, []).append(finding)
    return list(groups.values())


def fold(group: Sequence[Finding], most_shown: int = MOST_SHOWN) -> Folded:
    """Return *group*, which has one message, with at most *most_shown* ranges of lines (0: all)."""
    first, *others = group
    pointer = f" ({safe(first.pointer, None)})" if first.pointer else ""
    more = ""
    if others:
        image = ", same image" if first.image and {one.image for one in group} == {first.image} else ""
        elsewhere = [one for one in others if (one.path, one.line) != (first.path, first.line)]
        beside = [one for one in others if (one.path, one.line) == (first.path, first.line)]
        places = chain(_elements(beside, first.element), _lines(elsewhere, first.path))
        lines = ", ".join(_shortened(places, most_shown))
        more = f"; {len(others):,} more{image}{f': {lines}' if lines else ''}"
    return Folded(place(first), first.message, pointer, more)


def _elements(findings: Sequence[Finding], but: int | None) -> Iterator[str]:
    """Yield the ranges of array elements of *findings*, without the element *but*."""
    ranges = LineRanges()
    for number in sorted({one.element for one in findings if one.element is not None} - {but}):
        ranges.add(number)
    yield from (f"#{_range(first, last)}" for first, last in ranges)


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _lines(findings: Sequence[Finding], here: str) -> Iterator[str]:
    """Yield the ranges of lines of *findings*, with the path before the first of each file but *here*."""
    by_path: dict[str, LineRanges] = {}
    for finding in findings:
        ranges = by_path.setdefault(finding.path, LineRanges())
        if finding.line is not None:
            ranges.add(finding.line)
    for path, ranges in by_path.items():
        shown = [_range(first, last) for first, last in ranges]
        if path != here:
            shown[:1] = [":".join([safe(path, None), *shown[:1]])]
        yield from shown


def _shortened(texts: Iterator[str], most: int) -> Iterator[str]:
    if not most:
        yield from texts
        return
    yield from islice(texts, most)
    if next(texts, None) is not None:
        yield "..."
