"""The comparison of two models as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_vft.evaluation.comparison import Change, Comparison
from pytest_vft.report.evaluation_words import (
    CAUSES,
    aligned_rows,
    conclusive_words,
    first_ids,
    interval_words,
    points,
    quoted,
    rating_words,
    said_words,
    share_words,
)
from pytest_vft.report.layout import MOST_SHOWN
from pytest_vft.text import safe

_MOST_PLACES = 3


def render_comparison(comparison: Comparison, path: str, against: str, most_shown: int = MOST_SHOWN) -> str:
    """Return the message of a failed *comparison* of the predictions at *path* with those at *against*."""
    return "\n".join(comparison_lines(comparison, path, against, most_shown))


def comparison_lines(comparison: Comparison, path: str, against: str, most_shown: int) -> Iterator[str]:
    """Yield the lines of *comparison*; at most *most_shown* broken questions, 0 for all."""
    yield comparison_headline(comparison, against)
    yield from aligned_rows(comparison_rows(comparison, path, against))
    fixed, broken = comparison.fixed, comparison.broken
    p = f"exact McNemar p = {comparison.p:.3g}"
    yield f"  {len(fixed):,} fixed{_places(fixed)}, {len(broken):,} broken{_places(broken)}: {p}"
    yield from (f"  {line}" for line in _doubts(comparison))
    shown = broken[: most_shown or None]
    for change in shown:
        yield f"    broken: {said_words(change.ours)}, {quoted(change.theirs.answer.said)} before"
    if len(broken) > len(shown):
        yield f"    ... and {len(broken) - len(shown):,} more"


def interval_details(comparison: Comparison) -> Iterator[str]:
    """Yield lines about the difference in *comparison*: its interval, and whether it may be chance."""
    low, high = comparison.interval
    interval = f"{points(low)} to {points(high)} points"
    yield f"95 % interval of the difference {interval}; exact McNemar p = {comparison.p:.3g}"
    yield from _doubts(comparison)


def _doubts(comparison: Comparison) -> Iterator[str]:
    """Yield lines about what is not conclusive in *comparison*."""
    low, high = comparison.interval
    if low <= 0 <= high:
        settled = conclusive_words(comparison.settled_by, "question", "difference")
        yield f"inconclusive: the interval contains 0; {settled}"
    elif comparison.p >= comparison.alpha:
        yield f"inconclusive: exact McNemar p is not below {comparison.alpha:g}"
    if comparison.disputed:
        number, ids = len(comparison.disputed), first_ids(comparison.disputed)
        yield f"{number:,} with different actual answers in both files: no gate passes ({ids})"


def comparison_headline(comparison: Comparison, against: str) -> str:
    """Return a line about *comparison* with the file *against*."""
    causes = ", ".join("worse" if cause == "low" else CAUSES[cause] for cause in comparison.causes)
    difference = f"{comparison.kind or 'all'} {points(comparison.difference)} points"
    return f"{difference} against {safe(against, None)}{': ' + causes if causes else ''}"


def comparison_rows(comparison: Comparison, path: str, against: str) -> list[list[str]]:
    """Return a table of both models: a row of headings, a row for each model, one for the difference."""
    low, high = comparison.interval
    rows = [
        ["", "accuracy", "95 % interval"],
        [safe(path, None), share_words(comparison.accuracy), interval_words(comparison.accuracy)],
        [safe(against, None), share_words(comparison.against), interval_words(comparison.against)],
        [
            "difference",
            f"{points(comparison.difference)} points",
            f"{points(low)} to {points(high)} points",
        ],
    ]
    if comparison.ratings or comparison.against_ratings:
        ratings = ("ratings", rating_words(comparison.ratings), rating_words(comparison.against_ratings), "")
        rows = [[*row, cell] for row, cell in zip(rows, ratings, strict=True)]
    return rows


def _places(changes: Sequence[Change]) -> str:
    """Return the first places of *changes* in the test split, or their ids without one."""
    if not changes:
        return ""
    questions = [change.ours.answer.question for change in changes[:_MOST_PLACES]]
    lines = ",".join(str(question.line) for question in questions if question)
    if lines:
        place = f"{safe(questions[0].path, None) if questions[0] else ''}:{lines}"
    else:
        place = "ids " + ", ".join(safe(change.ours.answer.id) for change in changes[:_MOST_PLACES])
    more = f" and {len(changes) - _MOST_PLACES:,} more" if len(changes) > _MOST_PLACES else ""
    return f" ({place}{more})"
