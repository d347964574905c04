"""A file that can be read, as one shard."""

from __future__ import annotations

from pytest_vft.model import Split
from pytest_vft.reading.arrays import open_array
from pytest_vft.reading.files import ARRAY, BYTE_ORDER_MARK, PARQUET, OpenedFile
from pytest_vft.reading.parquet import all_rows
from pytest_vft.reading.shards import Shard


def whole_shard(path: str, split: Split, opened: OpenedFile) -> Shard:
    """Return the file at *path*, which must be a container that is read.

    Raises OSError if an array cannot be read.
    """
    if opened.container == ARRAY:
        return open_array(path, split, opened)[0]
    if opened.container == PARQUET:
        return all_rows(path, split, opened.bytes)
    start = len(BYTE_ORDER_MARK) if opened.byte_order_mark else 0
    return Shard(path, split, start, opened.end, compression=opened.compression)
