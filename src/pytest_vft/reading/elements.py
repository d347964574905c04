"""Cutting of the elements of a JSON array, as bytes, out of a file of any size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from pytest_vft.reading.shards import LONGEST_LINE, ArrayPart, LongLine, Shard, open_shard

NO_BRACKET = "no closing bracket after the array"
_BUFFER = 1024 * 1024
_WHITE = b" \t\r\n"
_SPACE = re.compile(rb"[ \t\r\n]*")
_BRACKET = re.compile(rb"[][{}]")
_SCALAR_END = re.compile(rb'[],{["]')
_COMMA, _OPEN, _CLOSE, _BACKSLASH = b",[]\\"
_OPENING = b"{["
_REPEATED = 64  # bytes; longer texts between strings rarely occur twice
_KNOWN_TEXTS = 4096


class Element(NamedTuple):
    """An element of an array as it is written.

    *start* is its place in the file in bytes, *line* the number of newlines before it in its shard, and
    *fault* what is wrong after it: with the comma, the end of the array or the end of the file. *raw* is
    empty for a fault before the first element.
    """

    raw: bytes | LongLine
    start: int
    line: int
    fault: str | None


def read_elements(
    shard: Shard, longest: int = LONGEST_LINE, watch: Callable[[bytes], object] | None = None
) -> Iterator[Element]:
    """Yield the elements of *shard*, a part of an array; a LongLine for more than *longest* bytes.

    *watch* is called with each piece of the file that is read. Raises OSError if the file cannot be read.
    """
    return ElementCutter(shard, longest, watch).elements()


@lru_cache(_KNOWN_TEXTS)
def _levels(text: bytes) -> tuple[int, int]:
    """Return by how much *text*, which has no strings, changes the depth, and the lowest change in it."""
    depth = lowest = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in _OPENING else -1
        lowest = min(lowest, depth)
    return depth, lowest


def _deep_levels(text: bytes, depth: int) -> tuple[int, int]:
    """Return what _levels() does, but 0 as the lowest change if *text* cannot end *depth* levels."""
    closing = text.count(b"]") + text.count(b"}")
    if closing < depth:
        return text.count(b"[") + text.count(b"{") - closing, 0
    return _levels.__wrapped__(text)


class ElementCutter:
    """Cuts the elements of *shard* out of a buffer that moves through the file.

    Strings are jumped over, and brackets are counted between strings.
    """

    def __init__(
        self, shard: Shard, longest: int = LONGEST_LINE, watch: Callable[[bytes], object] | None = None
    ) -> None:
        assert shard.part is not None  # noqa: S101 - a shard of lines has no elements
        self._shard = shard
        self._part: ArrayPart = shard.part
        self._longest = longest
        self._watch = watch
        self._file: BinaryIO
        self._left = shard.end - shard.start
        self._data = b""
        self._offset = shard.start  # of the first byte of the buffer in the file
        self._at = 0  # where reading goes on in the buffer
        self._kept = 0  # from here on bytes of the buffer are needed: the start of an element
        self._counted = 0  # up to here newlines are counted
        self._newlines = 0

    @property
    def end(self) -> int:
        """The byte in the file up to which was read."""
        return self._offset + len(self._data)

    @property
    def lines(self) -> int:
        """Number of lines that were read."""
        return self._newlines + (not self._data.endswith(b"\n"))

    def elements(self) -> Iterator[Element]:
        """Yield the elements of the shard."""
        with open_shard(self._shard) as self._file:
            if self._part.opens and self._next() == _OPEN:
                self._at += 1
                fault = self._separator(first=True)
                if fault:
                    yield Element(b"", self._shard.start, 0, fault)
            while (byte := self._next()) is not None:
                yield self._element(byte)
            self._count(len(self._data))

    def _element(self, byte: int) -> Element:
        """Return the element that starts with *byte*."""
        self._count(self._at)
        line, self._kept = self._newlines, self._at
        start = self._offset + self._at
        nested = byte in _OPENING
        if nested:
            self._skip_container()
        else:
            self._skip_scalar()
        length = self._offset + self._at - start
        raw: bytes | LongLine
        if length > self._longest:
            raw = LongLine(length, newline=False)
        else:
            raw = self._data[self._kept : self._at]
            raw = raw if nested else raw.rstrip(_WHITE)
        self._kept = self._at
        return Element(raw, start, line, self._separator())

    def _separator(self, *, first: bool = False) -> str | None:
        """Go to the next element, and return what is wrong with the text before it.

        *first* says that no element is before it.
        """
        commas = 0
        while (byte := self._next()) == _COMMA:
            commas += 1
            self._at += 1
        if byte == _CLOSE:
            self._at += 1
            if self._next() is not None:
                self._left, self._data = 0, self._data[: self._at]
                return "text after the array, which is not read,"
            return "a comma after the last element" if commas else None
        if byte is None and self._part.closes:
            return NO_BRACKET
        if first:
            return "a comma before the first element" if commas else None
        if commas == 1:
            return None
        return "a second comma after the element" if commas else "no comma after the element"

    def _next(self) -> int | None:
        """Go to the next byte that is not white space, and return it; None at the end."""
        while True:
            found = _SPACE.match(self._data, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._data):
                return self._data[self._at]
            self._kept = self._at
            if not self._more():
                return None

    def _skip_container(self) -> None:
        """Go to the end of an object or array, or of the file."""
        data, at, depth = self._data, self._at + 1, 1
        while True:
            quote = data.find(b'"', at)
            text = data[at:quote] if quote >= 0 else data[at:]
            change, lowest = _levels(text) if len(text) < _REPEATED else _deep_levels(text, depth)
            if depth + lowest <= 0:
                self._at = _end(data, at, depth)
                return
            depth += change
            if quote >= 0:
                end = data.find(b'"', quote + 1)
                if end >= 0 and data[end - 1] != _BACKSLASH:
                    at = end + 1
                    continue
                self._at = quote
                going = self._skip_string()
            else:
                self._at = len(data)
                going = self._more()
            if not going:
                return
            data, at = self._data, self._at

    def _skip_scalar(self) -> None:
        """Go to the end of a string, number or other text outside objects, or of the file."""
        while True:
            found = _SCALAR_END.search(self._data, self._at)
            self._at = found.start() if found else len(self._data)
            if found is None:
                if not self._more():
                    return
            elif found[0] != b'"' or not self._skip_string():
                return

    def _skip_string(self) -> bool:
        """Go to the end of the string that starts here; return whether there is one."""
        self._at += 1
        while True:
            end = self._data.find(b'"', self._at)
            text = self._data[self._at : end] if end >= 0 else self._data[self._at :]
            backslashes = len(text) - len(text.rstrip(b"\\"))
            if end >= 0:
                self._at = end + 1
                if backslashes % 2 == 0:
                    return True
            else:
                self._at = len(self._data) - backslashes
                if not self._more():
                    self._at = len(self._data)
                    return False

    def _more(self) -> bool:
        """Read on, and drop the bytes that are not needed; return False at the end."""
        piece = self._file.read(min(self._left, max(_BUFFER, len(self._data) // 4)))
        if not piece:
            return False
        if self._watch:
            self._watch(piece)
        self._left -= len(piece)
        if self._at - self._kept > self._longest:
            self._kept = self._at
        kept = self._kept
        self._count(max(kept, self._counted))
        self._data = self._data[kept:] + piece
        self._offset += kept
        self._at -= kept
        self._counted -= kept
        self._kept = 0
        return True

    def _count(self, end: int) -> None:
        self._newlines += self._data.count(b"\n", self._counted, end)
        self._counted = end


def _end(text: bytes, at: int, depth: int) -> int:
    """Return the place in *text* after the bracket that ends *depth* levels, before which are no strings."""
    for bracket in _BRACKET.finditer(text, at):
        depth += 1 if bracket[0] in _OPENING else -1
        if not depth:
            return bracket.end()
    raise ValueError(depth)  # the caller has found the bracket
