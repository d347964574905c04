"""Counts of verdicts in a shard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_vft.checking.compile import Verdicts
from pytest_vft.checking.judge import FAIL, UNKNOWN


@dataclass(slots=True)
class VerdictCount:
    """A tuple of verdicts, whether it contains a failure or an unknown, and the number of its subjects."""

    verdicts: Verdicts
    failed: bool
    unknown: bool
    number: int = 0


class VerdictCounts(dict[Verdicts, VerdictCount]):
    """The counts of one scope by tuples of verdicts; each tuple is searched for failures only once."""

    def __missing__(self, verdicts: Verdicts) -> VerdictCount:
        counted = self[verdicts] = VerdictCount(verdicts, FAIL in verdicts, UNKNOWN in verdicts)
        return counted

    def counts(self) -> Mapping[Verdicts, int]:
        """Return the number of subjects with each tuple of verdicts."""
        return {verdicts: counted.number for verdicts, counted in self.items()}
