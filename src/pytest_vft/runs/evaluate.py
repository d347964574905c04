"""Assertions on the accuracy of a model, as pytest_vft exports them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_vft.evaluation.comparison import Comparison
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.judge import Judge
from pytest_vft.evaluation.questions import ID_PATTERN
from pytest_vft.evaluation.scoring import Kind, Metric, Normalisation
from pytest_vft.runs.evaluation import StrPath, evaluate


def assert_min_accuracy(  # noqa: PLR0913 - all by keyword, each with a default
    predictions: StrPath,
    minimum: float,
    *,
    test: StrPath | None = None,
    kind: Kind | None = None,
    metric: Metric | None = None,
    normalise: Normalisation = "text",
    min_f1: float = 0.5,
    choices: Sequence[str] = (),
    judge: Judge | str | None = None,
    by: str | None = None,
    min_n: int = 20,
    confidence: float | None = None,
    keys: Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
) -> Gate:
    """Raise AssertionError unless the share of right answers reaches *minimum*, else return the gate.

    *kind*: only the "closed" questions, whose actual answer is Yes, No or one of *choices*, or only
    the "open" ones. *metric* None takes closed answers at their letters and lets *judge*, a model's
    name or a Judge, rate open ones. *by* names a key: each group of at least *min_n* answers must
    reach the minimum, too. With *confidence* (0.95) the lower bound of the share must reach it.
    The other arguments are those of evaluate and Scoring.
    """
    __tracebackhide__ = True
    return evaluate(predictions, test=test, keys=keys, id_pattern=id_pattern).assert_min_accuracy(
        minimum,
        kind=kind,
        metric=metric,
        normalise=normalise,
        min_f1=min_f1,
        choices=choices,
        judge=judge,
        by=by,
        min_n=min_n,
        confidence=confidence,
    )


def assert_not_worse_than(
    predictions: StrPath,
    baseline: StrPath,
    *,
    test: StrPath | None = None,
    keys: Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    **settings: Any,
) -> Comparison:
    """Raise AssertionError if *predictions* are worse than *baseline*, else return the comparison.

    Worse: fewer right answers by more than *margin* (0), which chance does not explain at *alpha*
    (0.05). With *confidence* (0.95) it must be proved that they are not: the lower bound of the
    difference lies above -margin. The other *settings* are those of assert_min_accuracy.
    """
    __tracebackhide__ = True
    mine = evaluate(predictions, test=test, keys=keys, id_pattern=id_pattern)
    return mine.assert_not_worse_than(baseline, **settings)
