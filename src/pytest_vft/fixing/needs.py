"""What is to be repaired in a file, found from the totals of a check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.merging import FileTotals
from pytest_vft.fixing.images import IMAGE_REPAIRS
from pytest_vft.fixing.repeats import RepeatedEntries
from pytest_vft.line_ranges import LineRanges, union

_ENTRY_REPAIRS = IMAGE_REPAIRS | {"move-detail"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNeeds:
    """What is to be repaired in a file, by numbers of entries from 1.

    *entries* have values to repair, *blank* maps rules to lines to remove; *byte_order_mark* is the rule
    whose repair removes the mark, None if it stays; *aside* are entries that are set aside unless their
    repair helps; *size* is the estimated number of bytes of all that are repaired.
    """

    entries: LineRanges
    blank: Mapping[str, LineRanges]
    byte_order_mark: str | None
    repeats: RepeatedEntries
    aside: LineRanges
    size: int

    @property
    def are_any(self) -> bool:
        """Whether there may be anything to repair or to set aside."""
        lines = (self.entries, self.aside, *self.blank.values())
        repeats = self.repeats.removed or self.repeats.unweighted
        return bool(self.byte_order_mark or repeats or any(one.bounds for one in lines))


def file_needs(
    file: FileTotals,
    rules: Iterable[Rule],
    repeats: RepeatedEntries | None,
    *,
    unsafe: bool,
    failing: Iterable[str],
) -> FileNeeds:
    """Return what *rules* found in *file* that can be repaired, with *unsafe* repairs or without.

    *failing* are the rules whose failure sets an entry aside.
    """
    bad = file.totals.bad_lines
    allowed = [
        rule for rule in rules if (unsafe or not rule.unsafe) and rule.fix and rule.id not in file.ignored
    ]
    marks = [rule.id for rule in allowed if rule.fix == "remove-byte-order-mark"]
    entries = union(bad[rule.id] for rule in allowed if rule.fix in _ENTRY_REPAIRS and rule.id in bad)
    return FileNeeds(
        entries=entries,
        blank={rule.id: bad[rule.id] for rule in allowed if rule.fix == "remove-line" and rule.id in bad},
        byte_order_mark=marks[0] if marks and file.opened.byte_order_mark else None,
        repeats=(repeats if unsafe else None) or RepeatedEntries(),
        aside=union(bad[id_] for id_ in failing if id_ in bad),
        size=file.opened.bytes * len(entries) // max(file.totals.lines, 1),
    )
