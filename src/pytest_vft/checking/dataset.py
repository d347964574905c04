"""What recurs over all files of a run: the subjects of scope dataset."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_vft.checking.shard import Turn
from pytest_vft.facts.dataset import DatasetFacts
from pytest_vft.model import Source
from pytest_vft.text import Safe, safe


class Recurring(NamedTuple):
    """Subjects of scope dataset that have the same facts: *number* of them, the place to name."""

    number: int
    path: str
    line: int
    facts: DatasetFacts


def target_turns(files: Sequence[tuple[Source, Sequence[Turn]]]) -> Iterator[Recurring]:
    """Yield the distinct target turns of *files*, those that stand once folded into one a split.

    The place of one that recurs is the first in another split than its first, else its second.
    """
    copies = Counter(turn.key for _, turns in files for turn in turns)
    places: defaultdict[int, list[tuple[Source, int]]] = defaultdict(list)
    once: dict[str, tuple[int, Source, int]] = {}
    for source, turns in files:
        for line, key in turns:
            if copies[key] > 1:
                places[key].append((source, line))
            else:
                number, first, at = once.get(source.split, (0, source, line))
                once[source.split] = (number + 1, first, at)
    for number, source, line in once.values():
        yield _turn(number, [(source, line)])
    for members in places.values():
        yield _turn(1, members)


def _turn(number: int, members: Sequence[tuple[Source, int]]) -> Recurring:
    first, line = members[0]
    elsewhere = [member for member in members if member[0].split != first.split]
    source, at = (elsewhere or members[1:] or members)[0]
    facts: DatasetFacts = {
        "copies": len(members),
        "splits": list(dict.fromkeys(member.split for member, _ in members)),
        "first": Safe(f"{safe(first.path, None)}:{line}"),
    }
    return Recurring(number, source.path, at, facts)
