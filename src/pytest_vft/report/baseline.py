"""Words about known findings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pytest_vft.model import Report
from pytest_vft.text import count, safe


class BaselineFile(NamedTuple):
    """A baseline that was written: its path and the number of its findings."""

    path: str
    number: int


def written_lines(written: Iterable[BaselineFile]) -> list[str]:
    """Return a line for each baseline that was *written*: its path and the number of its findings."""
    return [f"{safe(one.path, None)}  {count(one.number, 'known finding')}" for one in written]


def known_words(report: Report) -> str:
    """Return the number of known findings of *report*, as in "288 known findings"; "" if there are none."""
    return count(len(report.known), "known finding") if report.known else ""


def gone_words(report: Report, option: str = "--write-baseline") -> str:
    """Return how many known findings are gone and that *option* removes them; "" if none is gone."""
    gone = sum(sum(use.gone.values()) for use in report.baselines)
    if not gone:
        return ""
    are, them = ("is", "it") if gone == 1 else ("are", "them")
    return f"{count(gone, 'known finding')} {are} gone; {option} removes {them} from the file"
