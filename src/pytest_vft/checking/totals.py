"""Totals of one shard, and how the totals of several shards are merged."""

from __future__ import annotations

import os
import sys
from array import array
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields
from functools import partial
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from pytest_vft.checking.compile import Verdicts
from pytest_vft.checking.looks import LookTable
from pytest_vft.facts.first_keys import MAX_KEYS
from pytest_vft.facts.turns import Turn
from pytest_vft.line_ranges import LineRanges
from pytest_vft.model import ExamplePlace, Scope
from pytest_vft.reading.image_cache import MeasuredImage
from pytest_vft.reading.links import unsigned
from pytest_vft.reading.remote import Remote

_64_BITS = 0xFFFF_FFFF_FFFF_FFFF
_numbers = partial(array, "Q")  # numbers of 64 bits


def _shift(rows: array[int], width: int, column: int, offset: int) -> array[int]:
    """Return *rows* of *width* numbers with *offset* added to one *column*."""
    shifted = rows[:]
    shifted[column::width] = array("Q", [number + offset for number in rows[column::width]])
    return shifted


class ShardFinding(NamedTuple):
    """A finding in a shard, whose *line* is the number of the entry in the shard, from 1.

    *element* is the index of the entry in an array, once its place in the file is known; *first* is where
    content that recurs occurs first, if not here; *fix* is the name of the repair, if there is one. *box* is
    the place in the image: left, top, width and height in pixels, with commas.
    """

    rule: str
    line: int | None
    pointer: str
    message: str
    image: str | None
    example: str | None = None
    element: int | None = None
    first: ExamplePlace | None = None
    fix: str | None = None
    box: str | None = None


def common_folder(*folders: str) -> str:
    """Return the folder that contains all *folders*, which are absolute; "" if there is none."""
    try:
        return os.path.commonpath(folders)
    except ValueError:  # on several drives of Windows, or "" among them
        return ""


@dataclass(slots=True)
class TurnTable:
    """Target turns with their lines, as rows of numbers: about 50 bytes for each turn.

    A row has line, key, answer, words, repeated, and the end of its images in *images*, which holds the
    low half of each key.
    """

    rows: array[int] = field(default_factory=_numbers)
    images: array[int] = field(default_factory=_numbers)

    def append(self, line: int, turn: Turn) -> None:
        """Add *turn*, which is on *line*."""
        key, answer, words, images, repeated = turn
        for image in images:
            self.images.append(image & _64_BITS)
        words = 0 if answer is None else words
        self.rows.extend((line, key, answer or 0, words, repeated, len(self.images)))

    def extend(self, other: TurnTable, lines: int) -> None:
        """Add the turns of *other*, which follows after *lines* lines."""
        self.rows.extend(_shift(_shift(other.rows, 6, 0, lines), 6, 5, len(self.images)))
        self.images.extend(other.images)

    def __len__(self) -> int:
        return len(self.rows) // 6

    @property
    def keys(self) -> array[int]:
        """The key of each turn."""
        return self.rows[1::6]

    def positions(self, keys: Collection[int]) -> list[int]:
        """Return the positions of the turns with one of *keys*, from 0."""
        return [at for at, key in enumerate(self.keys) if key in keys] if keys else []

    def line(self, at: int) -> int:
        """Return the line of the turn at position *at*."""
        return self.rows[6 * at]

    def turn(self, at: int) -> Turn:
        """Return the turn at position *at*."""
        _, key, answer, words, repeated, end = self.rows[6 * at : 6 * at + 6]
        start = self.rows[6 * at - 1] if at else 0
        return Turn(key, answer if words else None, words, tuple(self.images[start:end]), repeated)

    def images_without(self, keys: Collection[int]) -> array[int]:
        """Return the images of the turns without one of *keys*."""
        images = self.images[:]
        for at in reversed(self.positions(keys)):
            start = self.rows[6 * at - 1] if at else 0
            del images[start : self.rows[6 * at + 5]]
        return images

    def __iter__(self) -> Iterator[tuple[int, Turn]]:
        return ((self.line(at), self.turn(at)) for at in range(len(self)))


@dataclass(slots=True)
class ShotTable:
    """Few-shot answers, as rows of line and key, and their JSON pointers, few of which differ."""

    rows: array[int] = field(default_factory=_numbers)
    pointers: list[str] = field(default_factory=list)

    def append(self, line: int, pointer: str, key: int) -> None:
        """Add the answer at *pointer* in the example on *line*."""
        self.rows.extend((line, key))
        self.pointers.append(sys.intern(pointer))

    def extend(self, other: ShotTable, lines: int) -> None:
        """Add the answers of *other*, which follows after *lines* lines."""
        self.rows.extend(_shift(other.rows, 2, 0, lines))
        self.pointers.extend(map(sys.intern, other.pointers))

    def __len__(self) -> int:
        return len(self.pointers)

    @property
    def keys(self) -> array[int]:
        """The key of each answer."""
        return self.rows[1::2]

    def __iter__(self) -> Iterator[tuple[int, str, int]]:
        """Yield line, JSON pointer and key of each answer."""
        return zip(self.rows[0::2], self.pointers, self.keys, strict=True)


