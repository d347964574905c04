"""Counts of verdicts in a shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_vft.checking.compile import Verdicts
from pytest_vft.checking.judge import FAIL, UNKNOWN
from pytest_vft.gaps import Cause


@dataclass(slots=True)
class VerdictCount:
    """A tuple of verdicts, whether it contains a failure or an unknown, and the number of its subjects.

    *causes* counts images by why their content, and what they show, is not known.
    """

    verdicts: Verdicts
    failed: bool
    unknown: bool
    number: int = 0
    causes: Counter[tuple[Cause | None, Cause]] = field(default_factory=Counter)


class VerdictCounts(dict[Verdicts, VerdictCount]):
    """The counts of one scope by tuples of verdicts; each tuple is searched for failures only once."""

    def __missing__(self, verdicts: Verdicts) -> VerdictCount:
        counted = self[verdicts] = VerdictCount(verdicts, FAIL in verdicts, UNKNOWN in verdicts)
        return counted

    def counts(self) -> Mapping[Verdicts, int]:
        """Return the number of subjects with each tuple of verdicts."""
        return {verdicts: counted.number for verdicts, counted in self.items()}
