"""Options of assertions on answers."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_vft.evaluation.judge import Judge
from pytest_vft.evaluation.scoring import Kind, ScoringOptions


class _AnswerOptions(ScoringOptions, total=False):
    kind: Kind | None
    judge: Judge | str | None
    confidence: float | None


class AccuracyOptions(_AnswerOptions, total=False):
    """Options of a required accuracy.

    *kind* "closed" evaluates only questions whose actual answer is Yes, No or one of *choices*, "open"
    only the others. *judge* is a Judge or the name of its model. *by*, *min_n* and *confidence* are those
    of Requirement, all others those of Scoring.
    """

    by: str | Sequence[str] | None
    min_n: int


class ComparisonOptions(_AnswerOptions, total=False):
    """Options of a comparison: *kind*, *judge* and those of Scoring and Tolerance."""

    margin: float
    alpha: float
