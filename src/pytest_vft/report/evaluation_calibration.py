"""The agreement of a judge with people as text."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_vft.evaluation.calibration import Calibration
from pytest_vft.evaluation.ratings import RATINGS
from pytest_vft.report.evaluation_words import aligned_rows, percent
from pytest_vft.text import count, safe


def calibration_lines(calibration: Calibration, judge: str, labels: str) -> Iterator[str]:
    """Yield the lines about *calibration* of the *judge* by the file *labels*, and the table of ratings."""
    yield from calibration_headlines(calibration, judge, labels)
    yield from aligned_rows(confusion_rows(calibration))


def calibration_headlines(calibration: Calibration, judge: str, labels: str) -> Iterator[str]:
    """Yield the figures of *calibration*."""
    one, low, high = calibration, *calibration.interval
    agreed = f"{percent(one.share)} ({one.agreed:,}/{one.n:,})"
    yield f"judge {safe(judge)} gives the rating in {safe(labels, None)} to {agreed}"
    yield f"  95 % interval {100 * low:.1f} to {percent(high)} (Wilson)"
    if one.kappa is None or one.kappa_interval is None:
        yield "  Cohen's kappa is not defined: all ratings are equal"
    else:
        low, high = one.kappa_interval
        yield f"  Cohen's kappa {one.kappa:.2f}, 95 % interval {low:.2f} to {high:.2f}"
    yield f"  right or wrong by both {percent(one.same_verdict / one.n)} ({one.same_verdict:,}/{one.n:,})"
    if one.left_out:
        yield f"  {count(one.left_out, 'label')} left out: of another answer, or not rated by the judge"


def confusion_rows(calibration: Calibration) -> list[list[str]]:
    """Return a table of ratings: a row for each one of people, a column for each one of the judge."""
    found = calibration.confusions
    used = [rating for rating in RATINGS if any(rating in pair for pair in found)]
    rows = [[person, *(f"{found.get((person, judge), 0):,}" for judge in used)] for person in used]
    return [["people / judge", *used], *rows]
