"""The share of right answers, with its interval and its groups, and the minimum that is required of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.evaluation import statistics
from pytest_vft.evaluation.scoring import Kind, Mark
from pytest_vft.evaluation.statistics import Interval

MIN_N = 20


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
class Requirement:
    """The *minimum* accuracy (None: only measure) of all answers, and of each group *by* a key of *min_n*.

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
    images = images_of_marks(marks)
    effect = 1.0 if images is None else statistics.design_effect(right, images)
    n, share = len(marks), sum(right) / len(marks)
    return Accuracy(
        right=sum(right),
        n=n,
        images=None if images is None else sum(isinstance(one, str) for one in set(images)),
        effective_n=n / effect,
        interval=statistics.wilson(share, n / effect, statistics.two_sided(statistics.LEVEL)),
    )


def images_of_marks(marks: Sequence[Mark]) -> list[object] | None:
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


def count_required(minimum: float, n: int) -> int:
    """Return how many of *n* answers are *minimum* of them; 0.9 of 190 is 171, whatever floats say."""
    return math.ceil(round(minimum * n, 9))


def lower_bound(accuracy: Accuracy, confidence: float) -> float:
    """Return the one-sided lower bound of the share at *confidence*."""
    z = statistics.one_sided(confidence)
    return statistics.wilson(accuracy.share, accuracy.effective_n, z).low


def measure_groups(marks: Sequence[Mark], requirement: Requirement) -> list[Group]:
    """Return the groups of *marks*, the worst first."""
    if requirement.by is None:
        return []
    members: dict[str, list[Mark]] = {}
    for mark in marks:
        members.setdefault(_value(mark, requirement.by), []).append(mark)
    groups = [_group(value, found, requirement) for value, found in members.items()]
    if requirement.minimum is not None and all(group.few for group in groups):
        raise EvaluationError(f"no group by {requirement.by!r} has {requirement.min_n} answers; lower min_n")
    return sorted(groups, key=lambda group: (group.few, group.accuracy.share))


def _group(value: str, marks: Sequence[Mark], requirement: Requirement) -> Group:
    accuracy = measure(marks)
    few = accuracy.n < requirement.min_n
    reached = requirement.minimum is None or accuracy.right >= count_required(requirement.minimum, accuracy.n)
    if reached and requirement.minimum is not None and requirement.confidence is not None:
        reached = lower_bound(accuracy, requirement.confidence) >= requirement.minimum
    return Group(value=value, accuracy=accuracy, few=few, ok=few or reached)


def _value(mark: Mark, key: str) -> str:
    for fields in (mark.answer.fields, mark.answer.question.fields if mark.answer.question else {}):
        if key in fields:
            return str(fields[key])
    if mark.answer.line is None:
        return "(no prediction)"
    raise EvaluationError(f"the answer to {mark.answer.id!r} has no key {key!r} to group by")
