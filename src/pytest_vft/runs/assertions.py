"""Assertions on files of predictions, each as one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Unpack

from pytest_vft.errors import without_inner_frames
from pytest_vft.evaluation.comparison import Comparison
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.questions import ID_PATTERN
from pytest_vft.runs.answer_options import AccuracyOptions, ComparisonOptions
from pytest_vft.runs.evaluation import StrPath, evaluate


@without_inner_frames
def assert_min_accuracy(  # noqa: PLR0913 - all by keyword, each with a default
    predictions: StrPath,
    minimum: float,
    *,
    test: StrPath | None = None,
    keys: Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    data_format: str | None = None,
    image_roots: Sequence[str] = (),
    **options: Unpack[AccuracyOptions],
) -> Gate:
    """Return the gate of *predictions*, or raise AssertionError if the accuracy is below *minimum*.

    *test*, *keys*, *id_pattern*, *data_format* and *image_roots* are those of evaluate(); see
    AccuracyOptions for the others.
    Raises EvaluationError for files that cannot be evaluated, UsageError for invalid arguments.
    """
    __tracebackhide__ = True
    evaluation = evaluate(
        predictions,
        test=test,
        keys=keys,
        id_pattern=id_pattern,
        data_format=data_format,
        image_roots=image_roots,
    )
    return evaluation.assert_min_accuracy(minimum, **options)


@without_inner_frames
def assert_not_worse_than(  # noqa: PLR0913 - all by keyword, each with a default
    predictions: StrPath,
    against: StrPath,
    *,
    test: StrPath | None = None,
    keys: Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    data_format: str | None = None,
    image_roots: Sequence[str] = (),
    **options: Unpack[ComparisonOptions],
) -> Comparison:
    """Return the comparison with *against*, or raise AssertionError if *predictions* are worse.

    Tolerance describes when predictions are worse. *test*, *keys*, *id_pattern*,
    *data_format* and *image_roots* are those of evaluate(), for both files; see ComparisonOptions for the
    others.
    Raises EvaluationError for files that cannot be evaluated, UsageError for invalid arguments.
    """
    __tracebackhide__ = True
    evaluation = evaluate(
        predictions,
        test=test,
        keys=keys,
        id_pattern=id_pattern,
        data_format=data_format,
        image_roots=image_roots,
    )
    return evaluation.assert_not_worse_than(against, **options)
