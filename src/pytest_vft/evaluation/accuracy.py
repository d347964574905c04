"""The accuracy of answers, overall and by group, and the minimum accuracy that is required."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from pytest_vft.errors import EvaluationError
from pytest_vft.evaluation import statistics
from pytest_vft.evaluation.predictions import Answer
from pytest_vft.evaluation.scoring import Mark
from pytest_vft.evaluation.spending import check_number
from pytest_vft.evaluation.statistics import Interval
from pytest_vft.naming import option
from pytest_vft.text import count

MIN_N = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """The number of *right* answers of *n*; *interval* is two-sided at 95 % and uses *effective_n*.

    *questions* is less than *n* if questions were asked several times. *images* is the number of images,
    None without a test split.
    """

    right: int
    n: int
    questions: int
    images: int | None
    effective_n: float
    interval: Interval

    @property
    def share(self) -> float:
        """The share of right answers."""
        return self.right / self.n


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The accuracy of the answers with one *value* of a *key*; a group of too *few* answers is always ok."""

    key: str
    value: str
    accuracy: Accuracy
    few: bool
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """The *minimum* accuracy of all answers and of each group; None only measures.

    Groups are the answers with the same value of a key in *by*, one key or several; those with fewer
    than *min_n* answers are not required to reach the minimum. With *confidence*, the one-sided lower
    bound of the accuracy must reach it. Raises UsageError for invalid values.
    """

    minimum: float | None = None
    confidence: float | None = None
    by: str | Sequence[str] | None = None
    min_n: int = MIN_N

    def __post_init__(self) -> None:
        statistics.check_share("min-accuracy", self.minimum)
        statistics.check_confidence(self.confidence)
        check_number("min-n", self.min_n, 1, whole=True)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys to group by."""
        by = self.by or ()
        return (by,) if isinstance(by, str) else tuple(by)

    def is_reached(self, accuracy: Accuracy) -> bool:
        """Return whether *accuracy* reaches the minimum, and its lower bound does with *confidence*."""
        if self.minimum is None:
            return True
        bound = self.lower_bound(accuracy)
        return not self.short_by(accuracy) and (bound is None or bound >= self.minimum)

    def short_by(self, accuracy: Accuracy) -> int:
        """Return how many right answers are missing; 0.9 of 190 is 171, despite floating point."""
        return max(0, math.ceil(round((self.minimum or 0.0) * accuracy.n, 9)) - accuracy.right)

    def lower_bound(self, accuracy: Accuracy) -> float | None:
        """Return the one-sided lower bound of *accuracy* at *confidence*, None without confidence."""
        if self.confidence is None:
            return None
        z = statistics.one_sided(self.confidence)
        return statistics.wilson(accuracy.share, accuracy.effective_n, z).low


def measure(marks: Sequence[Mark]) -> Accuracy:
    """Return the accuracy of *marks*, at least one and all graded."""
    right = [mark.right is True for mark in marks]
    effect = dependence(right, marks)
    images = {one.image for one in (mark.answer.question for mark in marks) if one and one.image}
    n, share = len(marks), sum(right) / len(marks)
    return Accuracy(
        right=sum(right),
        n=n,
        questions=len({mark.answer.id for mark in marks}),
        images=None if marks[0].answer.question is None else len(images),
        effective_n=n / effect,
        interval=statistics.wilson(share, n / effect, statistics.two_sided(statistics.LEVEL)),
    )


def dependence(values: Sequence[float], marks: Sequence[Mark]) -> float:
    """Return the design effect of *values*, one for each of *marks*.

    It is the largest of those of images, of questions and of repeats: several answers to a question are
    never worth more than one question.
    """
    ids = [mark.answer.id for mark in marks]
    questions = len(set(ids))
    effects = [len(ids) / questions]
    if questions < len(ids):
        effects.append(statistics.design_effect(values, ids))
    if marks[0].answer.question is not None:  # then every answer has one
        effects.append(statistics.design_effect(values, _images(marks)))
    return max(effects)


def _images(marks: Sequence[Mark]) -> list[Hashable]:
    """Return the image of each of *marks*, or the question if it has no image."""
    return [
        answer.question.image if answer.question and answer.question.image else (answer.id,)
        for answer in (mark.answer for mark in marks)
    ]


def measure_groups(marks: Sequence[Mark], requirement: Requirement) -> list[Group]:
    """Return the groups of *marks* by each key: those that fail, the others, those of too few answers.

    Raises EvaluationError if there is a minimum and every group by a key has too few answers.
    """
    return [group for key in requirement.keys for group in _groups_by(key, marks, requirement)]


def _groups_by(key: str, marks: Sequence[Mark], requirement: Requirement) -> list[Group]:
    members: dict[str, list[Mark]] = {}
    for mark in marks:
        members.setdefault(_value(mark.answer, key), []).append(mark)
    groups = []
    for value, found in members.items():
        accuracy = measure(found)
        few = accuracy.n < requirement.min_n
        groups.append(
            Group(
                key=key, value=value, accuracy=accuracy, few=few, ok=few or requirement.is_reached(accuracy)
            )
        )
    if requirement.minimum is not None and all(group.few for group in groups):
        raise EvaluationError(
            f"no group by {key!r} has {count(requirement.min_n, 'answer')}; lower {option('min-n')}"
        )
    return sorted(groups, key=lambda group: (group.few, group.ok, group.accuracy.share))


def check_groups(answers: Iterable[Answer], keys: Sequence[str]) -> None:
    """Raise EvaluationError if one of *answers* has no value of a key in *keys*."""
    for answer in answers if keys else ():
        for key in keys:
            _value(answer, key)


def _value(answer: Answer, key: str) -> str:
    for fields in (answer.fields, answer.question.fields if answer.question else {}):
        if key in fields:
            return str(fields[key])
    if answer.line is None:
        return "(no prediction)"
    raise EvaluationError(f"the answer to {answer.id!r} does not have the key {key!r} of {option('by')}")
