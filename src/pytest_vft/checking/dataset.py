"""The subjects of scope dataset: turns, images and answers that may recur in all files of a run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from pytest_vft.checking.merging import FileTotals
from pytest_vft.facts.dataset import DatasetFacts
from pytest_vft.facts.turns import Turn
from pytest_vft.model import ExamplePlace, Split
from pytest_vft.text import Safe, safe


class Place(NamedTuple):
    """The entry of a file by its number, from 1; *pointer* is a JSON pointer into the example."""

    file: FileTotals
    entry: int
    pointer: str = ""

    def __str__(self) -> str:
        return f"{safe(self.file.source.path, None)}:{self.file.line(self.entry)}"

    @property
    def split(self) -> Split:
        """The split of the file."""
        return self.file.source.split

    @property
    def location(self) -> ExamplePlace:
        """The place for a finding."""
        element = None if self.file.starts is None else self.entry - 1
        return ExamplePlace(self.file.source.path, self.file.line(self.entry), element)


class Recurring(NamedTuple):
    """A *number* of subjects with the same facts, and the places for findings.

    *key* is the key of the turn, image or answer; 0 for several subjects. *first* is the first occurrence
    of what the places repeat, if anything. *members* are all places of a turn that recurs.
    """

    number: int
    places: Sequence[Place]
    facts: DatasetFacts
    key: int = 0
    first: Place | None = None
    members: Sequence[Place] = ()


_Member = tuple[Place, Turn]  # an occurrence of a target turn


def recurring(files: Sequence[FileTotals]) -> Iterator[Recurring]:
    """Yield the subjects in *files*; the turns of a file that occur once are folded."""
    times = Counter(key for file in files for key in file.totals.turns.keys)
    groups: defaultdict[int, list[_Member]] = defaultdict(list)
    for file in files:
        once = 0
        for line, turn in file.totals.turns:
            if times[turn.key] > 1:
                groups[turn.key].append((Place(file, line), turn))
            else:
                once, first = once + 1, line
        if once:
            place = Place(file, first)
            yield Recurring(once, [place], dataset_facts("target turn", [place]))
            yield Recurring(once, [place], dataset_facts("question", [place], answers=1))
            yield Recurring(once, [place], dataset_facts("example", [place]))
    for members in groups.values():
        yield from _turn(members)
    leaked = {key for key, members in groups.items() if len({place.split for place, _ in members}) > 1}
    yield from _images(files, leaked)
    yield from _shots(files)
    yield from _linked(files)


def _turn(members: Sequence[_Member]) -> Iterator[Recurring]:
    """Yield a turn that recurs as a target turn and, for each split, as a question and its examples.

    A target turn is placed in its second split, a question at its second answer, an example at its second
    occurrence, if any.
    """
    places = [place for place, _ in members]
    elsewhere = [place for place in places if place.split != places[0].split]
    key = members[0][1].key
    yield Recurring(
        1, (elsewhere or places)[:1], dataset_facts("target turn", places), key, places[0], places
    )
    for split in dict.fromkeys(place.split for place in places):
        answers: defaultdict[int, list[Place]] = defaultdict(list)
        words = 0
        for place, turn in members:
            if place.split == split and turn.answer is not None:
                answers[turn.answer].append(place)
                words = max(words, turn.words)
        groups = list(answers.values())
        if groups:
            facts = dataset_facts("question", list(chain(*groups)), answers=len(groups), words=words)
            yield Recurring(1, groups[min(1, len(groups) - 1)][:1], facts, key, groups[0][0])
        for same in groups:
            yield Recurring(1, same[:2][-1:], dataset_facts("example", same), key, same[0], same)


def _images(files: Sequence[FileTotals], leaked: set[int]) -> Iterator[Recurring]:
    """Yield the images of target turns, except turns that are *leaked* as a whole."""
    if len({file.source.split for file in files}) == 1:
        return
    places: defaultdict[int, list[Place]] = defaultdict(list)
    for file in files:
        for line, turn in file.totals.turns:
            if turn.key not in leaked:
                for image in turn.images:
                    known = places[image]
                    if not known or known[-1].split != file.source.split:
                        known.append(Place(file, line))
    once = [known[0] for known in places.values() if len(known) == 1]
    if once:
        yield Recurring(len(once), once[:1], dataset_facts("image", once[:1]))
    for image, known in places.items():
        if len(known) > 1:
            yield Recurring(1, known[1:2], dataset_facts("image", known), image, known[0])


def _shots(files: Iterable[FileTotals]) -> Iterator[Recurring]:
    times: Counter[int] = Counter()
    first: dict[int, Place] = {}
    for file in files:
        times.update(file.totals.shots.keys)
        for line, pointer, key in file.totals.shots:
            if key not in first:
                first[key] = Place(file, line, pointer)
    once = [key for key, number in times.items() if number == 1]
    if once:
        yield Recurring(len(once), [first[once[0]]], dataset_facts("few-shot answer", [first[once[0]]]))
    for key, number in times.items():
        if number > 1:
            yield Recurring(
                1, [first[key]], dataset_facts("few-shot answer", [first[key]], copies=number), key
            )


def _linked(files: Iterable[FileTotals]) -> Iterator[Recurring]:
    """Yield the images behind URLs, placed at the first line of each URL; those not settled are folded."""
    places: defaultdict[int | None, dict[int, Place]] = defaultdict(dict)
    for file in files:
        for (image, url), line in file.totals.linked.items():
            places[image].setdefault(url, Place(file, line))
    for image, by_url in places.items():
        known = list(by_url.values())
        if image is None:
            yield Recurring(len(known), known[:1], dataset_facts("linked image", known[:1]))
        else:
            yield Recurring(1, known, dataset_facts("linked image", known, urls=len(known)), image)


def dataset_facts(  # noqa: PLR0913 - all by keyword but two
    kind: str,
    places: Sequence[Place],
    *,
    copies: int = 0,
    answers: int | None = None,
    words: int = 0,
    urls: int | None = None,
    similar: int | None = None,
) -> DatasetFacts:
    """Return the facts of a subject of *kind* at *places*; the others are those of DatasetFacts."""
    return {
        "kind": kind,
        "copies": copies or len(places),
        "splits": list(dict.fromkeys(place.split for place in places)),
        "first": Safe(places[0]),
        "answers": answers,
        "answer_words": None if answers is None else words,
        "urls": urls,
        "similar": similar,
    }
