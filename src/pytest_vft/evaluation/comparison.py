"""Two models on the same questions: whether the one is no worse than the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.evaluation import statistics
from pytest_vft.evaluation.accuracy import (
    Accuracy,
    check_confidence,
    check_share,
    images_of_marks,
    measure,
    of_kind,
)
from pytest_vft.evaluation.gate import Cause, irregular_causes
from pytest_vft.evaluation.predictions import Irregularities
from pytest_vft.evaluation.scoring import Kind, Mark
from pytest_vft.evaluation.statistics import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models on the same questions; *better* and *worse*: those that only this, only the other got right.

    *p* is McNemar's, exact and two-sided; *interval* that of *difference*, two-sided at
    *confidence*, else at 95 %.
    """

    kind: Kind | None
    accuracy: Accuracy
    baseline: Accuracy
    better: int
    worse: int
    p: float
    interval: Interval
    margin: float
    alpha: float
    confidence: float | None
    settled_by: int | None
    causes: tuple[Cause, ...]
    lost: Sequence[Mark] = field(repr=False)

    @property
    def difference(self) -> float:
        """The share of right answers less that of the baseline."""
        return (self.better - self.worse) / self.accuracy.n

    @property
    def ok(self) -> bool:
        """Whether the answers are no worse."""
        return not self.causes


def compare(  # noqa: PLR0913 - all that a verdict rests on, by keyword
    marks: tuple[Sequence[Mark], Sequence[Mark]],
    irregular: tuple[Irregularities, Irregularities],
    kind: Kind | None,
    *,
    margin: float,
    alpha: float,
    confidence: float | None,
    max_ungraded: float,
) -> Comparison:
    """Return whether the first of *marks* are no worse than the second, those of a baseline.

    They are worse when the share of right answers is lower by more than *margin* and chance does
    not explain it: McNemar's p is below *alpha*, and the interval of the difference at 1 - alpha,
    which knows of images, leaves 0 out. With *confidence* the lower bound of the difference, at
    that level on one side, must itself lie above -margin.
    Raises UsageError when the questions are not the same, EvaluationError for none.
    """
    check_share("margin", margin)
    check_share("alpha", alpha)
    check_confidence(confidence)
    first, second = (of_kind(listed, kind) for listed in marks)
    pairs = _pairs(first, second)
    ours, theirs = [one for one, _ in pairs], [other for _, other in pairs]
    better = sum(one.right is True and other.right is False for one, other in pairs)
    lost = [one for one, other in pairs if one.right is False and other.right is True]
    n, worse = len(pairs), len(lost)
    images = images_of_marks(ours)
    changes = [int(one.right is True) - int(other.right is True) for one, other in pairs]
    effect = 1.0 if images is None else statistics.design_effect(changes, images)
    p = statistics.mcnemar(better, worse)
    causes = list(dict.fromkeys([*irregular_causes(irregular[0]), *irregular_causes(irregular[1])]))
    if len(first) - n > max_ungraded * len(first):
        causes.append("ungraded")
    if confidence is not None:
        z = statistics.one_sided(confidence)
        if statistics.difference(better, worse, n, effect, z).low <= -margin:
            causes.append("unproven")
    elif (better - worse) / n < -margin and p < alpha:
        z = statistics.two_sided(1 - alpha)
        if statistics.difference(better, worse, n, effect, z).high < 0:
            causes.append("low")
    z = statistics.two_sided(statistics.LEVEL)
    return Comparison(
        kind=kind,
        accuracy=measure(ours),
        baseline=measure(theirs),
        better=better,
        worse=worse,
        p=p,
        interval=statistics.difference(better, worse, n, effect, z),
        margin=margin,
        alpha=alpha,
        confidence=confidence,
        settled_by=statistics.pairs_to_settle(better, worse, n, effect, z),
        causes=tuple(causes),
        lost=lost,
    )


def _pairs(marks: Sequence[Mark], others: Sequence[Mark]) -> list[tuple[Mark, Mark]]:
    """Return the marks on each question together; what a judge left ungraded in either is left out."""
    mine = {mark.answer.id for mark in marks}
    by_id = {mark.answer.id: mark for mark in others if mark.kind or mark.answer.id in mine}
    marks = [mark for mark in marks if mark.kind or mark.answer.id in by_id]
    absent = [mark.answer.id for mark in marks if mark.answer.id not in by_id]
    if absent or len(marks) != len(by_id):
        raise UsageError(
            f"the baseline answers other questions ({len(by_id):,}, not {len(marks):,} of this kind"
            f"{f'; none with the id {absent[0]!r}' if absent else ''}); name the test split of both"
        )
    pairs = [(mark, by_id[mark.answer.id]) for mark in marks]
    graded = [(one, other) for one, other in pairs if one.right is not None and other.right is not None]
    if not graded:
        raise EvaluationError(f"the judge rated none of {len(marks):,} pairs of answers as it was asked to")
    return graded
