"""A gate: whether the accuracy of answers reaches a minimum, and which answers are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pytest_vft.errors import EvaluationError
from pytest_vft.evaluation import statistics
from pytest_vft.evaluation.accuracy import Accuracy, Group, Requirement, measure, measure_groups
from pytest_vft.evaluation.matching import Irregularities, MatchedPredictions
from pytest_vft.evaluation.scoring import (
    CLOSED,
    KINDS,
    Kind,
    Mark,
    Metric,
    Normalisation,
    Scoring,
    count_ratings,
    near_fields,
    near_misses,
    normalise_text,
)
from pytest_vft.model import render_by_name
from pytest_vft.naming import option
from pytest_vft.text import count, safe

Cause = Literal["unknown", "missing", "contradictory", "disputed", "ungraded", "low", "unproven", "group"]
"""Why a gate fails: irregular or ungraded answers, or a low accuracy, lower bound or group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The accuracy of the answers of *kind* (None for all), and why it is not enough.

    *minimum* is None if only measured. *bound* is the one-sided lower bound at *confidence*. *short_by*
    is the number of right answers that are missing; *settled_by* is the number of answers at which the
    interval would exclude *minimum*, if the share stayed as it is. *flips* are the questions that were asked
    several times and answered right at times. *near_fields* counts the wrong answers
    that a field of a JSON object would make right. *confusions* counts pairs of given and
    actual answer of closed questions, with "other" for an answer that is not a choice; *ratings* counts
    the ratings of the judge.
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
    near_fields: Mapping[str, int]
    flips: Sequence[str] = field(repr=False)
    confusions: Mapping[tuple[str, str], int]
    ratings: Mapping[str, int]
    ungraded: Sequence[Mark] = field(repr=False)
    by: tuple[str, ...]
    groups: Sequence[Group]

    @property
    def ok(self) -> bool:
        """Whether the gate passes."""
        return not self.causes

    def _repr_html_(self) -> str:
        """Return the gate as HTML, which notebooks show."""
        html: str = render_by_name("html.notebook:gate_fragment", self)
        return html


def evaluate_gate(
    matched: MatchedPredictions,
    marks: Sequence[Mark],
    kind: Kind | None,
    requirement: Requirement,
    scoring: Scoring,
) -> Gate:
    """Return the gate of *marks*, those of *kind*, for *requirement*.

    Raises EvaluationError if no mark is graded, or no group has enough answers.
    """
    graded = [mark for mark in marks if mark.right is not None]
    ungraded = [mark for mark in marks if mark.right is None]
    if not graded:
        raise EvaluationError(
            f"the judge gave no valid rating for {count(len(marks), 'answer')}; it said "
            f"{safe(marks[0].judge_said)!r}; another judge may fit, or ask again: {option('retry-ungraded')}"
        )
    accuracy = measure(graded)
    groups = measure_groups(graded, requirement)
    short_by = requirement.short_by(accuracy)
    causes = irregular_causes(matched.irregular)
    if requirement.minimum is None and "missing" in causes:
        causes.remove("missing")
    if len(ungraded) > scoring.max_ungraded * len(marks):
        causes.append("ungraded")
    if not requirement.is_reached(accuracy):
        causes.append("low" if short_by else "unproven")
    if any(not group.ok for group in groups):
        causes.append("group")
    kinds = {mark.kind for mark in marks}
    wrong = [mark for mark in graded if not mark.right]
    strictest = "none" if scoring.metric == "exact" else scoring.normalise
    return Gate(
        kind=kind,
        metrics=tuple(dict.fromkeys(scoring.metric_for(one) for one in KINDS if one in kinds)),
        scoring=scoring,
        accuracy=accuracy,
        minimum=requirement.minimum,
        confidence=requirement.confidence,
        bound=requirement.lower_bound(accuracy),
        short_by=short_by,
        settled_by=_settled_by(accuracy, requirement),
        causes=tuple(causes),
        irregular=matched.irregular,
        wrong=wrong,
        near_misses=near_misses((mark for mark in wrong if mark.rating is None), strictest),
        near_fields=near_fields(wrong, strictest),
        flips=_flips(graded) if accuracy.questions < accuracy.n else (),
        confusions=_confusions(wrong, scoring),
        ratings=count_ratings(graded),
        ungraded=ungraded,
        by=requirement.keys,
        groups=groups,
    )


def _flips(marks: Sequence[Mark]) -> list[str]:
    """Return the ids of questions with right and wrong answers in *marks*."""
    right = {mark.answer.id for mark in marks if mark.right}
    wrong = {mark.answer.id for mark in marks if not mark.right}
    return [id_ for id_ in dict.fromkeys(mark.answer.id for mark in marks) if id_ in right and id_ in wrong]


def irregular_causes(irregular: Irregularities) -> list[Cause]:
    """Return the irregularities that fail every gate."""
    causes: tuple[Cause, ...] = ("unknown", "missing", "contradictory", "disputed")
    return [cause for cause in causes if getattr(irregular, cause)]


def _settled_by(accuracy: Accuracy, requirement: Requirement) -> int | None:
    if requirement.minimum is None:
        return None
    if requirement.confidence is None:
        z = statistics.two_sided(statistics.LEVEL)
    else:
        z = statistics.one_sided(requirement.confidence)
    effect = accuracy.n / accuracy.effective_n
    return statistics.answers_to_settle(accuracy.share, requirement.minimum, effect, z)


def _confusions(wrong: Sequence[Mark], scoring: Scoring) -> dict[tuple[str, str], int]:
    choices = {normalise_text(choice): choice for choice in (*CLOSED, *scoring.choices)}
    pairs = Counter(
        (choices.get(normalise_text(mark.answer.said), "other"), mark.answer.truth)
        for mark in wrong
        if mark.kind == "closed" and mark.answer.truth is not None
    )
    return dict(pairs.most_common())