@dataclass(slots=True, kw_only=True)
class ShardTotals:
    """Totals of a shard, or of the merged shards of a file.

    *pictured* counts the examples with images or placeholders, *imageless* sound ones without images,
    *with_system* those with a system message, *systemless* sound ones without, and *size* the bytes of all
    lines, if a rule needs the numbers; *other_tokens* counts tokens by the plan's other counters;
    *first_keys* maps keys of examples to the line and byte where they first appear, if a rule needs
    these; *urls* are the web URLs of images, and *unsettled* are lines with those that were fetched
    without a result; *linked* maps the low half of the key of an image, None if it is not settled, and
    the hash of its URL to the first line; *image_keys* holds the low half of the key of each image,
    once in the totals of a shard or of a complete file.
    *undecoded* counts, for each rule, the unknown verdicts on images that were too large to decode, and
    *unopened* those on local images that were not opened. *folders* holds the common folder of the paths
    that fail a rule, "" for paths without one. *kept* and *dropped* count the findings of each rule below
    and above the maximum; *bad_lines* are the lines that fail each rule. *measured* are images that are
    not in the cache, and *row* is key and value for the cache of shards: both belong to one shard, and
    are not merged.
    """

    lines: int = 0
    examples: int = 0
    answered: int = 0
    image_examples: int = 0
    unchecked_media: int = 0
    images: int = 0
    tokens_at_least: int = 0
    tokens_at_most: int = 0
    image_tokens_at_least: int = 0
    image_tokens_at_most: int = 0
    pictured: int = 0
    imageless: int = 0
    with_system: int = 0
    systemless: int = 0
    size: int = 0
    other_tokens: Counter[str] = field(default_factory=Counter)
    first_keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    urls: dict[str, None] = field(default_factory=dict)
    unsettled: list[tuple[int, str]] = field(default_factory=list)
    linked: dict[tuple[int | None, int], int] = field(default_factory=dict)
    image_keys: array[int] = field(default_factory=_numbers)
    counts: dict[Scope, Counter[Verdicts]] = field(default_factory=dict)
    undecoded: Counter[str] = field(default_factory=Counter)
    unopened: Counter[str] = field(default_factory=Counter)
    findings: list[ShardFinding] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    bad_lines: dict[str, LineRanges] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    turns: TurnTable = field(default_factory=TurnTable)
    shots: ShotTable = field(default_factory=ShotTable)
    looks: LookTable = field(default_factory=LookTable)
    measured: list[MeasuredImage] = field(default_factory=list)
    row: tuple[bytes, bytes] | None = None

    def see_image(self, key: int) -> None:
        """Note the image with this key."""
        self.image_keys.append(key & _64_BITS)

    def see_look(self, line: int, key: int, fingerprint: str | None) -> None:
        """Note what the image with this key, on *line*, looks like."""
        self.looks.append(line, key & _64_BITS, fingerprint)

    def see_url(self, line: int, url: str, remote: Remote | None, *, settled: bool) -> None:
        """Note that *url* is on *line*, what was found behind it if it was fetched, and if it is settled."""
        self.urls[url] = None
        image = None
        if settled:
            if remote is None or remote.content is None:
                return
            image = remote.content & _64_BITS
        elif remote:
            self.unsettled.append((line, url))
        self.linked.setdefault((image, xxh3_64_intdigest(unsigned(url).encode())), line)

    def mark_bad(self, rule: str, line: int, lines: int = 1) -> None:
        """Note that *lines* from *line* on fail *rule*; lines come in ascending order."""
        bad = self.bad_lines.get(rule)
        if bad is None:
            bad = self.bad_lines[rule] = LineRanges()
        bad.add(line, line + lines - 1)

    def see_folder(self, rule: str, folder: str) -> None:
        """Note that a path in *folder* fails *rule*."""
        known = self.folders.setdefault(rule, folder)
        if known != folder:
            self.folders[rule] = common_folder(known, folder)

    def admit(self, rule: str, max_findings: int) -> bool:
        """Return whether another finding of *rule* may be kept; count it as dropped if not."""
        if not max_findings or self.kept[rule] < max_findings:
            return True
        self.dropped[rule] += 1
        return False

    def keep(self, finding: ShardFinding) -> None:
        """Keep *finding*, for which admit() returned True."""
        self.kept[finding.rule] += 1
        self.findings.append(finding)

    def extend(self, other: ShardTotals, max_findings: int) -> None:
        """Add the totals of the following shards, with at most *max_findings* for each rule (0: all).

        The operation is associative: the result does not depend on the grouping of shards.
        """
        lines, size = self.lines, self.size
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for key, (line, start) in other.first_keys.items():
            if len(self.first_keys) < MAX_KEYS:
                self.first_keys.setdefault(key, (lines + line, size + start))
        self.other_tokens.update(other.other_tokens)
        self.urls |= other.urls
        self.unsettled += [(lines + line, url) for line, url in other.unsettled]
        for keys, line in other.linked.items():
            self.linked.setdefault(keys, lines + line)
        self.image_keys.extend(other.image_keys)
        for scope, counts in other.counts.items():  # new counters, since files may share equal ones
            self.counts[scope] = self.counts[scope] + counts if scope in self.counts else counts
        self.undecoded.update(other.undecoded)
        self.unopened.update(other.unopened)
        self.dropped.update(other.dropped)
        for rule, ranges in other.bad_lines.items():
            self.bad_lines.setdefault(rule, LineRanges()).extend(ranges, lines)
        for finding in other.findings:
            if self.admit(finding.rule, max_findings):
                self.keep(finding._replace(line=lines + (finding.line or 0)))
        for rule, folder in other.folders.items():
            self.see_folder(rule, folder)
        self.turns.extend(other.turns, lines)
        self.shots.extend(other.shots, lines)
        self.looks.extend(other.looks, lines)


# The fields of ShardTotals that are integers.
NUMBERS = tuple(one.name for one in fields(ShardTotals) if one.type == "int")
