"""The entries of a shard, with the payloads of data URLs taken out, and put back into what is written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pytest_vft.fixing.boxes import has_boxes
from pytest_vft.reading.arrays import parse_element
from pytest_vft.reading.elements import Element, read_elements
from pytest_vft.reading.lines import Line, lift, parse_line
from pytest_vft.reading.parquet import read_rows
from pytest_vft.reading.shards import LongLine, Shard, read_lines
from pytest_vft.tuples import from_tuple

# Tokens cannot be foreseen, so no text of a dataset is taken for one.
_MARK = f"#{os.urandom(16).hex()}:"
_TOKEN = re.compile(re.escape(_MARK.encode()) + rb"(\d+);")


class ShardEntry(NamedTuple):
    """An entry as it is written, its place in the file in bytes, and its element in an array."""

    raw: bytes | LongLine
    start: int
    element: Element | None = None


_entry = from_tuple(ShardEntry)


def shard_entries(shard: Shard) -> Iterator[ShardEntry]:
    """Yield the entries of *shard*. Raises OSError if the file cannot be read."""
    if shard.rows:
        yield from (ShardEntry(raw, 0) for raw in read_rows(shard))
        return
    if shard.part:
        for element in read_elements(shard):
            yield ShardEntry(element.raw, element.start, element)
        return
    start = shard.start
    for raw in read_lines(shard):
        yield _entry((raw, start, None))
        start += raw.bytes if isinstance(raw, LongLine) else len(raw)


class Payloads:
    """The base64 payloads of one entry, which tokens stand for."""

    def __init__(self, entry: ShardEntry) -> None:
        self._payloads: list[memoryview] = []
        lifted = None if isinstance(entry.raw, LongLine) else lift(entry.raw, self._take)
        self._text = lifted or b""
        element = entry.element
        self.line: Line = parse_element(element, lifted) if element else parse_line(entry.raw, lifted)

    def _take(self, payload: memoryview) -> bytes:
        self._payloads.append(payload)
        return f"{_MARK}{len(self._payloads) - 1};".encode()

    def has_boxes(self) -> bool:
        """Return whether the entry has coordinates of boxes or points."""
        return has_boxes(self._text)

    def has_marks(self, marks: Iterable[bytes]) -> bool:
        """Return whether the entry contains one of *marks* outside of payloads."""
        return any(mark in self._text for mark in marks)

    def of(self, reference: str) -> bytes | memoryview:
        """Return the base64 payload of *reference*, a data URL."""
        payload = reference.partition(",")[2]
        if payload.startswith(_MARK):
            return self._payloads[int(payload[len(_MARK) : -1])]
        return payload.encode()

    @property
    def slots(self) -> list[bytes | memoryview]:
        """The payloads, in the order of their tokens."""
        return list(self._payloads)

    def put_back(self, text: bytes) -> list[bytes | memoryview]:
        """Return the pieces of *text* with payloads in place of their tokens."""
        return filled(split(text), self._payloads) if self._payloads else [text]


def put(content: bytes, slots: list[bytes | memoryview]) -> str:
    """Add *content* to *slots*, and return the token for it."""
    slots.append(content)
    return f"{_MARK}{len(slots) - 1};"


def is_put(reference: str) -> bool:
    """Return whether a token stands for the payload of *reference*, a data URL."""
    return _MARK in reference


def split(text: bytes) -> list[bytes | int]:
    """Return the pieces of *text*, and the number of the slot for each token between them."""
    pieces: list[bytes | int] = list(_TOKEN.split(text))
    pieces[1::2] = map(int, pieces[1::2])
    return pieces


def filled(pieces: Sequence[bytes | int], slots: Sequence[bytes | memoryview]) -> list[bytes | memoryview]:
    """Return *pieces*, as split() returns them, with the content of *slots* in place of numbers."""
    return [slots[piece] if isinstance(piece, int) else piece for piece in pieces]
