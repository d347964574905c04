"""Words and figures that the reports of evaluations share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_vft.evaluation.accuracy import Accuracy
from pytest_vft.evaluation.gate import Cause
from pytest_vft.evaluation.scoring import Mark
from pytest_vft.text import count, safe

MOST_IDS = 5
_QUOTED = 40
CAUSES: Mapping[Cause, str] = {
    "unknown": "unknown ids",
    "missing": "missing predictions",
    "contradictory": "contradictory answers",
    "disputed": "disputed actual answers",
    "ungraded": "too many ungraded",
    "low": "too low",
    "unproven": "not proved",
    "group": "a group is too low",
}


def first_ids(ids: Sequence[str]) -> str:
    """Return the first of *ids*."""
    return ", ".join(map(safe, ids[:MOST_IDS])) + (", ..." if len(ids) > MOST_IDS else "")


def conclusive_words(number: int | None, noun: str, what: str) -> str:
    """Return at which *number* of answers or questions, the *noun*, a result would be conclusive."""
    if number is None:
        return f"no number of {noun}s would settle it if the {what} stayed the same"
    return f"about {count(number, noun)} would settle it if the {what} stayed the same"


def said_words(mark: Mark) -> str:
    """Return the id, the predicted and the actual answer of *mark*."""
    answer = mark.answer
    truth = "unknown" if answer.truth is None else quoted(answer.truth)
    return f"id {safe(answer.id)}  said {quoted(answer.said)}  truth {truth}"


def rating_words(ratings: Mapping[str, int]) -> str:
    """Return *ratings* with their numbers."""
    return " | ".join(f"{rating} {number:,}" for rating, number in ratings.items())


def interval_words(accuracy: Accuracy) -> str:
    """Return the interval of *accuracy*."""
    low, high = accuracy.interval
    return f"{100 * low:.1f} to {percent(high)}"


def share_words(accuracy: Accuracy) -> str:
    """Return *accuracy* in per cent and numbers."""
    return f"{percent(accuracy.share)} ({accuracy.right:,}/{accuracy.n:,})"


def points(share: float) -> str:
    """Return a difference of shares in percentage points."""
    return f"{100 * share:+.1f}"


def percent(share: float, digits: int = 1) -> str:
    """Return *share* in per cent."""
    return f"{100 * share:.{digits}f} %"


def quoted(text: str) -> str:
    """Return *text* in quotes, shortened."""
    return repr(safe(text, _QUOTED)).replace("\\\\", "\\")


def aligned_rows(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield *rows* with cells of equal width in each column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield ("  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))).rstrip()
