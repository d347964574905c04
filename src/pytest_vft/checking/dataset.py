"""What recurs over all files of a run: the subjects of scope dataset."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from pytest_vft.checking.totals import ShardTotals
from pytest_vft.facts.dataset import DatasetFacts
from pytest_vft.facts.turns import Turn
from pytest_vft.model import Source, Split
from pytest_vft.text import Safe, safe


class Place(NamedTuple):
    """Where something stands: *pointer* leads into the example."""

    source: Source
    line: int
    pointer: str = ""

    def __str__(self) -> str:
        return f"{safe(self.source.path, None)}:{self.line}"


class Recurring(NamedTuple):
    """Subjects of scope dataset that have the same facts: *number* of them, the place to name.

    *key* is that of the turn, image or answer; 0 for several that are folded.
    """

    number: int
    place: Place
    facts: DatasetFacts
    key: int = 0


class _Member(NamedTuple):
    place: Place
    turn: Turn

    @property
    def split(self) -> Split:
        return self.place.source.split


def recurring(files: Sequence[tuple[Source, ShardTotals]]) -> Iterator[Recurring]:
    """Yield what may recur in *files*; all that stands once is folded into one a split."""
    times = Counter(key for _, totals in files for key in totals.turns.keys)
    groups: defaultdict[int, list[_Member]] = defaultdict(list)
    for source, totals in files:
        once = 0
        for line, turn in totals.turns:
            if times[turn.key] > 1:
                groups[turn.key].append(_Member(Place(source, line), turn))
            else:
                once, first = once + 1, line
        if once:
            place = Place(source, first)
            yield Recurring(once, place, _facts("target turn", [place]))
            yield Recurring(once, place, _facts("question", [place], answers=1))
            yield Recurring(once, place, _facts("example", [place]))
    for members in groups.values():
        yield from _turn(members)
    yield from _images(files, {key for key, members in groups.items() if len(_splits(members)) > 1})
    yield from _shots(files)


def _turn(members: Sequence[_Member]) -> Iterator[Recurring]:
    """Yield a target turn that recurs; in each of its splits as a question and as examples, too."""
    places = [member.place for member in members]
    elsewhere = [member.place for member in members if member.split != members[0].split]
    yield Recurring(1, (elsewhere or places)[0], _facts("target turn", places), members[0].turn.key)
    for split in _splits(members):
        answers: defaultdict[int, list[_Member]] = defaultdict(list)
        for member in members:
            if member.split == split and member.turn.answer is not None:
                answers[member.turn.answer].append(member)
        if answers:
            yield _question(list(answers.values()))
        for same in answers.values():
            places = [member.place for member in same]
            yield Recurring(1, places[min(1, len(places) - 1)], _facts("example", places), same[0].turn.key)


def _question(answers: Sequence[Sequence[_Member]]) -> Recurring:
    """Return a question, given its members by their answer; placed at its second answer."""
    words = max(same[0].turn.words for same in answers)
    place = answers[min(1, len(answers) - 1)][0].place
    places = [member.place for member in chain(*answers)]
    facts = _facts("question", places, answers=len(answers), words=words)
    return Recurring(1, place, facts, answers[0][0].turn.key)


def _images(files: Sequence[tuple[Source, ShardTotals]], leaked: set[int]) -> Iterator[Recurring]:
    """Yield the images of target turns, but for those turns that are *leaked* as a whole."""
    if len({source.split for source, _ in files}) == 1:
        return
    places: defaultdict[int, list[Place]] = defaultdict(list)
    for source, totals in files:
        for line, turn in totals.turns:
            if turn.key not in leaked:
                for image in turn.images:
                    known = places[image]
                    if not known or known[-1].source.split != source.split:
                        known.append(Place(source, line))
    once = [known[0] for known in places.values() if len(known) == 1]
    if once:
        yield Recurring(len(once), once[0], _facts("image", once[:1]))
    for image, known in places.items():
        if len(known) > 1:
            yield Recurring(1, known[1], _facts("image", known), image)


def _shots(files: Iterable[tuple[Source, ShardTotals]]) -> Iterator[Recurring]:
    times: Counter[int] = Counter()
    first: dict[int, Place] = {}
    for source, totals in files:
        times.update(totals.shots.keys)
        for line, pointer, key in totals.shots:
            if key not in first:
                first[key] = Place(source, line, pointer)
    once = [key for key, number in times.items() if number == 1]
    if once:
        yield Recurring(len(once), first[once[0]], _facts("few-shot answer", [first[once[0]]]))
    for key, number in times.items():
        if number > 1:
            yield Recurring(1, first[key], _facts("few-shot answer", [first[key]], copies=number), key)


def _splits(members: Iterable[_Member]) -> Sequence[Split]:
    return list(dict.fromkeys(member.split for member in members))


def _facts(
    kind: str, places: Sequence[Place], *, copies: int = 0, answers: int | None = None, words: int = 0
) -> DatasetFacts:
    return {
        "kind": kind,
        "copies": copies or len(places),
        "splits": list(dict.fromkeys(place.source.split for place in places)),
        "first": Safe(places[0]),
        "answers": answers,
        "answer_words": None if answers is None else words,
    }
