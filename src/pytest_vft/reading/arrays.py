"""JSON arrays in shards, and their elements parsed like lines."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from pytest_vft.model import Split
from pytest_vft.reading.elements import NO_BRACKET, Element, ElementCutter, read_elements
from pytest_vft.reading.files import HEAD, OpenedFile
from pytest_vft.reading.lines import Line, parse_line
from pytest_vft.reading.shards import BATCH, ArrayPart, LongLine, Shard, open_shard
from pytest_vft.text import Safe


class ArrayShards(NamedTuple):
    """An array in shards, the line in the file on which each element starts, its lines, and its last byte."""

    shards: list[Shard]
    starts: array[int]
    lines: int
    bytes: int


def cut_array(path: str, split: Split, opened: OpenedFile, shard_bytes: int) -> ArrayShards:
    """Return the array in the file at *path* in shards of about *shard_bytes*, in one if it is compressed.

    Raises OSError if the file cannot be read.
    """
    whole, first_line = open_array(path, split, opened)
    starts = array("Q")
    cuts = [whole.start]
    cutter = ElementCutter(whole)
    for element in cutter.elements():
        starts.append(first_line + element.line)
        if element.start - cuts[-1] >= shard_bytes:
            cuts.append(element.start)
    if whole.compression:
        return ArrayShards([whole], starts, first_line - 1 + cutter.lines, cutter.end)
    cuts.append(whole.end)
    last = len(cuts) - 2
    shards = [
        Shard(path, split, start, end, part=ArrayPart(opens=number == 0, closes=number == last))
        for number, (start, end) in enumerate(pairwise(cuts))
    ]
    return ArrayShards(shards, starts, first_line - 1 + cutter.lines, cutter.end)


def open_array(path: str, split: Split, opened: OpenedFile) -> tuple[Shard, int]:
    """Return the array in the file at *path* as one shard, and the line in the file on which it starts."""
    part = ArrayPart(opens=True, closes=True)
    whole = Shard(path, split, 0, opened.end, part=part, compression=opened.compression)
    with open_shard(whole._replace(end=min(whole.end, HEAD)), HEAD) as file:
        head = file.read(HEAD)
    start = max(head.find(b"["), 0)
    return whole._replace(start=start), 1 + head.count(b"\n", 0, start)


def read_element_batches(
    shard: Shard, watch: Callable[[bytes], object] | None = None
) -> Iterator[list[Element]]:
    """Yield the elements of *shard* in batches of at least 1 MiB; see read_elements()."""
    batch: list[Element] = []
    size = 0
    for element in read_elements(shard, watch=watch):
        batch.append(element)
        size += len(element.raw)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def parse_element(element: Element, lifted: bytes | None = None) -> Line:
    """Return *element* parsed; *lifted* is what lift() returned.

    A fault after the element is its syntax error, but the value counts. The column of an error counts from
    the start of the element or, after a newline, from the start of the line.
    """
    raw, fault = element.raw, element.fault
    line = Line(0, None) if raw == b"" else parse_line(raw, lifted)
    if fault is None or isinstance(raw, LongLine) or line.encoding_error:
        return line
    if line.syntax == "other":
        rest = " (it has no end, so nothing after it is read)" if fault == NO_BRACKET else ""
        return line._replace(syntax_error=Safe(f"{line.syntax_error}{rest}"))
    newlines, last = raw.count(b"\n"), raw[raw.rfind(b"\n") + 1 :].decode()
    place = f" on the last of its {newlines + 1:,} lines" if newlines else ""
    return line._replace(syntax="other", syntax_error=Safe(fault + place), column=len(last) + 1)
