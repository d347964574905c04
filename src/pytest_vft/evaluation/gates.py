"""Gates: whether marks reach a minimum, and whether they are no worse than those of another model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_vft.errors import EvaluationError, UsageError, VftError
from pytest_vft.evaluation import statistics
from pytest_vft.evaluation.predictions import Irregular, Matched
from pytest_vft.evaluation.scoring import (
    CLOSED,
    KINDS,
    Kind,
    Mark,
    Metric,
    Normalisation,
    Scoring,
    near_misses,
    normalise_text,
)
from pytest_vft.evaluation.statistics import Interval

MIN_N = 20

Cause = Literal["unknown", "contradictory", "disputed", "ungraded", "low", "unproven", "group"]
"""Why a gate fails: irregular answers, the judge, the share, its lower bound, or that of a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A share of right answers; *interval* is two-sided at 95 %, and rests on *effective_n* of the *n*.

    *images* is None where it is not known which answers are about the same image.
    """

    right: int
    n: int
    images: int | None
    effective_n: float
    interval: Interval

    @property
    def share(self) -> float:
        """The right ones of all."""
        return self.right / self.n


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The answers that have one *value* of a key; too *few* are shown, and pass no gate nor fail it."""

    value: str
    accuracy: Accuracy
    few: bool
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What was measured of the answers of a kind (None: of all), and whether it is enough.

    *minimum* is None when nothing was asked for. *bound* is the one-sided lower bound at
    *confidence*, where a proof was asked for; *settled_by* how many answers in all would leave
    *minimum* out of the interval, at this share. *confusions* are (said, actual answer) of closed
    questions, said "other" for anything that is no choice; *ratings* counts those of a judge.
    """

    kind: Kind | None
    metrics: tuple[Metric, ...]
    scoring: Scoring
    accuracy: Accuracy
    minimum: float | None
    confidence: float | None
    bound: float | None
    short_by: int
    settled_by: int | None
    causes: tuple[Cause, ...]
    irregular: Irregular
    wrong: Sequence[Mark]
    near_misses: Sequence[tuple[Mark, Normalisation]]
    confusions: Mapping[tuple[str, str], int]
    ratings: Mapping[str, int]
    ungraded: Sequence[Mark]
    by: str | None
    groups: Sequence[Group]

    @property
    def ok(self) -> bool:
        """Whether the answers pass."""
        return not self.causes


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
    lost: Sequence[Mark]

    @property
    def difference(self) -> float:
        """The share of right answers less that of the baseline."""
        return (self.better - self.worse) / self.accuracy.n

    @property
    def ok(self) -> bool:
        """Whether the answers are no worse."""
        return not self.causes


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All that one evaluation found; *errors* by kind are why there is no verdict on it.

    *unscored* are the open answers that nothing was asked of and no judge looked at.
    """

    predictions: str
    test: str | None
    baseline: str | None
    matched: Matched
    judge: str | None
    gates: Sequence[Gate]
    comparisons: Sequence[Comparison]
    errors: Mapping[Kind, VftError]
    unscored: int = 0

    @property
    def ok(self) -> bool:
        """Whether every gate passes."""
        return (
            not self.errors
            and all(gate.ok for gate in self.gates)
            and all(one.ok for one in self.comparisons)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a gate asks for: *minimum* (None: only measure) of all, and of each group *by* a key of *min_n*.

    With *confidence* the one-sided lower bound must reach the minimum, not only the share.
    """

    minimum: float | None = None
    confidence: float | None = None
    by: str | None = None
    min_n: int = MIN_N

    def __post_init__(self) -> None:
        check_share("minimum", self.minimum)
        check_confidence(self.confidence)
        if self.min_n < 1:
            raise UsageError(f"min_n is {self.min_n}, want 1 or more")


def check_share(name: str, value: float | None) -> None:
    """Raise UsageError unless *value* lies between 0 and 1, or is None."""
    if value is not None and not 0 <= value <= 1:
        raise UsageError(f"{name} is {value:g}, want a share from 0 to 1, as in 0.9")


def check_confidence(value: float | None) -> None:
    """Raise UsageError unless *value* lies between 0 and 1, both left out, or is None."""
    if value is not None and not 0 < value < 1:
        raise UsageError(f"confidence is {value:g}, want a share between 0 and 1, as in 0.95")


def measure(marks: Sequence[Mark]) -> Accuracy:
    """Return the accuracy of *marks*, of which none is ungraded and of which there is one at least."""
    right = [mark.right is True for mark in marks]
    images = _images(marks)
    effect = 1.0 if images is None else statistics.design_effect(right, images)
    n, share = len(marks), sum(right) / len(marks)
    return Accuracy(
        right=sum(right),
        n=n,
        images=None if images is None else sum(isinstance(one, str) for one in set(images)),
        effective_n=n / effect,
        interval=statistics.wilson(share, n / effect, statistics.two_sided(statistics.LEVEL)),
    )


def _images(marks: Sequence[Mark]) -> list[object] | None:
    """Return what each of *marks* is about: its image, else, of text only, itself; None: not known."""
    if marks[0].answer.question is None:  # then no other has one
        return None
    return [
        mark.answer.question.image if mark.answer.question and mark.answer.question.image else number
        for number, mark in enumerate(marks)
    ]


def of_kind(marks: Sequence[Mark], kind: Kind | None) -> Sequence[Mark]:
    """Return those of *marks* that are of *kind*, or may be; all for None.

    Raises EvaluationError when none is of it.
    """
    found = marks if kind is None else [mark for mark in marks if mark.kind in (kind, None)]
    if not any(mark.kind for mark in found):
        raise EvaluationError(f"there are no {kind + ' ' if kind else ''}questions: nothing to measure")
    return found


def judge_gate(  # noqa: PLR0913 - all that a verdict rests on, by keyword
    matched: Matched,
    marks: Sequence[Mark],
    kind: Kind | None,
    demand: Demand,
    scoring: Scoring,
    *,
    max_ungraded: float,
) -> Gate:
    """Return whether those of *marks* that are of *kind* are as *demand* wants them.

    Raises EvaluationError when there is nothing to measure, or no group of enough answers.
    """
    marks = of_kind(marks, kind)
    graded = [mark for mark in marks if mark.right is not None]
    ungraded = [mark for mark in marks if mark.right is None]
    if not graded:
        raise EvaluationError(f"the judge rated none of {len(marks):,} answers as it was asked to")
    accuracy = measure(graded)
    minimum = demand.minimum
    groups = _groups(graded, demand)
    bound = None if demand.confidence is None else _bound(accuracy, demand.confidence)
    causes = _blocking(matched.irregular)
    if len(ungraded) > max_ungraded * len(marks):
        causes.append("ungraded")
    if minimum is not None:
        if accuracy.right < _wanted(minimum, accuracy.n):
            causes.append("low")
        elif bound is not None and bound < minimum:
            causes.append("unproven")
        if any(not group.ok for group in groups):
            causes.append("group")
    there = {mark.kind for mark in marks}
    wrong = [mark for mark in graded if not mark.right]
    strictest = "none" if scoring.metric == "exact" else scoring.normalise
    near = near_misses((mark for mark in wrong if mark.rating is None), strictest)
    return Gate(
        kind=kind,
        metrics=tuple(dict.fromkeys(scoring.metric_for(its) for its in KINDS if its in there)),
        scoring=scoring,
        accuracy=accuracy,
        minimum=minimum,
        confidence=demand.confidence,
        bound=bound,
        short_by=0 if minimum is None else max(0, _wanted(minimum, accuracy.n) - accuracy.right),
        settled_by=_settled_by(accuracy, demand),
        causes=tuple(causes),
        irregular=matched.irregular,
        wrong=wrong,
        near_misses=near,
        confusions=_confusions(wrong, scoring),
        ratings=dict(Counter(mark.rating for mark in graded if mark.rating is not None).most_common()),
        ungraded=ungraded,
        by=demand.by,
        groups=groups,
    )


def _blocking(irregular: Irregular) -> list[Cause]:
    found: list[tuple[Cause, Sequence[str]]] = [
        ("unknown", irregular.unknown),
        ("contradictory", irregular.contradictory),
        ("disputed", irregular.disputed),
    ]
    return [cause for cause, ids in found if ids]


def _wanted(minimum: float, n: int) -> int:
    """Return how many of *n* answers are *minimum* of them; 0.9 of 190 is 171, whatever floats say."""
    return math.ceil(round(minimum * n, 9))


def _bound(accuracy: Accuracy, confidence: float) -> float:
    z = statistics.one_sided(confidence)
    return statistics.wilson(accuracy.share, accuracy.effective_n, z).low


def _settled_by(accuracy: Accuracy, demand: Demand) -> int | None:
    if demand.minimum is None:
        return None
    level, quantile = (
        (statistics.LEVEL, statistics.two_sided)
        if demand.confidence is None
        else (demand.confidence, statistics.one_sided)
    )
    effect = accuracy.n / accuracy.effective_n
    return statistics.answers_to_settle(accuracy.share, demand.minimum, effect, quantile(level))


def _groups(marks: Sequence[Mark], demand: Demand) -> list[Group]:
    """Return the groups of *marks*, the worst first."""
    if demand.by is None:
        return []
    members: dict[str, list[Mark]] = {}
    for mark in marks:
        members.setdefault(_value(mark, demand.by), []).append(mark)
    groups = [_group(value, found, demand) for value, found in members.items()]
    if demand.minimum is not None and all(group.few for group in groups):
        raise EvaluationError(f"no group by {demand.by!r} has {demand.min_n} answers; lower min_n")
    return sorted(groups, key=lambda group: (group.few, group.accuracy.share))


def _group(value: str, marks: Sequence[Mark], demand: Demand) -> Group:
    accuracy = measure(marks)
    few = accuracy.n < demand.min_n
    reached = demand.minimum is None or accuracy.right >= _wanted(demand.minimum, accuracy.n)
    if reached and demand.minimum is not None and demand.confidence is not None:
        reached = _bound(accuracy, demand.confidence) >= demand.minimum
    return Group(value=value, accuracy=accuracy, few=few, ok=few or reached)


def _value(mark: Mark, key: str) -> str:
    for fields in (mark.answer.fields, mark.answer.question.fields if mark.answer.question else {}):
        if key in fields:
            return str(fields[key])
    if mark.answer.line is None:
        return "(no prediction)"
    raise EvaluationError(f"the answer to {mark.answer.id!r} has no key {key!r} to group by")


def _confusions(wrong: Sequence[Mark], scoring: Scoring) -> dict[tuple[str, str], int]:
    choices = {normalise_text(choice): choice for choice in (*CLOSED, *scoring.choices)}
    pairs = Counter(
        (choices.get(normalise_text(mark.answer.said), "other"), mark.answer.truth)
        for mark in wrong
        if mark.kind == "closed" and mark.answer.truth is not None
    )
    return dict(pairs.most_common())


def compare(  # noqa: PLR0913 - all that a verdict rests on, by keyword
    marks: tuple[Sequence[Mark], Sequence[Mark]],
    irregular: tuple[Irregular, Irregular],
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
    images = _images(ours)
    changes = [int(one.right is True) - int(other.right is True) for one, other in pairs]
    effect = 1.0 if images is None else statistics.design_effect(changes, images)
    p = statistics.mcnemar(better, worse)
    causes = list(dict.fromkeys([*_blocking(irregular[0]), *_blocking(irregular[1])]))
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
