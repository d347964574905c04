"""The entries of a whole file: lines of JSON Lines, elements of a JSON array or rows of Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pytest_vft.model import Split
from pytest_vft.reading.arrays import open_array, parse_element
from pytest_vft.reading.elements import Element, read_elements
from pytest_vft.reading.files import ARRAY, OpenedFile
from pytest_vft.reading.lines import Line, parse_line
from pytest_vft.reading.parquet import read_rows
from pytest_vft.reading.shards import BATCH, ArrayPart, LongLine, Rows, Shard, open_shard, read_lines
from pytest_vft.reading.whole import whole_shard


class FileEntry(NamedTuple):
    """An entry as it is written, its line in the file, and the shard that holds only this entry.

    *line* counts from 1 and is the first line of an element. *position* in the array counts from 0 and is
    None, as is *element*, for a line of JSON Lines and a row of Parquet, whose line is its number.
    """

    raw: bytes | LongLine
    line: int
    shard: Shard
    position: int | None = None
    element: Element | None = None

    @property
    def prefix(self) -> str:
        """The JSON pointer of an element in its file; "" for a line, which is a JSON text by itself."""
        return "" if self.position is None else f"/{self.position}"

    def pieces(self) -> Iterator[bytes]:
        """Yield the bytes of the entry, which are read again if the entry is too long to be held in memory.

        Raises OSError if the file cannot be read.
        """
        if not isinstance(self.raw, LongLine):
            yield self.raw
            return
        left = self.raw.bytes
        start = self.shard.start if self.element is None else self.element.start
        with open_shard(self.shard._replace(start=start, end=start + left)) as file:
            while left and (piece := file.read(min(left, BATCH))):
                left -= len(piece)
                yield piece

    def parse(self, lifted: bytes | None = None) -> Line:
        """Return the entry parsed; *lifted* is what lift() returned."""
        return parse_element(self.element, lifted) if self.element else parse_line(self.raw, lifted)


def read_entries(path: str, split: Split, opened: OpenedFile) -> Iterator[FileEntry]:
    """Yield the entries of the file at *path*, which must be a container that is read.

    Raises OSError if the file cannot be read.
    """
    if opened.container == ARRAY:
        yield from _elements(path, split, opened)
        return
    whole = whole_shard(path, split, opened)
    if whole.rows:
        yield from _rows(whole)
        return
    start = whole.start
    for line, raw in enumerate(read_lines(whole), 1):
        end = start + (raw.bytes if isinstance(raw, LongLine) else len(raw))
        yield FileEntry(raw, line, whole._replace(start=start, end=end))
        start = end


def _rows(whole: Shard) -> Iterator[FileEntry]:
    for row, raw in enumerate(read_rows(whole), 1):
        yield FileEntry(raw, row, whole._replace(rows=Rows(0, None, row - 1, 1)))


def _elements(path: str, split: Split, opened: OpenedFile) -> Iterator[FileEntry]:
    whole, first_line = open_array(path, split, opened)
    coming = read_elements(whole)
    element = next(coming, None)
    position = 0
    while element:
        following = next(coming, None)
        part = ArrayPart(opens=element.start == whole.start, closes=following is None)
        end = following.start if following else whole.end
        shard = whole._replace(start=element.start, end=end, part=part)
        yield FileEntry(element.raw, first_line + element.line, shard, position, element)
        element, position = following, position + 1
