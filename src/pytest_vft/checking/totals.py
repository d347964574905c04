"""Totals of one shard, and how the totals of several shards are merged."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, NamedTuple

from xxhash import xxh3_64_intdigest

from pytest_vft.checking.compile import Verdicts
from pytest_vft.checking.looks import LookTable
from pytest_vft.checking.turn_tables import LOW_HALF, ShotTable, TurnTable
from pytest_vft.facts.first_keys import MAX_KEYS
from pytest_vft.gaps import Cause
from pytest_vft.line_ranges import LineRanges
from pytest_vft.model import ExamplePlace, Scope
from pytest_vft.reading.image_cache import MeasuredImage
from pytest_vft.reading.links import unsigned
from pytest_vft.reading.remote import Remote


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


# Containers that are empty, which all totals share and none can change.
_NO_LIST: Any = ()
_NO_MAP: Any = MappingProxyType({})
_NO_TURNS = TurnTable(_NO_LIST, _NO_LIST)
_NO_SHOTS = ShotTable(_NO_LIST, _NO_LIST)
_NO_LOOKS = LookTable(_NO_LIST, _NO_LIST)


def _no_list() -> Any:
    return _NO_LIST


def _no_map() -> Any:
    return _NO_MAP


@dataclass(slots=True, kw_only=True)
class ShardTotals:
    """Totals of a shard, or of the merged shards of a file.

    Containers are made when something is added, since most of them stay empty for a small file.

    *pictured* counts the examples with images or placeholders, *imageless* sound ones without images,
    *with_system* those with a system message, *systemless* sound ones without, and *size* the bytes of all
    lines, if a rule needs the numbers; *other_tokens* counts tokens by the plan's other counters;
    *first_keys* maps keys of examples to the line and byte where they first appear, if a rule needs
    these; *urls* are the web URLs of images, and *unsettled* are lines with those that were fetched
    without a result; *linked* maps the low half of the key of an image, None if it is not settled, and
    the hash of its URL to the first line; *image_keys* holds the low half of the key of each image,
    once in the totals of a shard or of a complete file.
    *gaps* counts the unknown verdicts on images by cause and rule, as far as the cause is known.
    *folders* holds the common folder of the paths that fail a rule, "" for paths without one. *kept* and
    *dropped* count the findings of each rule below and above the maximum; *bad_lines* are the lines that
    fail each rule. *measured* are images that are not in the cache, and *row* is key and value for the cache
    of shards: both belong to one shard, and are not merged.
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
    other_tokens: Counter[str] = field(default_factory=_no_map)
    first_keys: dict[str, tuple[int, int]] = field(default_factory=_no_map)
    urls: dict[str, None] = field(default_factory=_no_map)
    unsettled: list[tuple[int, str]] = field(default_factory=_no_list)
    linked: dict[tuple[int | None, int], int] = field(default_factory=_no_map)
    image_keys: array[int] = field(default_factory=_no_list)
    counts: Mapping[Scope, Mapping[Verdicts, int]] = field(default_factory=_no_map)
    gaps: Counter[tuple[Cause, str]] = field(default_factory=_no_map)
    findings: list[ShardFinding] = field(default_factory=_no_list)
    kept: Counter[str] = field(default_factory=_no_map)
    dropped: Counter[str] = field(default_factory=_no_map)
    bad_lines: dict[str, LineRanges] = field(default_factory=_no_map)
    folders: dict[str, str] = field(default_factory=_no_map)
    turns: TurnTable = field(default_factory=lambda: _NO_TURNS)
    shots: ShotTable = field(default_factory=lambda: _NO_SHOTS)
    looks: LookTable = field(default_factory=lambda: _NO_LOOKS)
    measured: list[MeasuredImage] = field(default_factory=_no_list)
    row: tuple[bytes, bytes] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        values = ((name, getattr(self, name)) for name in self.__slots__)
        return _restored, ({name: value for name, value in values if value},)

    def pack(self, names: Iterable[str] = ()) -> None:
        """Replace each container that is empty by the one that all totals share; only *names*, if any."""
        for name in names or _EMPTY:
            if not getattr(self, name):
                setattr(self, name, _EMPTY[name])
        self.turns.pack()
        self.looks.pack()

    def forget(self) -> None:
        """Forget what belongs to one shard, and is not merged."""
        self.measured, self.row = _NO_LIST, None

    def see_image(self, key: int) -> None:
        """Note the image with this key."""
        self.image_keys.append(key & LOW_HALF)

    def see_look(self, line: int, key: int, fingerprint: str | None, cause: Cause | None) -> None:
        """Note what the image with this key, on *line*, looks like, or the *cause* if that is unknown."""
        if self.looks is _NO_LOOKS:
            self.looks = LookTable()
        self.looks.append(line, key & LOW_HALF, fingerprint, cause)

    def see_url(self, line: int, url: str, remote: Remote | None, *, settled: bool) -> None:
        """Note that *url* is on *line*, what was found behind it if it was fetched, and if it is settled."""
        self.urls = self.urls or {}
        self.urls[url] = None
        image = None
        if settled:
            if remote is None or remote.content is None:
                return
            image = remote.content & LOW_HALF
        elif remote:
            self.unsettled = self.unsettled or []
            self.unsettled.append((line, url))
        self.linked = self.linked or {}
        self.linked.setdefault((image, xxh3_64_intdigest(unsigned(url).encode())), line)

    def mark_bad(self, rule: str, line: int, lines: int = 1) -> None:
        """Note that *lines* from *line* on fail *rule*; lines come in ascending order."""
        bad = self.bad_lines.get(rule)
        if bad is None:
            self.bad_lines = self.bad_lines or {}
            bad = self.bad_lines[rule] = LineRanges()
        bad.add(line, line + lines - 1)

    def see_folder(self, rule: str, folder: str) -> None:
        """Note that a path in *folder* fails *rule*."""
        self.folders = self.folders or {}
        known = self.folders.setdefault(rule, folder)
        if known != folder:
            self.folders[rule] = common_folder(known, folder)

    def admit(self, rule: str, max_findings: int) -> bool:
        """Return whether another finding of *rule* may be kept; count it as dropped if not."""
        if not max_findings or self.kept.get(rule, 0) < max_findings:
            return True
        self.drop(rule, 1)
        return False

    def drop(self, rule: str, number: int) -> None:
        """Count a *number* of findings of *rule* as dropped."""
        self.count("dropped", {rule: number})

    def count(self, name: str, counts: Mapping[Any, int] | Iterable[Any]) -> None:
        """Add *counts* to the counter with this *name*."""
        if counts:
            setattr(self, name, getattr(self, name) or Counter())
            getattr(self, name).update(counts)

    def keep(self, finding: ShardFinding) -> None:
        """Keep *finding*, for which admit() returned True."""
        if not self.findings:
            self.findings, self.kept = [], Counter()
        self.kept[finding.rule] += 1
        self.findings.append(finding)

    def pop_findings(self) -> list[ShardFinding]:
        """Return the findings, which are kept no longer."""
        found, self.findings, self.kept = self.findings, _NO_LIST, _NO_MAP
        return found

    def extend(self, other: ShardTotals, max_findings: int) -> None:
        """Add the totals of the following shards, with at most *max_findings* for each rule (0: all).

        The operation is associative: the result does not depend on the grouping of shards.
        """
        lines, size = self.lines, self.size
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.first_keys:
            self.first_keys = self.first_keys or {}
            for key, (line, start) in other.first_keys.items():
                if len(self.first_keys) < MAX_KEYS:
                    self.first_keys.setdefault(key, (lines + line, size + start))
        self._extend_images(other, lines)
        self.counts = {  # new ones, since files may share equal ones
            scope: _added(self.counts.get(scope, _NO_MAP), other.counts.get(scope, _NO_MAP))
            for scope in {**self.counts, **other.counts}
        }
        self._extend_findings(other, lines, max_findings)
        if other.turns:
            self.turns = self.turns or TurnTable()
            self.turns.extend(other.turns, lines)
        if other.shots:
            self.shots = self.shots or ShotTable()
            self.shots.extend(other.shots, lines)

    def _extend_images(self, other: ShardTotals, lines: int) -> None:
        """Add the images of the following shards, whose lines count from line *lines*."""
        if other.urls:
            self.urls, self.linked = self.urls or {}, self.linked or {}
            self.urls.update(other.urls)
            for keys, line in other.linked.items():
                self.linked.setdefault(keys, lines + line)
        if other.unsettled:
            self.unsettled = self.unsettled or []
            self.unsettled += [(lines + line, url) for line, url in other.unsettled]
        if other.image_keys:
            self.image_keys = self.image_keys or array("Q")
            self.image_keys.extend(other.image_keys)
        if other.looks:
            self.looks = self.looks or LookTable()
            self.looks.extend(other.looks, lines)

    def _extend_findings(self, other: ShardTotals, lines: int, max_findings: int) -> None:
        """Add the findings of the following shards, whose lines count from line *lines*."""
        for name in _COUNTERS:
            self.count(name, getattr(other, name))
        if other.bad_lines:
            self.bad_lines = self.bad_lines or {}
            for rule, ranges in other.bad_lines.items():
                self.bad_lines.setdefault(rule, LineRanges()).extend(ranges, lines)
        for finding in other.findings:
            if self.admit(finding.rule, max_findings):
                self.keep(finding._replace(line=lines + (finding.line or 0)))
        for rule, folder in other.folders.items():
            self.see_folder(rule, folder)


# The fields of ShardTotals that are integers.
NUMBERS = tuple(one.name for one in fields(ShardTotals) if one.type == "int")
# Its containers, which are empty at first.
_EMPTY = {one: getattr(ShardTotals(), one) for one in ShardTotals.__slots__ if one not in (*NUMBERS, "row")}
# Those of a shard that are made before anything is added.
OPEN = ("image_keys", "turns", "shots", "first_keys", "measured")
_COUNTERS = ("other_tokens", "gaps", "dropped")


def _added(one: Mapping[Verdicts, int], other: Mapping[Verdicts, int]) -> Mapping[Verdicts, int]:
    """Return the numbers of *one* and *other*, added up."""
    numbers = dict(one)
    for key, number in other.items():
        numbers[key] = numbers.get(key, 0) + number
    return numbers


def _restored(changed: Mapping[str, Any]) -> ShardTotals:
    return ShardTotals(**changed)


def open_totals() -> ShardTotals:
    """Return empty totals of a shard, with the containers to which each example is added."""
    return ShardTotals(image_keys=array("Q"), turns=TurnTable(), shots=ShotTable())
