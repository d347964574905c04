"""The subjects of scope dataset that look alike: images of other splits, and near copies in a split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import NamedTuple

from pytest_vft.checking.dataset import Recurring, dataset_facts
from pytest_vft.checking.distinct_images import DistinctImages
from pytest_vft.checking.measuring import NEAR_COPY, SIMILAR_IMAGE
from pytest_vft.checking.merging import FileTotals
from pytest_vft.model import SPLITS, Split
from pytest_vft.reading.fingerprint import read_look
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

    They are of unknown likeness if the images were not *decoded*. An image that is in several splits does
    not count as one that looks like another one: other rules report it.
    """
    images = DistinctImages(files, decoded=decoded)
    known, flat, unknown = images.divided()
    similar = find_similar(images.hashes(known), lambda at: images.fingerprint(known[at]))
    uncompared = 0
    if similar is None:
        uncompared = len(known)
        unknown, known, similar = unknown + known, known[:0], Similar((), (), ())
    looks = _Looks(images, known, similar)
    earliest = looks.earliest(in_one_split=NEAR_COPY in kinds)
    subjects: list[Recurring] = []
    partly: dict[str, int] = {}
    for kind in kinds:
        alike = dict(looks.alike(kind, earliest))
        subjects += alike.values()
        partly[kind] = cut = sum(number not in alike for number in looks.compared_in_part(kind))
        for rest, number, likeness in (
            (unknown or known, len(unknown) + cut, None),
            (known or flat, len(known) + len(flat) - len(alike) - cut, False),
        ):
            if number:
                place = images.first(rest[0])
                subjects.append(Recurring(number, [place], dataset_facts(kind, [place], similar=likeness)))
    return Compared(subjects, partly, uncompared)


_Earliest = MutableMapping[Split, int]  # the number of the earliest image of each split


class _Looks:
    """The *known* ones of *images*, by position, of which *similar* ones are compared."""

    def __init__(self, images: DistinctImages, known: Sequence[int], similar: Similar) -> None:
        self._images, self._known, self._similar = images, known, similar
        self._places = cache(lambda at: images.places(known[at]))
        # Those of all take 40 MB for 100,000 images; an image meets at most some hundreds, one after another.
        self._look = lru_cache(maxsize=4096)(lambda at: read_look(images.fingerprint(known[at])))
        self._own = cache(self._earliest_of)

    def _earliest_of(self, group: int) -> Mapping[Split, int]:
        found: dict[Split, int] = {}
        for number in self._similar.groups[group]:
            for split in self._places(number):
                found.setdefault(split, number)
        return found

    def earliest(self, *, in_one_split: bool) -> Mapping[int, _Earliest]:
        """Return the earliest images that look like those of a group, for groups with such images.

        Images of one split are compared with each other only if asked. Images that change nothing, because
        an earlier one is known, are not compared, since a comparison takes up to 60 µs.
        """
        groups, own = self._similar.groups, self._own
        found: dict[int, _Earliest] = {at: dict(own(at)) for at, one in enumerate(groups) if len(one) > 1}
        for one, other in self._similar.pairs:
            if not in_one_split and len(own(one)) == 1 and own(one).keys() == own(other).keys():
                continue
            ours, theirs = found.get(one) or own(one), found.get(other) or own(other)
            if not (_is_earlier(own(one), theirs) or _is_earlier(own(other), ours)):
                continue
            if self._look(groups[one][0]).is_like(self._look(groups[other][0])):
                _add(found.setdefault(one, dict(own(one))), own(other))
                _add(found.setdefault(other, dict(own(other))), own(one))
        return found

    def alike(self, kind: str, earliest: Mapping[int, _Earliest]) -> Iterator[tuple[int, Recurring]]:
        """Yield each image that looks like an earlier one, as *kind* has it: position and subject."""
        found: list[tuple[int, Split, Split, int]] = []
        for at, around in earliest.items():
            for number in self._similar.groups[at]:
                splits = list(self._places(number))
                own = splits[0]
                if kind == NEAR_COPY and around[own] < number:
                    found.append((number, own, own, around[own]))
                elif kind == SIMILAR_IMAGE and len(splits) == 1:
                    first = next(split for split in SPLITS if split in around)
                    if first != own:
                        found.append((number, own, first, around[first]))
        for number, own, split, earlier in sorted(found):
            first_place = self._places(earlier)[split]
            place = self._places(number)[own]
            facts = dataset_facts(kind, [first_place, place], similar=True)
            yield number, Recurring(1, [place], facts, self._images.keys[self._known[number]], first_place)

    def compared_in_part(self, kind: str) -> Iterator[int]:
        """Yield the images that were not compared with all others that *kind* compares them with."""
        several = kind == SIMILAR_IMAGE
        crowded = {
            at
            for bucket in self._similar.crowded
            if not several or len(set(chain.from_iterable(map(self._own, bucket)))) > 1
            for at in bucket
        }
        return chain.from_iterable(self._similar.groups[at] for at in crowded)


def _is_earlier(numbers: Mapping[Split, int], known: Mapping[Split, int]) -> bool:
    return any(number < known.get(split, number + 1) for split, number in numbers.items())


def _add(known: _Earliest, numbers: Mapping[Split, int]) -> None:
    for split, number in numbers.items():
        known[split] = min(number, known.get(split, number))
