"""Byte ranges of a file that start after a newline, so that they can be read apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from pytest_vft.model import Split
from pytest_vft.reading.remote import Remote

SHARD_BYTES = 8 * 1024 * 1024  # a second of decoding: what Ctrl-C waits for, and progress jumps by
LONGEST_LINE = 512 * 1024 * 1024
_BUFFER = 1024 * 1024
_BATCH = 1024 * 1024  # bytes of lines whose images are looked up together


class Shard(NamedTuple):
    """The bytes from *start* up to *end* of the file at *path*, with what else belongs to the file.

    *ignored* are the rules without findings in this file; *remotes* holds what was found behind the
    URLs of this shard.
    """

    path: str
    split: Split
    start: int
    end: int
    data_format: str = "openai"
    ignored: frozenset[str] = frozenset()
    remotes: Mapping[str, Remote] = {}


class LongLine(NamedTuple):
    """A line that is too long to be held in memory: its length with the newline, if it has one."""

    bytes: int
    newline: bool


def cut_shards(path: str, split: Split, start: int, size: int, shard_bytes: int) -> list[Shard]:
    """Return *path* from byte *start* to *size* in shards of about *shard_bytes*, in order.

    A cut lies after the first newline at or behind each multiple of *shard_bytes*.
    Raises OSError when the file cannot be read.
    """
    cuts = [start]
    with open(path, "rb") as file:  # noqa: PTH123 - the path is kept as the user wrote it
        while cuts[-1] + shard_bytes < size:
            file.seek(cuts[-1] + shard_bytes - 1)
            while (piece := file.readline(_BUFFER)) and not piece.endswith(b"\n"):
                pass
            cuts.append(file.tell())
    if cuts[-1] < size:
        cuts.append(size)
    return [Shard(path, split, first, last) for first, last in pairwise(cuts)]


def read_lines(shard: Shard, longest: int = LONGEST_LINE) -> Iterator[bytes | LongLine]:
    """Yield the lines of *shard*, with the newline, the one byte that ends a line.

    Of one that has more than *longest* bytes only the length is given.

    str.splitlines and text files also cut at U+2028 and at a lone CR, which may stand in JSON.
    Raises OSError when the file cannot be read.
    """
    left = shard.end - shard.start
    with open(shard.path, "rb", buffering=_BUFFER) as file:  # noqa: PTH123 - as above
        file.seek(shard.start)
        while left > 0 and (line := file.readline(min(left, longest + 1))):
            left -= len(line)
            if len(line) <= longest:
                yield line
                continue
            length, last = len(line), line[-1:]
            del line
            while last != b"\n" and left > 0 and (piece := file.readline(min(left, _BUFFER))):
                left -= len(piece)
                length, last = length + len(piece), piece[-1:]
            yield LongLine(length, last == b"\n")


def read_batches(shard: Shard) -> Iterator[list[bytes | LongLine]]:
    """Yield the lines of *shard* as read_lines() does, several together: a MiB, or one longer line."""
    batch: list[bytes | LongLine] = []
    size = 0
    for line in read_lines(shard):
        batch.append(line)
        size += len(line)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
