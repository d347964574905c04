"""The subjects of scope dataset: turns, images and answers that may recur in all files of a run."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from pytest_vft.checking.key_columns import distinct, repeated
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
_Group = tuple[Split, frozenset[str]]  # files of a split in which the same rules are ignored


def recurring(files: Sequence[FileTotals]) -> Iterator[Recurring]:
    """Yield the subjects in *files*; the turns that occur once are folded for each split."""
    keys = array("Q")  # of all files: an array for each takes more memory than a few keys
    for file in files:
        keys.extend(file.totals.turns.keys)
    again = repeated([keys])
    groups: defaultdict[int, list[_Member]] = defaultdict(list)
    once: Counter[_Group] = Counter()
    first: dict[_Group, Place] = {}
    for file in files:
        turns, group = file.totals.turns, (file.source.split, file.ignored)
        positions = turns.positions(again)
        for at in positions:
            turn = turns.turn(at)
            groups[turn.key].append((Place(file, turns.line(at)), turn))
        if len(positions) < len(turns):
            once[group] += len(turns) - len(positions)
            if group not in first:
                missing = next((at for at, known in enumerate(positions) if at != known), len(positions))
                first[group] = Place(file, turns.line(missing))
    for group, place in first.items():
        number = once[group]
        yield Recurring(number, [place], dataset_facts("target turn", [place]))
        yield Recurring(number, [place], dataset_facts("question", [place], answers=1))
        yield Recurring(number, [place], dataset_facts("example", [place]))
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
    columns: defaultdict[Split, list[array[int]]] = defaultdict(list)
    for file in files:
        columns[file.source.split].append(file.totals.turns.images_without(leaked))
    if len(columns) < 2:  # noqa: PLR2004 - several
        return
    by_split = [distinct(column) for column in columns.values()]
    shared = repeated(by_split)
    first, places = _places(files, shared, leaked)
    if first:
        once = sum(key not in shared for key in chain.from_iterable(by_split))
        yield Recurring(once, [first], dataset_facts("image", [first]))
    for image, known in places.items():
        yield Recurring(1, known[1:2], dataset_facts("image", known), image, known[0])


def _places(
    files: Sequence[FileTotals], shared: Collection[int], leaked: set[int]
) -> tuple[Place | None, Mapping[int, Sequence[Place]]]:
    """Return the first place of an image of one split, and the first places of each *shared* one by split.

    Images of turns that are *leaked* do not count.
    """
    first: Place | None = None
    places: defaultdict[int, list[Place]] = defaultdict(list)
    for file in files:
        turns = file.totals.turns
        has_shared = any(image in shared for image in turns.images)
        for line, turn in turns:
            if first and not has_shared:
                break
            for image in turn.images if turn.key not in leaked else ():
                if image not in shared:
                    first = first or Place(file, line)
                elif not (known := places[image]) or known[-1].split != file.source.split:
                    known.append(Place(file, line))
    return first, places


def _shots(files: Sequence[FileTotals]) -> Iterator[Recurring]:
    again = repeated([file.totals.shots.keys for file in files])
    times: Counter[int] = Counter()
    places: dict[int, Place] = {}
    first: Place | None = None
    for file in files:
        shots = file.totals.shots
        if first and again.isdisjoint(shots.keys):
            continue
        for line, pointer, key in shots:
            if key in again:
                times[key] += 1
                if key not in places:
                    places[key] = Place(file, line, pointer)
            else:
                first = first or Place(file, line, pointer)
    if first:
        number = sum(len(file.totals.shots) for file in files) - times.total()
        yield Recurring(number, [first], dataset_facts("few-shot answer", [first]))
    for key, place in places.items():
        yield Recurring(1, [place], dataset_facts("few-shot answer", [place], copies=times[key]), key)


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
