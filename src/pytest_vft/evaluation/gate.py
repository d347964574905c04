"""A gate: whether the accuracy of a model reaches a minimum, and what is wrong with the answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pytest_vft.errors import EvaluationError
from pytest_vft.evaluation import statistics
from pytest_vft.evaluation.accuracy import (
    Accuracy,
    Group,
    Requirement,
    count_required,
    lower_bound,
    measure,
    measure_groups,
    of_kind,
)
from pytest_vft.evaluation.predictions import Irregularities, MatchedPredictions
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

Cause = Literal["unknown", "contradictory", "disputed", "ungraded", "low", "unproven", "group"]
"""Why a gate fails: irregular answers, the judge, the share, its lower bound, or that of a group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What was measured of the answers of a kind (None: of all), and whether it is enough.

    *minimum* is None when nothing was asked for. *bound* is the one-sided lower bound at
    *confidence*, where a proof was asked for; *settled_by* is the number of answers at which the
    interval would exclude *minimum*, if the share stayed as it is. *confusions* are (said, actual
    answer) of closed questions, said "other" for anything that is no choice; *ratings* counts those
    of a judge.
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
    irregular: Irregularities = field(repr=False)
    wrong: Sequence[Mark] = field(repr=False)
    near_misses: Sequence[tuple[Mark, Normalisation]] = field(repr=False)
    confusions: Mapping[tuple[str, str], int]
    ratings: Mapping[str, int]
    ungraded: Sequence[Mark] = field(repr=False)
    by: str | None
    groups: Sequence[Group]

    @property
    def ok(self) -> bool:
        """Whether the answers pass."""
        return not self.causes


def evaluate_gate(  # noqa: PLR0913 - all that a verdict rests on, by keyword
    matched: MatchedPredictions,
    marks: Sequence[Mark],
    kind: Kind | None,
    requirement: Requirement,
    scoring: Scoring,
    *,
    max_ungraded: float,
) -> Gate:
    """Return whether those of *marks* that are of *kind* are as *requirement* wants them.

    Raises EvaluationError when there is nothing to measure, or no group of enough answers.
    """
    marks = of_kind(marks, kind)
    graded = [mark for mark in marks if mark.right is not None]
    ungraded = [mark for mark in marks if mark.right is None]
    if not graded:
        raise EvaluationError(f"the judge rated none of {len(marks):,} answers as it was asked to")
    accuracy = measure(graded)
    minimum = requirement.minimum
    groups = measure_groups(graded, requirement)
    bound = None if requirement.confidence is None else lower_bound(accuracy, requirement.confidence)
    causes = irregular_causes(matched.irregular)
    if len(ungraded) > max_ungraded * len(marks):
        causes.append("ungraded")
    if minimum is not None:
        if accuracy.right < count_required(minimum, accuracy.n):
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
        metrics=tuple(dict.fromkeys(scoring.metric_for(one) for one in KINDS if one in there)),
        scoring=scoring,
        accuracy=accuracy,
        minimum=minimum,
        confidence=requirement.confidence,
        bound=bound,
        short_by=0 if minimum is None else max(0, count_required(minimum, accuracy.n) - accuracy.right),
        settled_by=_settled_by(accuracy, requirement),
        causes=tuple(causes),
        irregular=matched.irregular,
        wrong=wrong,
        near_misses=near,
        confusions=_confusions(wrong, scoring),
        ratings=dict(Counter(mark.rating for mark in graded if mark.rating is not None).most_common()),
        ungraded=ungraded,
        by=requirement.by,
        groups=groups,
    )


def irregular_causes(irregular: Irregularities) -> list[Cause]:
    """Return the irregularities that fail every gate."""
    found: list[tuple[Cause, Sequence[str]]] = [
        ("unknown", irregular.unknown),
        ("contradictory", irregular.contradictory),
        ("disputed", irregular.disputed),
    ]
    return [cause for cause, ids in found if ids]


def _settled_by(accuracy: Accuracy, requirement: Requirement) -> int | None:
    if requirement.minimum is None:
        return None
    level, quantile = (
        (statistics.LEVEL, statistics.two_sided)
        if requirement.confidence is None
        else (requirement.confidence, statistics.one_sided)
    )
    effect = accuracy.n / accuracy.effective_n
    return statistics.answers_to_settle(accuracy.share, requirement.minimum, effect, quantile(level))


def _confusions(wrong: Sequence[Mark], scoring: Scoring) -> dict[tuple[str, str], int]:
    choices = {normalise_text(choice): choice for choice in (*CLOSED, *scoring.choices)}
    pairs = Counter(
        (choices.get(normalise_text(mark.answer.said), "other"), mark.answer.truth)
        for mark in wrong
        if mark.kind == "closed" and mark.answer.truth is not None
    )
    return dict(pairs.most_common())
