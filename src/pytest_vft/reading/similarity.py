"""The search for similar hashes: exact, in Python's own integers, and by numpy for many of them."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, compress, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_vft.reading.optional_numpy import find_numpy

if TYPE_CHECKING:
    import numpy as np

DISTANCE = 3  # bits by which similar hashes differ at most
MOST_WITHOUT_NUMPY = 200_000  # different hashes; Python takes 2 s for as many
MOST_COMPARED = 200  # hashes after one in a group of equal bands, which bounds the work for templates
_BITS = 64

# Whether the images with these two numbers look alike; their hashes are similar.
AreAlike = Callable[[int, int], bool]


class Similar(NamedTuple):
    """Images by their numbers: *groups* have equal hashes and look alike; *links* join similar groups.

    A link is a pair of positions in *groups*. *cut* is true for each group that was compared with only
    MOST_COMPARED others of an equal band.
    """

    groups: Sequence[Sequence[int]]
    links: Sequence[tuple[int, int]]
    cut: bytes = b""

    @property
    def partly_compared(self) -> Iterator[int]:
        """The images of the groups that were cut."""
        return chain.from_iterable(self.groups[at] for at in compress(range(len(self.cut)), self.cut))


def find_similar(
    hashes: Sequence[int], are_alike: AreAlike = lambda _, __: True, distance: int = DISTANCE
) -> Similar | None:
    """Return which images are similar, by their 64-bit *hashes*; images without similar ones are groups, too.

    Two hashes that differ by at most *distance* bits agree in one of distance + 1 bands of their bits, so
    that only hashes with an equal band are compared. Return None if there are too many hashes and numpy 2 is
    not installed.
    """
    groups, different, cut = _equal(hashes, are_alike)
    firsts = [hashes[number] for number in groups.firsts]
    bands = _bands(distance)
    if different <= MOST_WITHOUT_NUMPY:
        pairs = _search(firsts, bands, distance, cut)
    else:
        found = _search_by_numpy(firsts, bands, distance, cut)
        if found is None:
            return None
        pairs = found
    first = groups.firsts
    links = [(one, other) for one, other in pairs if are_alike(first[one], first[other])]
    return Similar(groups, links, bytes(cut))


def similar_groups(similar: Similar) -> list[list[int]]:
    """Return the numbers of images that are *similar*, directly or through others."""
    root = list(range(len(similar.groups)))

    def find(at: int) -> int:
        while root[at] != at:
            root[at] = at = root[root[at]]
        return at

    for one, other in similar.links:
        root[find(other)] = find(one)
    joined: defaultdict[int, list[int]] = defaultdict(list)
    for at, group in enumerate(similar.groups):
        joined[find(at)] += group
    return sorted(sorted(group) for group in joined.values())


class _Groups(Sequence[Sequence[int]]):
    """Groups of numbers, of which most have one: a list for each takes ten times the memory."""

    def __init__(self) -> None:
        self.firsts = array("Q")
        self._others: dict[int, list[int]] = {}

    def add(self, number: int) -> int:
        """Add a group of *number*, and return its position."""
        self.firsts.append(number)
        return len(self.firsts) - 1

    def join(self, at: int, number: int) -> None:
        """Add *number* to the group at this position."""
        self._others.setdefault(at, []).append(number)

    def __len__(self) -> int:
        return len(self.firsts)

    def __getitem__(self, at: Any) -> Any:  # the supertype has an overload for slices
        return [self.firsts[at], *self._others.get(at, ())]


def _equal(hashes: Sequence[int], are_alike: AreAlike) -> tuple[_Groups, int, bytearray]:
    """Return groups of images with equal hashes that look like the first one.

    Besides, return how many hashes are different, and whether each group was cut.
    """
    groups = _Groups()
    first: dict[int, int] = {}  # position in groups by hash
    others: defaultdict[int, list[int]] = defaultdict(list)
    cut: list[int] = []
    for number, hashed in enumerate(hashes):
        at = first.setdefault(hashed, len(groups))
        if at == len(groups):
            groups.add(number)
            continue
        known = [at, *others[hashed]]
        alike = next((one for one in known[-MOST_COMPARED:] if are_alike(groups.firsts[one], number)), None)
        if alike is None:
            if len(known) > MOST_COMPARED:
                cut.append(len(groups))
            others[hashed].append(groups.add(number))
        else:
            groups.join(alike, number)
    flags = bytearray(len(groups))
    for at in cut:
        flags[at] = 1
    return groups, len(first), flags


def _bands(distance: int) -> list[tuple[int, int]]:
    """Return the first bit and the mask of each band."""
    ends = [_BITS * at // (distance + 1) for at in range(distance + 2)]
    return [(start, (1 << end - start) - 1) for start, end in pairwise(ends)]


def _search(
    hashes: Sequence[int], bands: Sequence[tuple[int, int]], distance: int, cut: bytearray
) -> list[tuple[int, int]]:
    """Return the pairs of positions of similar *hashes*; set *cut* for each hash that is cut."""
    order = sorted(range(len(hashes)), key=hashes.__getitem__)
    pairs: list[tuple[int, int]] = []
    for number, (start, mask) in enumerate(bands):
        buckets: defaultdict[int, list[int]] = defaultdict(list)
        for at in order:
            buckets[hashes[at] >> start & mask].append(at)
        for bucket in buckets.values():
            if len(bucket) == 1:
                continue
            for at in bucket[: max(0, len(bucket) - MOST_COMPARED - 1)]:
                cut[at] = 1
            pairs += _pairs_in(bucket, hashes, bands[:number], distance)
    return pairs


def _pairs_in(
    bucket: Sequence[int], hashes: Sequence[int], earlier: Sequence[tuple[int, int]], distance: int
) -> Iterator[tuple[int, int]]:
    """Yield the similar pairs in *bucket* that do not agree in an *earlier* band, too."""
    for at, one in enumerate(bucket):
        hashed = hashes[one]
        for other in bucket[at + 1 : at + 1 + MOST_COMPARED]:
            differing = hashed ^ hashes[other]
            if differing.bit_count() <= distance and all(differing >> low & mask for low, mask in earlier):
                yield (one, other) if one < other else (other, one)


def _search_by_numpy(
    hashes: Sequence[int], bands: Sequence[tuple[int, int]], distance: int, cut: bytearray
) -> list[tuple[int, int]] | None:
    """Like _search(), None if numpy 2 is not installed."""
    np = find_numpy()
    if np is None or not hasattr(np, "bitwise_count"):  # new in numpy 2
        return None
    values = np.array(hashes, dtype=np.uint64)
    order = np.argsort(values, kind="stable")
    pairs: list[tuple[int, int]] = []
    for number, (start, mask) in enumerate(bands):
        keys = values[order] >> np.uint64(start) & np.uint64(mask)
        by_key = order[np.argsort(keys, kind="stable")]
        found, left = _neighbours(np, values[by_key], (start, mask), bands[:number], distance)
        for at in by_key[left].tolist():
            cut[at] = 1
        ones, others = by_key[found[0]], by_key[found[1]]
        low, high = np.minimum(ones, others), np.maximum(ones, others)
        pairs += zip(low.tolist(), high.tolist(), strict=True)
    return pairs


def _neighbours(
    np: Any,
    values: np.ndarray[Any, Any],
    band: tuple[int, int],
    earlier: Sequence[tuple[int, int]],
    distance: int,
) -> tuple[tuple[Any, Any], Any]:
    """Return the positions of similar pairs in *values*, sorted by *band*, and of those that are cut."""
    keys = values >> np.uint64(band[0]) & np.uint64(band[1])
    at = np.arange(len(values))
    ones, others = [], []
    for offset in range(1, MOST_COMPARED + 2):
        at = at[: np.searchsorted(at, len(values) - offset)]
        at = at[keys[at] == keys[at + offset]]
        if not len(at) or offset > MOST_COMPARED:
            break
        differing = values[at] ^ values[at + offset]
        near = np.bitwise_count(differing) <= distance
        for low, mask in earlier:
            near &= (differing >> np.uint64(low) & np.uint64(mask)) != 0
        ones.append(at[near])
        others.append(at[near] + offset)
    found = (np.concatenate(ones), np.concatenate(others)) if ones else (at[:0], at[:0])
    return found, at
