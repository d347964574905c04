"""The size of shards by work: bytes of lines and of the local images that the lines name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from pytest_vft.formats.base import DataFormat
from pytest_vft.formats.registry import URLS_ONLY, load_format
from pytest_vft.reading.elements import read_elements
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.lines import parse_line
from pytest_vft.reading.local_images import LocalImages, image_roots
from pytest_vft.reading.parquet import read_row_batches
from pytest_vft.reading.shards import LongLine, Shard, read_lines

_SAMPLE = 16  # lines
_SAMPLED_BYTES = 1024 * 1024
_LEAST = 4096  # bytes of the lines of a shard


def image_share(shard: Shard, others: tuple[str, ...]) -> float:
    """Return the estimated bytes of local images for each byte of *shard*, by its first examples.

    No image is opened. *others* are roots besides the folder of the file. Raises OSError if the file
    cannot be read.
    """
    if shard.data_format in URLS_ONLY or not (roots := image_roots(shard.path, others)):
        return 0.0
    data_format = load_format(shard.data_format, shard.layout)
    sampled = shard._replace(end=min(shard.end, shard.start + _SAMPLED_BYTES))
    entries: Iterable[bytes | LongLine]
    if shard.rows:
        entries = next(read_row_batches(shard), [])
    elif shard.part:
        entries = (element.raw for element in read_elements(sampled))
    else:
        entries = read_lines(sampled)
    lines = [raw for raw in islice(entries, _SAMPLE) if isinstance(raw, bytes)]
    with closing(LocalImages(roots, ImageStore(full=False))) as images:
        found = images.sizes([path for raw in lines for path in _paths(data_format, parse_line(raw).value)])
    return found / max(sum(map(len, lines)), 1)


def line_bytes(shard_bytes: int, share: float) -> int:
    """Return how many bytes of lines are *shard_bytes* of work."""
    return max(min(_LEAST, shard_bytes), int(shard_bytes / (1 + share)))


def _paths(data_format: DataFormat, example: Any) -> Iterator[str]:
    rows = data_format.read(example).rows if isinstance(example, dict) else ()
    for row in rows:
        yield from (reference for _, reference, _, local, _ in row[4] if local)
