"""Bars of parts with numbers."""

from __future__ import annotations

from typing import NamedTuple

_BAR = 1_000  # units of a bar
_LEAST = 6  # units of a part that is not empty


class BarPart(NamedTuple):
    """A part of a bar: its CSS class, number of lines, and start and width in units.

    *label* is what the number counts, by default the CSS class.
    """

    name: str
    lines: int
    start: float
    width: float
    label: str = ""


def bar(**lines: int) -> tuple[BarPart, ...]:
    """Return a bar of the parts *lines*, each wide enough to be seen."""
    total = sum(lines.values())
    widths = {name: max(_BAR * n / total, _LEAST) if n else 0 for name, n in lines.items()}
    scale = _BAR / (sum(widths.values()) or 1)
    parts, start = [], 0.0
    for name, number in lines.items():
        width = round(widths[name] * scale, 1)
        parts.append(BarPart(name, number, round(start, 1), width))
        start += width
    return tuple(parts)
