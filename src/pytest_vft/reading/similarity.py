"""The search for similar hashes: exact, in Python's own integers, and by numpy for many of them."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from pytest_vft.reading.optional_numpy import find_numpy

DISTANCE = 3  # bits by which similar hashes differ at most
MOST_WITHOUT_NUMPY = 200_000  # different hashes; Python takes 2 s for as many
MOST_COMPARED = 200  # hashes after one in a bucket, which bounds the work for templates
_BITS = 64

Pair = tuple[int, int]
_Band = tuple[int, int]  # the first bit and the mask of some bits of a hash


class Similar(NamedTuple):
    """Images by their numbers: *groups* of equal fingerprints, and pairs of positions of similar groups.

    The hashes of *pairs* are similar; whether the images look alike, their fingerprints say. Once all pairs
    were read, *crowded* has the positions of groups that were not compared with all others of a bucket,
    since it has more than MOST_COMPARED others; a sequence for each bucket.
    """

    groups: Sequence[Sequence[int]]
    pairs: Iterable[Pair]
    crowded: Sequence[Sequence[int]]


def find_similar(
    hashes: Sequence[int], fingerprint: Callable[[int], bytes] = lambda _: b"", distance: int = DISTANCE
) -> Similar | None:
    """Return which images are similar, by their 64-bit *hashes*; images without similar ones are groups, too.

    *fingerprint* takes the number of an image and returns its fingerprint; only images with equal hashes are
    asked for. The result does not depend on the order of images. Two hashes that differ by at most *distance*
    bits agree in one of distance + 1 bands of their bits, so that only hashes with an equal band, a bucket,
    are compared. Return None if there are too many hashes and numpy 2 is not installed.
    """
    groups, different = _grouped(hashes, fingerprint)
    firsts = [hashes[number] for number in groups.firsts]
    ends = [_BITS * at // (distance + 1) for at in range(distance + 2)]
    bands = [(start, (1 << end - start) - 1) for start, end in pairwise(ends)]
    crowded: list[Sequence[int]] = []
    if different <= MOST_WITHOUT_NUMPY:
        return Similar(groups, _search(firsts, bands, distance, crowded), crowded)
    np = find_numpy()
    if np is None or not hasattr(np, "bitwise_count"):  # new in numpy 2
        return None
    return Similar(groups, _search_by_numpy(np, firsts, bands, distance, crowded), crowded)


class _Groups(Sequence[Sequence[int]]):
    """Groups of numbers, of which most have one: a sequence for each takes ten times the memory."""

    def __init__(self) -> None:
        self.firsts = array("Q")
        self._several: dict[int, Sequence[int]] = {}

    def add(self, group: Sequence[int]) -> None:
        if len(group) > 1:
            self._several[len(self.firsts)] = group
        self.firsts.append(group[0])

    def __len__(self) -> int:
        return len(self.firsts)

    def __getitem__(self, at: Any) -> Any:  # the supertype has an overload for slices
        return self._several.get(at) or (self.firsts[at],)


def _grouped(hashes: Sequence[int], fingerprint: Callable[[int], bytes]) -> tuple[_Groups, int]:
    """Return groups of images with equal fingerprints, and how many hashes are different.

    Groups with the same hash are sorted by their fingerprints.
    """
    first: dict[int, int] = {}  # number of an image by hash
    others: defaultdict[int, list[int]] = defaultdict(list)
    for number, hashed in enumerate(hashes):
        if first.setdefault(hashed, number) != number:
            others[hashed].append(number)
    groups = _Groups()
    for hashed, number in first.items():
        if hashed not in others:
            groups.add((number,))
            continue
        equal: defaultdict[bytes, list[int]] = defaultdict(list)
        for one in (number, *others[hashed]):
            equal[fingerprint(one)].append(one)
        for _, group in sorted(equal.items()):
            groups.add(group)
    return groups, len(first)


def _search(
    hashes: Sequence[int], bands: Sequence[_Band], distance: int, crowded: list[Sequence[int]]
) -> Iterator[Pair]:
    """Yield the pairs of positions of similar *hashes*, and add to *crowded*."""
    order = sorted(range(len(hashes)), key=hashes.__getitem__)
    for number, (start, mask) in enumerate(bands):
        buckets: defaultdict[int, list[int]] = defaultdict(list)
        for at in order:
            buckets[hashes[at] >> start & mask].append(at)
        for bucket in buckets.values():
            if len(bucket) > 1:
                yield from _pairs_in(bucket, hashes, bands[:number], distance)
            if len(bucket) > MOST_COMPARED + 1:
                crowded.append(sorted({*bucket[: -MOST_COMPARED - 1], *bucket[MOST_COMPARED + 1 :]}))


def _pairs_in(
    bucket: Sequence[int], hashes: Sequence[int], earlier: Sequence[_Band], distance: int
) -> Iterator[Pair]:
    """Yield the similar pairs in *bucket* that do not agree in an *earlier* band, too."""
    masks = [mask << low for low, mask in earlier]
    all_ = [(other, hashes[other]) for other in bucket]
    for at, (one, hashed) in enumerate(all_, 1):
        following = all_[at : at + MOST_COMPARED]
        if masks and following and following[-1][1] == hashed:
            continue  # as are all hashes between them, so that the first band has these pairs
        near = [
            (other, differing)
            for other, theirs in following
            if (differing := hashed ^ theirs).bit_count() <= distance
        ]
        for mask in masks:
            near = [pair for pair in near if pair[1] & mask]
        for other, _ in near:
            yield one, other


def _search_by_numpy(
    np: Any, hashes: Sequence[int], bands: Sequence[_Band], distance: int, crowded: list[Sequence[int]]
) -> Iterator[Pair]:
    """Yield the same as _search(), in another order."""
    by_hash = np.array(hashes, dtype=np.uint64)
    order = np.argsort(by_hash, kind="stable")
    by_hash = by_hash[order]
    for number, (start, mask) in enumerate(bands):
        keys = by_hash >> np.uint64(start) & np.uint64(mask)
        by_key = np.argsort(keys, kind="stable")
        keys, values, positions = keys[by_key], by_hash[by_key], order[by_key]
        at = np.arange(len(values))  # of those that have as many others in their bucket after them
        for offset in range(1, MOST_COMPARED + 1):
            at = _followed(at, keys, offset)
            if not len(at):
                break
            differing = values[at] ^ values[at + offset]
            near = np.bitwise_count(differing) <= distance
            for low, bits in bands[:number]:
                near &= (differing >> np.uint64(low) & np.uint64(bits)) != 0
            ones = at[near]
            yield from zip(positions[ones].tolist(), positions[ones + offset].tolist(), strict=True)
        left = _followed(at, keys, MOST_COMPARED + 1)
        left = np.union1d(left, left + MOST_COMPARED + 1)
        ends = np.flatnonzero(np.diff(keys[left])) + 1
        crowded += [sorted(positions[one].tolist()) for one in np.split(left, ends) if len(one)]


def _followed(at: Any, keys: Any, offset: int) -> Any:
    """Return those of the positions *at* for which the key *offset* positions later is the same."""
    at = at[: at.searchsorted(len(keys) - offset)]
    return at[keys[at] == keys[at + offset]]


class AlikeGroups(NamedTuple):
    """Groups of images that look alike, directly or through others, and how many were compared in part."""

    groups: Sequence[Sequence[int]]
    partly_compared: int


def alike_groups(similar: Similar, are_alike: Callable[[int, int], bool]) -> AlikeGroups:
    """Return which of the *similar* images look alike: *are_alike* says it of two numbers.

    An image was compared in part if it was not compared with all images of its bucket in other groups.
    """
    groups = similar.groups
    root = list(range(len(groups)))

    def find(at: int) -> int:
        while root[at] != at:
            root[at] = at = root[root[at]]
        return at

    for one, other in similar.pairs:
        if find(one) != find(other) and are_alike(groups[one][0], groups[other][0]):
            root[find(other)] = find(one)
    joined: defaultdict[int, list[int]] = defaultdict(list)
    for at, group in enumerate(groups):
        joined[find(at)] += group
    partly = {at for bucket in similar.crowded if len(set(map(find, bucket))) > 1 for at in bucket}
    return AlikeGroups(
        sorted(sorted(group) for group in joined.values()), sum(len(groups[at]) for at in partly)
    )
