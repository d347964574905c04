"""Two models on the same questions: whether the answers of one are worse than those of the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import NamedTuple

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.evaluation import statistics
from pytest_vft.evaluation.accuracy import Accuracy, dependence, measure
from pytest_vft.evaluation.gate import Cause, irregular_causes
from pytest_vft.evaluation.matching import Irregularities, differ
from pytest_vft.evaluation.scoring import Kind, Mark, count_ratings
from pytest_vft.evaluation.statistics import Interval
from pytest_vft.model import render_by_name
from pytest_vft.naming import option
from pytest_vft.text import count


class Change(NamedTuple):
    """The answers of both models to a question."""

    ours: Mark
    theirs: Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """When answers count as worse than those of another model.

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
    """The accuracy of a model and of the model *against* it on the same questions, and why it is worse.

    *fixed* and *broken* are the questions that only the model or only the other one got right, or got right
    more often; *wrong* are all wrong answers of the model, with those of the other one. *p* is that of
    McNemar's exact two-sided test of the fixed and broken questions. *interval* is that of *difference*,
    two-sided at 95 %. *settled_by* is the number of questions at which it would exclude 0, if the difference
    stayed as it is. *ratings* and *against_ratings* count the ratings of the judge.
    *disputed* are the ids of questions with different actual answers in both files.
    """

    kind: Kind | None
    accuracy: Accuracy
    against: Accuracy
    difference: float
    fixed: Sequence[Change] = field(repr=False)
    broken: Sequence[Change] = field(repr=False)
    wrong: Sequence[Change] = field(repr=False)
    p: float
    interval: Interval
    margin: float
    alpha: float
    confidence: float | None
    settled_by: int | None
    ratings: Mapping[str, int]
    against_ratings: Mapping[str, int]
    disputed: Sequence[str] = field(repr=False)
    causes: tuple[Cause, ...]

    @property
    def ok(self) -> bool:
        """Whether the answers are not worse."""
        return not self.causes

    def _repr_html_(self) -> str:
        """Return the comparison as HTML, which notebooks show."""
        html: str = render_by_name("html.notebook:comparison_fragment", self)
        return html


def compare(
    marks: tuple[Sequence[Mark], Sequence[Mark]],
    irregular: tuple[Irregularities, Irregularities],
    kind: Kind | None,
    tolerance: Tolerance,
    max_ungraded: float,
) -> Comparison:
    """Return the comparison of two models, each pair holding that of the model first and the other second.

    Raises UsageError if the questions are not the same, EvaluationError if no pair of marks is graded.
    """
    pairs = _pairs(*marks)
    graded = [pair for pair in pairs if pair.ours.right is not None and pair.theirs.right is not None]
    if not graded:
        raise EvaluationError(f"the judge gave no valid rating for {count(len(pairs), 'pair')} of answers")
    ours, theirs = [pair.ours for pair in graded], [pair.theirs for pair in graded]
    changes = [_change(pair) for pair in graded]
    n, better, worse = len(graded), changes.count(1), changes.count(-1)
    effect = dependence(changes, ours)
    fixed, broken = _changed(graded)
    p = statistics.mcnemar(len(fixed), len(broken))
    causes = list(dict.fromkeys([*irregular_causes(irregular[0]), *irregular_causes(irregular[1])]))
    disputed = [pair for pair in pairs if differ(pair.ours.answer.truths, pair.theirs.answer.truths)]
    if disputed and "disputed" not in causes:
        causes.append("disputed")
    if len(pairs) - n > max_ungraded * len(pairs):
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
        against=measure(theirs),
        difference=(better - worse) / n,
        fixed=fixed,
        broken=broken,
        wrong=[pair for pair in graded if not pair.ours.right],
        p=p,
        interval=statistics.difference(better, worse, n, effect, z),
        margin=margin,
        alpha=alpha,
        confidence=confidence,
        settled_by=statistics.pairs_to_settle(better, worse, n, effect, z),
        ratings=count_ratings(ours),
        against_ratings=count_ratings(theirs),
        disputed=list(dict.fromkeys(pair.ours.answer.id for pair in disputed)),
        causes=tuple(causes),
    )


def _pairs(marks: Sequence[Mark], others: Sequence[Mark]) -> list[Change]:
    """Return the marks of each question in pairs; a model with fewer answers repeats them."""
    ours, theirs = _by_id(marks), _by_id(others)
    theirs = {id_: found for id_, found in theirs.items() if id_ in ours or any(one.kind for one in found)}
    ours = {id_: found for id_, found in ours.items() if id_ in theirs or any(one.kind for one in found)}
    absent = [id_ for id_ in ours if id_ not in theirs]
    if absent or len(ours) != len(theirs):
        example = f"; none with the id {absent[0]!r}" if absent else ""
        raise UsageError(
            f"{option('against')} has answers to {count(len(theirs), 'question')} of this kind, "
            f"not to {len(ours):,}{example}; give the test split of both: {option('test', 'FILE')}"
        )
    return [pair for id_, found in ours.items() for pair in _repeated(found, theirs[id_])]


def _by_id(marks: Sequence[Mark]) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = {}
    for mark in marks:
        found.setdefault(mark.answer.id, []).append(mark)
    return found


def _repeated(ours: Sequence[Mark], theirs: Sequence[Mark]) -> list[Change]:
    pairs = zip(cycle(ours), cycle(theirs), strict=False)
    return [Change(*pair) for pair in islice(pairs, max(len(ours), len(theirs)))]


def _change(pair: Change) -> int:
    return int(pair.ours.right is True) - int(pair.theirs.right is True)


def _changed(pairs: Sequence[Change]) -> tuple[list[Change], list[Change]]:
    """Return a pair for each question that the first model got right more often, and for each other one."""
    sums: Counter[str] = Counter()
    for pair in pairs:
        sums[pair.ours.answer.id] += _change(pair)
    firsts: dict[str, Change] = {}
    for pair in pairs:
        if _change(pair) * sums[pair.ours.answer.id] > 0:
            firsts.setdefault(pair.ours.answer.id, pair)
    fixed = [pair for id_, pair in firsts.items() if sums[id_] > 0]
    return fixed, [pair for id_, pair in firsts.items() if sums[id_] < 0]
