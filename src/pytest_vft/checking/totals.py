"""What shards amount to, and how it adds up."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from pytest_vft.checking.compile import Verdicts
from pytest_vft.facts.turns import Shot, Turn
from pytest_vft.model import Scope
from pytest_vft.reading.image_cache import MeasuredImage

_64_BITS = 0xFFFF_FFFF_FFFF_FFFF


def _numbers() -> array[int]:
    return array("Q")  # of 64 bits


class ShardFinding(NamedTuple):
    """A finding before it knows its file: *line* counts from the start of the shard."""

    rule: str
    line: int | None
    pointer: str
    message: str
    image: str | None
    example: str | None = None


class CacheRow(NamedTuple):
    """What is remembered of a shard."""

    key: bytes
    value: bytes


@dataclass(slots=True)
class TurnTable:
    """Target turns with their lines, as rows of numbers: some 50 bytes a turn, sent as one piece.

    A row holds line, key, answer, words, repeated, and where its *images* end; these are known by the
    low half of their keys.
    """

    rows: array[int] = field(default_factory=_numbers)
    images: array[int] = field(default_factory=_numbers)

    def append(self, line: int, turn: Turn) -> None:
        """Add *turn*, which stands on *line*."""
        key, answer, words, images, repeated = turn
        for image in images:
            self.images.append(image & _64_BITS)
        words = 0 if answer is None else words
        self.rows.extend((line, key, answer or 0, words, repeated, len(self.images)))

    def extend(self, other: TurnTable, lines: int) -> None:
        """Add those of *other*, whose lines follow so many *lines*."""
        shown = len(self.images)
        rows = array("Q", other.rows)
        rows[0::6] = array("Q", [lines + line for line in rows[0::6]])
        rows[5::6] = array("Q", [shown + end for end in rows[5::6]])
        self.rows.extend(rows)
        self.images.extend(other.images)

    @property
    def keys(self) -> array[int]:
        """The key of each turn."""
        return self.rows[1::6]

    def __iter__(self) -> Iterator[tuple[int, Turn]]:
        start = 0
        for line, key, answer, words, repeated, end in zip(*[iter(self.rows)] * 6, strict=True):
            images = tuple(self.images[start:end])
            yield line, Turn(key, answer if words else None, words, images, repeated)
            start = end


@dataclass(slots=True)
class ShotTable:
    """Few-shot answers with their lines, as rows of line, position and key."""

    rows: array[int] = field(default_factory=_numbers)

    def append(self, line: int, shot: Shot) -> None:
        """Add *shot*, which stands on *line*."""
        self.rows.extend((line, *shot))

    def extend(self, other: ShotTable, lines: int) -> None:
        """Add those of *other*, whose lines follow so many *lines*."""
        rows = array("Q", other.rows)
        rows[0::3] = array("Q", [lines + line for line in rows[0::3]])
        self.rows.extend(rows)

    @property
    def keys(self) -> array[int]:
        """The key of each answer."""
        return self.rows[2::3]

    def __iter__(self) -> Iterator[tuple[int, Shot]]:
        for line, position, key in zip(*[iter(self.rows)] * 3, strict=True):
            yield line, Shot(position, key)


@dataclass(slots=True, kw_only=True)
class ShardTotals:
    """What a shard, or all shards of a file so far, amount to.

    *skipped* counts the examples that fail a rule with a skip reason; *urls* are the web addresses of
    images; *distinct_images* are known by the low half of their keys. Findings of a rule beyond a number are
    *dropped*, and how many of each are *kept* is counted. *measured* are images that are in no cache,
    and *row* is what is to be remembered: they belong to one shard, and do not add up.
    """

    lines: int = 0
    examples: int = 0
    answered: int = 0
    skipped: int = 0
    image_examples: int = 0
    images: int = 0
    tokens_at_least: int = 0
    tokens_at_most: int = 0
    image_tokens_at_least: int = 0
    image_tokens_at_most: int = 0
    urls: dict[str, None] = field(default_factory=dict)
    distinct_images: set[int] = field(default_factory=set)
    counts: dict[Scope, Counter[Verdicts]] = field(default_factory=dict)
    found: list[ShardFinding] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    turns: TurnTable = field(default_factory=TurnTable)
    shots: ShotTable = field(default_factory=ShotTable)
    measured: list[MeasuredImage] = field(default_factory=list)
    row: CacheRow | None = None

    def see_image(self, key: int) -> None:
        """Count the image of this key as one of the distinct ones."""
        self.distinct_images.add(key & _64_BITS)

    def admit(self, rule: str, most: int) -> bool:
        """Return whether there are fewer than *most* findings of *rule* (0: always); else count one more."""
        if not most or self.kept[rule] < most:
            return True
        self.dropped[rule] += 1
        return False

    def keep(self, found: ShardFinding) -> None:
        """Keep a finding for which there is room."""
        self.kept[found.rule] += 1
        self.found.append(found)

    def extend(self, other: ShardTotals, most: int) -> None:
        """Add what the shards that follow amount to, and keep *most* findings a rule (0: all).

        It is associative: however shards are grouped, they come to the same.
        """
        lines = self.lines
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.urls |= other.urls
        self.distinct_images |= other.distinct_images
        for scope, counts in other.counts.items():
            self.counts.setdefault(scope, Counter()).update(counts)
        self.dropped.update(other.dropped)
        for found in other.found:
            if self.admit(found.rule, most):
                self.keep(found._replace(line=lines + (found.line or 0)))
        self.turns.extend(other.turns, lines)
        self.shots.extend(other.shots, lines)


# Those of its fields that are plain numbers.
NUMBERS = tuple(one.name for one in fields(ShardTotals) if one.type == "int")
