"""Shards: byte ranges of a file that start after a line break and can be read independently."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from io import BufferedReader, BytesIO
from itertools import pairwise
from typing import Any, NamedTuple, cast

from pytest_vft.model import Split
from pytest_vft.reading.compression import Compression
from pytest_vft.reading.object_paths import is_object
from pytest_vft.reading.opening import data_size, open_data
from pytest_vft.reading.remote import Remote
from pytest_vft.regular_files import read_start

SHARD_BYTES = 8 * 1024 * 1024  # a second of decoding: the delay of Ctrl-C and the step of progress
LONGEST_LINE = 512 * 1024 * 1024
_BUFFER = 1024 * 1024
_SMALL = 64 * 1024  # bytes that are read at once
# Shards of object storage are larger, up to this, unless larger ones are asked for.
_OBJECT_FACTOR, _OBJECT_SHARD_BYTES = 8, 64 * 1024 * 1024
_BLANK = {b"\n": re.compile(rb"\n*"), b"\r\n": re.compile(rb"(?:\r\n)*")}
_LONGEST_BLANK = 2  # bytes; looking up a line of an image would hash all of it
BATCH = 1024 * 1024  # bytes of lines whose images are looked up in the cache together


class ArrayPart(NamedTuple):
    """A part of a JSON array: whether it has the opening bracket and the closing one."""

    opens: bool
    closes: bool


class NominalCut(NamedTuple):
    """How a shard was cut without reading: whether its start, or its end, is that of a line."""

    starts: bool
    ends: bool


class Rows(NamedTuple):
    """Rows of a Parquet file: those of its row groups from *first* up to, but without *last* (None: all).

    *number* rows (None: all) after *skipped* ones count. *schema* is a hash of the columns' types.
    """

    first: int
    last: int | None
    skipped: int = 0
    number: int | None = None
    schema: str = ""


class Shard(NamedTuple):
    """The bytes from *start* to *end* of the text of the file at *path*, with settings of the file.

    *ignored* holds the ids of rules that are ignored in the file, *remotes* what was found behind the
    URLs of the shard. *image_bytes* is the estimated size of its local images, and
    *layout* are settings of the data format. *part* is None for all but arrays, *rows* for all but Parquet,
    *cut* for all but lines of an object in object storage; the lines of such a shard are those of exact().
    *compression* is None for all but compressed files.
    """

    path: str
    split: Split
    start: int
    end: int
    data_format: str = "openai"
    ignored: frozenset[str] = frozenset()
    remotes: Mapping[str, Remote] = {}
    layout: Mapping[str, str] = {}
    image_bytes: int = 0
    part: ArrayPart | None = None
    rows: Rows | None = None
    cut: NominalCut | None = None
    compression: Compression | None = None

    @property
    def bytes(self) -> int:
        """The bytes to read from the file: all of a compressed file."""
        return self.compression.bytes if self.compression else self.end - self.start

    @property
    def work(self) -> int:
        """The bytes to read, those of local images included."""
        return self.bytes + self.image_bytes


class LongLine(NamedTuple):
    """A line that is too long to be held in memory; its length includes the line break, if any."""

    bytes: int
    newline: bool


def cut_shards(path: str, split: Split, start: int, size: int, shard_bytes: int) -> list[Shard]:
    """Return *path* from byte *start* to *size* in shards of about *shard_bytes*, in order.

    An object in object storage is not read, and its shards are larger, since requests take time; the worker
    that reads a shard finds its lines. Raises OSError if the file cannot be read.
    """
    if is_object(path):
        larger = min(shard_bytes * _OBJECT_FACTOR, max(shard_bytes, _OBJECT_SHARD_BYTES))
        return cut_nominally(path, split, start, size, larger)
    if start < size <= start + shard_bytes:
        return [Shard(path, split, start, size)]
    cuts = [start]
    with open_data(path) as file:
        while cuts[-1] + shard_bytes < size:
            file.seek(cuts[-1] + shard_bytes - 1)
            while (piece := file.readline(_BUFFER)) and not piece.endswith(b"\n"):
                pass
            cuts.append(file.tell())
    if cuts[-1] < size:
        cuts.append(size)
    return [Shard(path, split, first, last) for first, last in pairwise(cuts)]


def cut_nominally(path: str, split: Split, start: int, size: int, shard_bytes: int) -> list[Shard]:
    """Return *path* from byte *start* to *size* in shards of *shard_bytes*, wherever its lines are."""
    bounds = [*range(start, size, shard_bytes), size]
    return [
        Shard(path, split, first, last, cut=NominalCut(first == start, last == size))
        for first, last in pairwise(bounds)
    ]


def exact(shard: Shard) -> Shard:
    """Return *shard* with the bounds of its lines, which are those that start in it.

    Raises OSError if the file cannot be read.
    """
    path, start, end, cut = shard.path, shard.start, shard.end, shard.cut
    if cut is None:
        return shard
    first = start if cut.starts else _after_newline(path, start - 1, end - 1) or end
    last = end if cut.ends or first == end else _after_newline(path, end - 1, size := data_size(path)) or size
    return shard._replace(start=first, end=last, cut=None)


def _after_newline(path: str, at: int, limit: int) -> int | None:
    """Return the place after the first newline from *at* on; None without one before *limit*."""
    with open_data(path, 0, start=at) as file:
        while at < limit and (piece := file.read(_BUFFER)):
            found = piece.find(b"\n", 0, limit - at)
            if found >= 0:
                return at + found + 1
            at += len(piece)
    return None


def open_shard(shard: Shard, buffer: int = _BUFFER) -> BufferedReader[Any]:
    """Open the text of the file of *shard* where the shard starts. Raises OSError, also while it is read."""
    path, start, end = shard.path, shard.start, shard.end
    if shard.compression:
        from pytest_vft.reading.compressed import open_text  # noqa: PLC0415 - for compressed files only

        return open_text(path, shard.compression, start, buffer)
    if end <= _SMALL and not is_object(path):
        return BufferedReader(BytesIO(read_start(path, end, again=True)[0][start:]))
    return cast("BufferedReader[Any]", open_data(path, buffer, start=start, end=end))


def read_lines(
    shard: Shard, longest: int = LONGEST_LINE, *, folded: bool = False
) -> Iterator[bytes | LongLine]:
    """Yield the lines of *shard* with their line breaks; a LongLine for more than *longest* bytes.

    If *folded*, several equal blank lines are yielded as one text: there may be millions.
    Lines end at a newline only: str.splitlines and text files also split at U+2028 and a lone CR, which
    JSON may contain. Raises OSError if the file cannot be read.
    """
    shard = exact(shard)
    left = shard.end - shard.start
    with open_shard(shard) as file:
        while left > 0 and (line := file.readline(min(left, longest + 1))):
            left -= len(line)
            if len(line) <= longest:
                if folded and len(line) <= _LONGEST_BLANK and line in _BLANK:
                    line += (more := _equal_lines(file, line, left))
                    left -= len(more)
                yield line
                continue
            length, last = len(line), line[-1:]
            del line
            while last != b"\n" and left > 0 and (piece := file.readline(min(left, _BUFFER))):
                left -= len(piece)
                length, last = length + len(piece), piece[-1:]
            yield LongLine(length, last == b"\n")


def _equal_lines(file: BufferedReader[Any], line: bytes, left: int) -> bytes:
    """Read and return the next lines of *file* that equal *line*: about 1 MiB of *left* bytes at most."""
    pieces, size = [], 0
    while size < min(BATCH, left):
        found = _BLANK[line].match(file.peek()[: left - size])
        if not found or not found.end():
            break
        pieces.append(file.read(found.end()))
        size += found.end()
    return b"".join(pieces)


def read_pieces(shard: Shard, size: int) -> Iterator[bytes]:
    """Yield the bytes of *shard* on disk, in pieces of at most *size*. Raises OSError."""
    left, start = shard.bytes, 0 if shard.compression else shard.start
    with open_data(shard.path, 0, start=start, end=start + left) as file:
        while left > 0 and (piece := file.read(min(size, left))):
            left -= len(piece)
            yield piece


def read_batches(shard: Shard) -> Iterator[list[bytes | LongLine]]:
    """Yield the lines of *shard*, folded, in batches of at least 1 MiB; see read_lines()."""
    batch: list[bytes | LongLine] = []
    size = 0
    for line in read_lines(shard, folded=True):
        batch.append(line)
        size += len(line)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
