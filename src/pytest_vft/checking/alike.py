"""The subjects of scope dataset that look alike: images of other splits, and near copies in a split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from pytest_vft.checking.dataset import Place, Recurring, dataset_facts
from pytest_vft.checking.distinct_images import DistinctImages
from pytest_vft.checking.measuring import NEAR_COPY, SIMILAR_IMAGE
from pytest_vft.checking.merging import FileTotals
from pytest_vft.model import SPLITS
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

    They are of unknown likeness if the images were not *decoded*. An image that is in several splits does
    not count as one that looks like another one: other rules report it.
    """
    images = DistinctImages(files, decoded=decoded)
    known, flat, unknown = images.divided()

    def look(at: int) -> Look:  # few are compared, and all of them take 40 MB for 100,000 images
        return read_look(images.fingerprint(known[at]))

    similar = find_similar(images.hashes(known), lambda one, other: look(one).is_like(look(other)))
    uncompared = 0
    if similar is None:
        uncompared = len(known)
        unknown, known, similar = unknown + known, known[:0], Similar((), ())
    subjects: list[Recurring] = []
    partly: dict[str, int] = {}
    for kind in kinds:
        alike = dict(_alike(images, known, similar, kind))
        subjects += alike.values()
        partly[kind] = cut = sum(number not in alike for number in similar.partly_compared)
        for rest, number, likeness in (
            (unknown or known, len(unknown) + cut, None),
            (known or flat, len(known) + len(flat) - len(alike) - cut, 0),
        ):
            if number:
                place = images.first(rest[0])
                subjects.append(Recurring(number, [place], dataset_facts(kind, [place], similar=likeness)))
    return Compared(subjects, partly, uncompared)


class _Members(NamedTuple):
    """How many images of a split look alike, and the number of the first one."""

    number: int
    first: int


def _alike(
    images: DistinctImages, known: Sequence[int], similar: Similar, kind: str
) -> Iterator[tuple[int, Recurring]]:
    """Yield each of the *known* ones of *images* that looks like earlier ones: position and subject."""
    linked: defaultdict[int, list[int]] = defaultdict(list)
    for one, other in similar.links:
        linked[one].append(other)
        linked[other].append(one)
    places = cache(lambda at: images.places(known[at]))
    by_split = cache(lambda at: _by_split(similar.groups[at], places))
    found: list[tuple[int, str, str, _Members]] = []
    for at, group in enumerate(similar.groups):
        if len(group) == 1 and at not in linked:
            continue
        around = _sum([by_split(at), *map(by_split, linked[at])])
        for number in group:
            splits = list(places(number))
            own = splits[0]
            if kind == NEAR_COPY and around[own].first < number:
                found.append((number, own, own, around[own]._replace(number=around[own].number - 1)))
            elif kind == SIMILAR_IMAGE and len(splits) == 1:
                first = next(split for split in SPLITS if split in around)
                if first != own:
                    found.append((number, own, first, around[first]))
    for number, own, split, members in sorted(found):
        first_place = places(members.first)[split]
        place = places(number)[own]
        facts = dataset_facts(kind, [first_place, place], similar=members.number)
        yield number, Recurring(1, [place], facts, images.keys[known[number]], first_place)


def _by_split(group: Sequence[int], places: Callable[[int], Mapping[str, Place]]) -> dict[str, _Members]:
    found: dict[str, _Members] = {}
    for number in group:
        for split in places(number):
            before, first = found.get(split, _Members(0, number))
            found[split] = _Members(before + 1, min(first, number))
    return found


def _sum(tables: Sequence[dict[str, _Members]]) -> dict[str, _Members]:
    total: dict[str, _Members] = {}
    for table in tables:
        for split, (number, first) in table.items():
            before, earliest = total.get(split, _Members(0, first))
            total[split] = _Members(before + number, min(earliest, first))
    return total
