"""What a worker needs to repair entries, and what comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.totals import ShardFinding
from pytest_vft.model import Source
from pytest_vft.reading.entries import FileEntry


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RepairPlan:
    """The settings of repairs in one file, the same for all its entries, as plain data that can be pickled.

    With *judge*, the findings that are left on an entry are returned as well. *image_folder* is the name of
    the folder for new images, in the folder that the file is written to.
    """

    lint: LintPlan
    source: Source
    ignored: frozenset[str]
    unsafe: bool
    judge: bool = False
    image_folder: str = "images"


class EntryTask(NamedTuple):
    """An entry to repair; *unweighted* are a rule and the JSON pointer of each answer that gets weight 0."""

    entry: FileEntry
    unweighted: tuple[tuple[str, str], ...] = ()


class Repaired(NamedTuple):
    """A finding that a repair resolves: what was there and what is now; *before* may be empty."""

    rule: str
    before: str
    after: str


class LeftOver(NamedTuple):
    """Why a finding that could be repaired is left."""

    rule: str
    why: str


class ValueChange(NamedTuple):
    """A change of one value: its JSON pointer in the example, and the change in words."""

    pointer: str
    words: str


@dataclass(slots=True)
class EntryRepair:
    """An entry after its repair: *raw* is None if nothing was changed; *images* are new files by name.

    *resolved* has rule and JSON pointer of each finding that is repaired; *findings* are those that are left.
    """

    raw: bytes | None = None
    repaired: Counter[Repaired] = field(default_factory=Counter)
    left: Counter[LeftOver] = field(default_factory=Counter)
    changes: list[ValueChange] = field(default_factory=list)
    images: dict[str, bytes] = field(default_factory=dict)
    resolved: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[ShardFinding] = field(default_factory=list)

    def add(self, repaired: Iterable[Repaired], place: str, change: ValueChange) -> None:
        """Count findings at the JSON pointer *place* as *repaired* by *change*."""
        for one in repaired:
            self.repaired[one] += 1
            self.resolved[one.rule, place] += 1
        self.changes.append(change)
