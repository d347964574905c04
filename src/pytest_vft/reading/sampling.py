"""A sample of a file: lines that are drawn from all of it, or its first examples."""

from __future__ import annotations

import errno
import random
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import BinaryIO, NamedTuple

from pytest_vft.reading.elements import read_elements
from pytest_vft.reading.opening import open_data
from pytest_vft.reading.parquet import read_table
from pytest_vft.reading.shards import ArrayPart, Rows, Shard, open_shard, read_lines

_SEED = 0  # so that the sample of a file is the same each time
_READ_WHOLE = 8 * 1024 * 1024  # bytes; of a smaller file each line is equally likely
_FIRST_PLACES = 100  # after which the length of lines is known
_ROUNDS = 20
_MOST_DRAWN = 0.25  # of the bytes of a file: beyond that, places lead to the same lines too often
_BUFFER = 64 * 1024


class FileSample(NamedTuple):
    """The shards of a sample; *lines* has the line before which each element of an array starts.

    *drawn* has the byte at which each line starts if lines were drawn.
    """

    shards: Sequence[Shard]
    lines: array[int] | None = None
    drawn: array[int] | None = None


def sample_file(whole: Shard, number: int) -> FileSample | None:
    """Return at most *number* examples of *whole*, None if it has no more. Raises OSError.

    Lines are drawn from a plain file of JSON Lines, which is read only there; of any other file, which can
    only be read from its start, these are the first examples.
    """
    if whole.rows:
        rows = Rows(0, None, 0, number)
        return FileSample([whole._replace(rows=rows)]) if read_table(whole.path).rows > number else None
    if whole.part:
        return _first_elements(whole, number)
    return _first_lines(whole, number) if whole.compression else _drawn_lines(whole, number)


def line_numbers(whole: Shard, starts: Sequence[int]) -> array[int]:
    """Return the number of each line of *whole* that starts at one of *starts*, in their order.

    The file is read up to the last one. Raises OSError.
    """
    numbers, number, at = array("Q"), 1, whole.start
    with open_shard(whole) as file:
        for start in starts:
            while at < start:
                piece = file.read(min(start - at, _READ_WHOLE))
                if not piece:
                    raise OSError(errno.EIO, "it has become shorter; run it again", whole.path)
                number, at = number + piece.count(b"\n"), at + len(piece)
            numbers.append(number)
    return numbers


def _first_elements(whole: Shard, number: int) -> FileSample | None:
    found = list(islice(((one.start, one.line) for one in read_elements(whole)), number + 1))
    if len(found) <= number:
        return None
    part = whole._replace(end=found[-1][0], part=ArrayPart(opens=True, closes=False))
    return FileSample([part], array("Q", [line for _, line in found[:-1]]))


def _first_lines(whole: Shard, number: int) -> FileSample | None:
    bounds = list(islice(_bounds(whole), number + 2))
    return FileSample([whole._replace(end=bounds[-2])]) if len(bounds) == number + 2 else None


def _drawn_lines(whole: Shard, number: int) -> FileSample | None:
    spans = None
    if whole.end - whole.start > _READ_WHOLE:
        spans = _draw_by_place(whole, number)
    if spans is None:
        spans = list(pairwise(_bounds(whole)))
        if len(spans) <= number:
            return None
        spans = sorted(random.Random(_SEED).sample(spans, number))  # noqa: S311 - not a secret
    shards = [whole._replace(start=start, end=end) for start, end in spans]
    return FileSample(shards, drawn=array("Q", [start for start, _ in spans]))


def _bounds(whole: Shard) -> Iterator[int]:
    """Yield the start of each line of *whole*, and its end."""
    at = whole.start
    yield at
    for raw in read_lines(whole):
        at += len(raw) if isinstance(raw, bytes) else raw.bytes
        yield at


def _draw_by_place(whole: Shard, number: int) -> list[tuple[int, int]] | None:
    """Return start and end of *number* lines that follow random places in *whole*.

    Return None if they are a large part of it, or if most places lead to the same few lines.
    """
    draw = random.Random(_SEED)  # noqa: S311 - as above
    size = whole.end - whole.start
    spans: dict[int, int] = {}
    wanted = min(number, _FIRST_PLACES)
    with open_data(whole.path, _BUFFER) as file:  # without an end, an object is read in small pieces
        for _ in range(_ROUNDS):
            for place in sorted(draw.randrange(whole.start, whole.end) for _ in range(wanted)):
                file.seek(place)
                start = _after_line(file)
                if start < whole.end and start not in spans:
                    spans[start] = _after_line(file)
            drawn = sum(end - start for start, end in spans.items())
            if drawn * number > _MOST_DRAWN * size * len(spans):
                return None
            wanted = number - len(spans)
            if not wanted:
                return sorted(spans.items())
    return None


def _after_line(file: BinaryIO) -> int:
    while (piece := file.readline(_BUFFER)) and not piece.endswith(b"\n"):
        pass
    return file.tell()
