"""Splits without leaks: rows that belong together are a group, and a group is in one split.

The place of a group, from 0 to 1, is a hash of its first key and of the seed, so that it depends on nothing
else: other rows may come and go. The shares of the splits are cut into this line. An exact cut needs the
other groups: they are put in order of their places, evenly by strata, and cut where the shares are met.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from pytest_vft.model import SPLITS, Split

_WHOLE = 2**64


class GroupedRow(NamedTuple):
    """A row with the *keys* that it shares with the rows of its group, its stratum and its examples.

    *ids* are those of the examples if each id has to be that of one example.
    """

    keys: tuple[int, ...]
    examples: int
    stratum: int = 0
    ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of train, validation and test, which add up to 1; *exact* if they are met exactly.

    *seed* leads to other splits with the same shares.
    """

    of: tuple[float, float, float]
    exact: bool = False
    seed: int = 0

    def split_at(self, place: float) -> Split:
        """Return the split at *place*, from 0 to 1."""
        ends = zip(accumulate(self.of), SPLITS, strict=True)
        last = next(split for share, split in zip(reversed(self.of), reversed(SPLITS), strict=True) if share)
        return next((split for end, split in ends if place < end), last)


def place_of(key: int, seed: int) -> float:
    """Return the place of the group with this first *key*, from 0 to 1."""
    return xxh3_64_intdigest(key.to_bytes(8), seed) / _WHOLE


def group_rows(rows: Sequence[GroupedRow], links: Iterable[Sequence[int]] = ()) -> list[int]:
    """Return the number of the first row of each row's group.

    Rows with a common key are a group, and so are rows with keys of the same sequence in *links*, directly
    or through others.
    """
    parents = list(range(len(rows)))

    def find(at: int) -> int:
        while parents[at] != at:
            parents[at] = at = parents[parents[at]]
        return at

    def join(one: int, other: int) -> None:
        low, high = sorted((find(one), find(other)))
        parents[high] = low  # the first row stays the first

    first: dict[int, int] = {}
    for number, row in enumerate(rows):
        for key in row.keys:
            join(number, first.setdefault(key, number))
    for alike in links:
        for key in alike[1:]:
            join(first[alike[0]], first[key])
    return [find(number) for number in range(len(rows))]


def split_rows(rows: Sequence[GroupedRow], groups: Sequence[int], shares: Shares) -> list[Split]:
    """Return the split of each of *rows*; *groups* is what group_rows() returned."""
    splits = (_exact if shares.exact else _by_place)(rows, groups, shares)
    return [splits[group] for group in groups]


def _by_place(rows: Sequence[GroupedRow], groups: Sequence[int], shares: Shares) -> Mapping[int, Split]:
    return {first: shares.split_at(place_of(rows[first].keys[0], shares.seed)) for first in set(groups)}


def _exact(rows: Sequence[GroupedRow], groups: Sequence[int], shares: Shares) -> Mapping[int, Split]:
    """Return the splits of groups, cut where the shares of examples are met best.

    The groups of a stratum are spread over the line at equal distances, with a start of their own, so that
    each stratum has the shares as nearly as its groups allow (systematic sampling).
    """
    sizes: defaultdict[int, int] = defaultdict(int)
    for row, group in zip(rows, groups, strict=True):
        sizes[group] += row.examples
    strata: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)
    for group in sizes:
        strata[rows[group].stratum].append((place_of(rows[group].keys[0], shares.seed), group))
    line: list[tuple[float, int]] = []
    for stratum, members in strata.items():
        start, total = place_of(stratum, shares.seed), sum(sizes[group] for _, group in members)
        before = 0.0
        for _, group in sorted(members):
            line.append(((before + start * sizes[group]) / total, group))
            before += sizes[group]
    splits: dict[int, Split] = {}
    total, before = sum(sizes.values()), 0
    for _, group in sorted(line):
        splits[group] = shares.split_at((before + sizes[group] / 2) / total)
        before += sizes[group]
    return splits
