"""The results of one evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_vft.errors import VftError
from pytest_vft.evaluation.calibration import Calibration
from pytest_vft.evaluation.comparison import Comparison
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.matching import MatchedPredictions
from pytest_vft.evaluation.scoring import Kind
from pytest_vft.evaluation.spending import Spending


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Gates and comparisons by kind; *errors* explain why a kind has no verdict.

    *judge* is the name of the judge's model. *unscored* counts the open answers that were not scored,
    since there was no minimum, metric or judge for them. *calibration* compares the judge with the ratings of
    people in the file *judge_labels*. *spending* is what requests have cost.
    """

    predictions: str
    test: str | None
    against: str | None
    matched: MatchedPredictions = field(repr=False)
    judge: str | None
    gates: Sequence[Gate]
    comparisons: Sequence[Comparison]
    errors: Mapping[Kind, VftError]
    unscored: int = 0
    judge_labels: str | None = None
    calibration: Calibration | None = None
    spending: Spending = field(default_factory=Spending)

    @property
    def ok(self) -> bool:
        """Whether there are no errors and every gate and comparison passes."""
        verdicts = [gate.ok for gate in self.gates] + [comparison.ok for comparison in self.comparisons]
        return not self.errors and all(verdicts)
