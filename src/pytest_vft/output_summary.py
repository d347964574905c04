"""The numbers of entries of an output that a command wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSummary:
    """What became of the entries of one input, and *path*, where the output is.

    *total* is the number of entries that were read, *copied* and *changed* those in the output, and *aside*
    those that were set aside; *removed* has the numbers of others by the noun for them, "blank line" for
    example. *notes* are remarks about the output, such as where its new images are.
    """

    path: str
    total: int
    copied: int
    changed: int = 0
    aside: int = 0
    removed: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise RuntimeError, before anything is written, if an entry is missing or counted twice."""
        if self.kept + self.aside + sum(self.removed.values()) != self.total:
            raise RuntimeError(f"the numbers of entries do not add up: {self}")

    @property
    def kept(self) -> int:
        """Number of entries in the output."""
        return self.copied + self.changed
