"""Two models on the same questions: whether the answers of one are worse than those of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.evaluation import statistics
from pytest_vft.evaluation.accuracy import Accuracy, images_of_marks, measure
from pytest_vft.evaluation.gate import Cause, irregular_causes
from pytest_vft.evaluation.matching import Irregularities
from pytest_vft.evaluation.scoring import Kind, Mark
from pytest_vft.evaluation.statistics import Interval
from pytest_vft.naming import option
from pytest_vft.text import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """When answers count as worse than those of a baseline.

    They are worse if the accuracy is lower by more than *margin* and chance does not explain this:
    McNemar's p is below *alpha*, and the interval of the difference at 1 - alpha, which accounts for
    images, excludes 0. With *confidence* they are worse unless the one-sided lower bound of the
    difference is above -margin. Raises UsageError for invalid values.
    """

    margin: float = 0.0
    alpha: float = 0.05
    confidence: float | None = None

    def __post_init__(self) -> None:
        statistics.check_share("margin", self.margin)
        statistics.check_share("alpha", self.alpha)
        statistics.check_confidence(self.confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The accuracy of a model and of a *baseline* on the same questions, and why the model is worse.

    *better* and *worse* count the questions that only the model or only the baseline got right; *lost*
    are the answers of the model to the latter. *p* is that of McNemar's exact two-sided test. *interval*
    is that of *difference*, two-sided at 95 %. *settled_by* is the number of questions at which it would
    exclude 0, if the difference stayed as it is.
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
        """The accuracy of the model minus that of the baseline."""
        return (self.better - self.worse) / self.accuracy.n

    @property
    def ok(self) -> bool:
        """Whether the answers are not worse."""
        return not self.causes


def compare(
    marks: tuple[Sequence[Mark], Sequence[Mark]],
    irregular: tuple[Irregularities, Irregularities],
    kind: Kind | None,
    tolerance: Tolerance,
    max_ungraded: float,
) -> Comparison:
    """Return the comparison of two models, each pair holding that of the model first and the baseline second.

    Raises UsageError if the questions are not the same, EvaluationError if no pair of marks is graded.
    """
    pairs = _pairs(*marks)
    ours, theirs = [one for one, _ in pairs], [other for _, other in pairs]
    changes = [int(one.right is True) - int(other.right is True) for one, other in pairs]
    lost = [one for one, change in zip(ours, changes, strict=True) if change < 0]
    n, better, worse = len(pairs), changes.count(1), len(lost)
    images = images_of_marks(ours)
    effect = 1.0 if images is None else statistics.design_effect(changes, images)
    p = statistics.mcnemar(better, worse)
    causes = list(dict.fromkeys([*irregular_causes(irregular[0]), *irregular_causes(irregular[1])]))
    if len(marks[0]) - n > max_ungraded * len(marks[0]):
        causes.append("ungraded")
    margin, alpha, confidence = tolerance.margin, tolerance.alpha, tolerance.confidence
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
    """Return the marks of each question in pairs, without pairs in which one has no valid rating."""
    mine = {mark.answer.id for mark in marks}
    by_id = {mark.answer.id: mark for mark in others if mark.kind or mark.answer.id in mine}
    marks = [mark for mark in marks if mark.kind or mark.answer.id in by_id]
    absent = [mark.answer.id for mark in marks if mark.answer.id not in by_id]
    if absent or len(marks) != len(by_id):
        raise UsageError(
            f"the baseline has answers to {count(len(by_id), 'question')} of this kind, not to {len(marks):,}"
            f"{f'; none with the id {absent[0]!r}' if absent else ''}; give the test split of both: "
            f"{option('test', 'FILE')}"
        )
    pairs = [(mark, by_id[mark.answer.id]) for mark in marks]
    graded = [(one, other) for one, other in pairs if one.right is not None and other.right is not None]
    if not graded:
        raise EvaluationError(f"the judge gave no valid rating for {count(len(marks), 'pair')} of answers")
    return graded
