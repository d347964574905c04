"""The results of one evaluation: its gates, its comparisons, and the errors that left no verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_vft.errors import VftError
from pytest_vft.evaluation.comparison import Comparison
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.predictions import MatchedPredictions
from pytest_vft.evaluation.scoring import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All that one evaluation found; *errors* by kind are why there is no verdict on it.

    *unscored* are the open answers that nothing was asked of and no judge looked at.
    """

    predictions: str
    test: str | None
    baseline: str | None
    matched: MatchedPredictions = field(repr=False)
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
