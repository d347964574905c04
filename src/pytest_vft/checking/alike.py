"""The subjects of scope dataset that look alike: images of other splits, and near copies in a split."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from pytest_vft.checking.dataset import Recurring, dataset_facts
from pytest_vft.checking.distinct_images import DistinctImages
from pytest_vft.checking.measuring import NEAR_COPY, SIMILAR_IMAGE
from pytest_vft.checking.merging import FileTotals
from pytest_vft.reading.fingerprint import Look, read_look
from pytest_vft.reading.similarity import Similar, find_similar


class Compared(NamedTuple):
    """The subjects of a comparison.

    *partly* has the numbers of images, by kind of subject, that were compared with only some others and look
    like none of these; *uncompared* is the number of those that were not compared because there are too many
    of them without numpy. All of them are of unknown likeness.
    """

    subjects: Sequence[Recurring]
    partly: Mapping[str, int]
    uncompared: int = 0


def compare_images(files: Sequence[FileTotals], kinds: Sequence[str], *, decoded: bool) -> Compared:
    """Return the subjects of *kinds* in *files*, which are in the order of splits.

    They are of unknown likeness if the images were not *decoded*. An image that is in an earlier split
    as it is does not count as one that looks like one there: other rules report it.
    """
    images = DistinctImages(files, decoded=decoded)
    known, flat, unknown = images.divided()
    splits = bytes(images.split(number) for number in known)

    def fingerprint(at: int) -> bytes:  # images of different splits are in different groups
        return images.fingerprint(known[at]) + splits[at : at + 1]

    # The looks of all images take 40 MB for 100,000; an image meets at most some hundreds, one after another.
    look = lru_cache(maxsize=4096)(lambda at: read_look(images.fingerprint(known[at])))
    similar = find_similar(images.hashes(known), fingerprint)
    uncompared = 0
    if similar is None:
        uncompared = len(known)
        unknown, known, similar = unknown + known, known[:0], Similar((), (), ())
    earliest = _earliest(similar, kinds, splits, look)
    subjects: list[Recurring] = []
    partly: dict[str, int] = {}
    for kind in kinds:
        alike: dict[int, Recurring] = {}
        for at, earlier in _pairs(similar, earliest[kind]):
            is_leak = splits[earlier] != splits[at] and not images.is_in_earlier_split(known[at])
            if is_leak or kind == NEAR_COPY:
                alike[at] = _subject(kind, images, known[at], known[earlier])
        subjects += [subject for _, subject in sorted(alike.items())]
        partly[kind] = cut = sum(at not in alike for at in _in_part(similar, kind, splits))
        for rest, number, likeness in (
            (unknown or known, len(unknown) + cut, None),
            (known or flat, len(known) + len(flat) - len(alike) - cut, 0),
        ):
            if number:
                place = images.first(rest[0])
                subjects.append(Recurring(number, [place], dataset_facts(kind, [place], similar=likeness)))
    return Compared(subjects, partly, uncompared)


def _earliest(
    similar: Similar, kinds: Sequence[str], splits: bytes, look: Callable[[int], Look]
) -> Mapping[str, Sequence[int]]:
    """Return the earliest image that looks like those of each group, by kind; its own first one if none does.

    Images are compared only if one of them would be an earlier one, since a comparison takes up to 60 µs.
    """
    firsts = array("Q", (group[0] for group in similar.groups))
    earliest = {kind: array("Q", firsts) for kind in kinds}
    for group, other_group in similar.pairs:
        one, other = firsts[group], firsts[other_group]
        known = earliest.get(NEAR_COPY if splits[one] == splits[other] else SIMILAR_IMAGE)
        if known is None or (known[group] <= other and known[other_group] <= one):
            continue
        if look(one).is_like(look(other)):
            known[group] = min(known[group], other)
            known[other_group] = min(known[other_group], one)
    return earliest


def _pairs(similar: Similar, earliest: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield each image that looks like an earlier one, and that one."""
    for group, earlier in zip(similar.groups, earliest, strict=True):
        for at in group:
            if earlier < at:
                yield at, earlier


def _subject(kind: str, images: DistinctImages, number: int, earlier: int) -> Recurring:
    places = [images.first(earlier), images.first(number)]
    facts = dataset_facts(kind, places, similar=1)
    return Recurring(1, places[1:], facts, images.keys[number], places[0])


def _in_part(similar: Similar, kind: str, splits: bytes) -> set[int]:
    """Return the images that were not compared with all earlier ones that *kind* compares them with."""
    found: set[int] = set()
    for bucket in similar.crowded:
        numbers = sorted(number for at in bucket for number in similar.groups[at])
        first: dict[int, int] = {}  # number by split
        for number in numbers:
            split = splits[number]
            earlier = first.setdefault(split, number) if kind == NEAR_COPY else numbers[0]
            if earlier < number and (kind == NEAR_COPY or splits[earlier] < split):
                found.add(number)
    return found
