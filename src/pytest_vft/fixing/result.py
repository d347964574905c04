"""The numbers of a repair: examples, findings and changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pytest_vft.catalogue.load import Rule
from pytest_vft.fixing.files import EntryOutcome
from pytest_vft.fixing.plan import LeftOver, Repaired
from pytest_vft.model import Report
from pytest_vft.output_summary import OutputSummary


@dataclass(slots=True, kw_only=True)
class FileTally:
    """The entries of a file after repairs.

    *removed* counts by rule; *repaired* and *left* count findings; *solved* counts the entries on which no
    finding is left, if that was judged; *images* is the number of new files.
    """

    total: int = 0
    copied: int = 0
    changed: int = 0
    aside: int = 0
    solved: int = 0
    images: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    repaired: Counter[Repaired] = field(default_factory=Counter)
    left: Counter[LeftOver] = field(default_factory=Counter)

    @property
    def is_changed(self) -> bool:
        """Whether the file is to be written: something was repaired or set aside."""
        return bool(self.repaired or self.aside)

    def add(self, outcome: EntryOutcome, *, aside: bool = False) -> None:
        """Count *outcome*, which is set aside if *aside*."""
        self.total += 1
        repair = outcome.repair
        self.solved += bool(outcome.removed or (repair and not repair.findings))
        if outcome.removed:
            self.removed[outcome.removed] += 1
            self.repaired[Repaired(outcome.removed, "", "removed")] += 1
        elif aside:
            self.aside += 1
        elif repair is None or repair.raw is None:
            self.copied += 1
        else:
            self.changed += 1
            self.repaired.update(repair.repaired)
            self.images += len(repair.images)
        if repair and not aside:
            self.left.update(repair.left)

    def facts(self) -> dict[str, Any]:
        """Return the tally as values that JSON has."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        return {
            **numbers,
            "removed": dict(self.removed),
            "repaired": [[*one, number] for one, number in self.repaired.items()],
            "left": [[*one, number] for one, number in self.left.items()],
        }

    @classmethod
    def from_facts(cls, facts: Any) -> Self:
        """Return the tally that facts() described."""
        return cls(
            **{name: facts[name] for name in _NUMBERS},
            removed=Counter(facts["removed"]),
            repaired=Counter({Repaired(*one): number for *one, number in facts["repaired"]}),
            left=Counter({LeftOver(*one): number for *one, number in facts["left"]}),
        )


_NUMBERS = ("total", "copied", "changed", "aside", "solved", "images")


@dataclass(frozen=True, kw_only=True)
class FixResult:
    """The reports before and after repairs, and the numbers of each file that has something to repair.

    *after* is None if nothing was written, or if no example is left in what was written; *outputs* are what
    was written, and *refused* is the number of
    examples for which nothing was written, since they would have been set aside; *rules* are those of the
    run by id; *unsafe* says that unsafe repairs were made, too.
    """

    before: Report
    tallies: Mapping[str, FileTally]
    after: Report | None = None
    outputs: tuple[OutputSummary, ...] = ()
    refused: int = 0
    rules: Mapping[str, Rule] = field(default_factory=dict)
    unsafe: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether anything can be repaired."""
        return any(tally.repaired for tally in self.tallies.values())

    @property
    def is_clean(self) -> bool:
        """Whether what is there now is in order: nothing can be repaired, and no rule fails the run."""
        if self.after is not None:
            return self.after.ok
        if self.outputs:
            return True
        return self.before.ok and not self.is_needed and not self.refused
