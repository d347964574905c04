"""Rows of Parquet files as lines of JSON: nulls are left out, and an image with its bytes is a data URL.

pyarrow (extra "parquet") is imported when a file is Parquet.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

import orjson
import pybase64
from xxhash import xxh3_64_hexdigest

from pytest_vft.model import Split
from pytest_vft.reading.content_error import ContentError
from pytest_vft.reading.opening import data_size, open_data
from pytest_vft.reading.shards import BATCH, LONGEST_LINE, LongLine, Rows, Shard
from pytest_vft.text import Safe, safe

INSTALL = 'pip install "pytest-vft[parquet]"'
_MAGIC = b"PAR1"  # at both ends of a file; PARE if the footer is encrypted
_ENCRYPTED = b"PARE"
_BUFFER = 1024 * 1024  # bytes of a column that are read at once
_DECODED = 8 * 1024 * 1024  # bytes of rows, by the figures of their row group, that are decoded together
_LARGEST_ROW = LONGEST_LINE  # bytes, on average in a row group by its own figures
_MOST_ROWS = 4_096  # that are decoded together
# In the data URL of an image that is bytes in the file, before ;base64: data:image/png;table=bytes;base64,...
BYTES_MARK = ";table=bytes"
# A column of type Image of datasets is a struct of these.
_IMAGE = {"bytes", "path"}
_MEDIA_TYPES = {b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp", b"GIF8": "image/gif"}


class Table(NamedTuple):
    """The names of the columns of a Parquet file, and its number of rows."""

    columns: tuple[str, ...]
    rows: int


def parquet_problem(path: str) -> str | None:
    """Return why the Parquet file at *path* cannot be read; None if it can. Raises OSError."""
    if find_spec("pyarrow") is None:
        return Safe(f"it is Parquet, which needs pyarrow: {INSTALL}")
    with open_data(path) as file:
        head = file.read(len(_MAGIC))
        file.seek(max(file.seek(0, os.SEEK_END) - len(_MAGIC), 0))
        end = file.read()
    if _ENCRYPTED in (head, end):
        return "it is encrypted Parquet; write it without encryption"
    if end != _MAGIC:
        return "it is Parquet without its end; copy or download it again"
    try:
        read_table(path)
    except ContentError as error:
        return error.strerror
    return None


def read_table(path: str) -> Table:
    """Return columns and number of rows of the Parquet file at *path*. Raises OSError."""
    with _opened(path) as table:
        return Table(tuple(table.schema_arrow.names), table.metadata.num_rows)


def cut_rows(path: str, split: Split, shard_bytes: int) -> list[Shard]:
    """Return the Parquet file at *path* in shards of row groups, each of about *shard_bytes* or one group.

    Raises OSError.
    """
    import pyarrow  # noqa: ICN001, PLC0415 - for Parquet only

    with _opened(path) as table:
        metadata, size = table.metadata, data_size(path)
        groups = [_place(metadata.row_group(number), size) for number in range(metadata.num_row_groups)]
        types = f"{table.schema_arrow} {pyarrow.__version__}"
    about = xxh3_64_hexdigest(types.encode())
    shards: list[Shard] = []
    for number, (start, end) in enumerate(groups):
        last = shards[-1] if shards else None
        if last and last.rows and end - last.start <= shard_bytes and start >= last.end:
            shards[-1] = last._replace(end=end, rows=last.rows._replace(last=number + 1))
        else:
            shards.append(Shard(path, split, start, end, rows=Rows(number, number + 1, schema=about)))
    return shards


def all_rows(path: str, split: Split, size: int) -> Shard:
    """Return the Parquet file at *path* of *size* bytes as one shard."""
    return Shard(path, split, 0, size, rows=Rows(0, None))


def read_rows(shard: Shard) -> Iterator[bytes | LongLine]:
    """Yield each row of *shard* as a line of JSON; a LongLine for one that is too long. Raises OSError."""
    rows = shard.rows
    assert rows is not None  # noqa: S101 - a shard of lines has no rows
    left = rows.number
    skipped = rows.skipped
    with _opened(shard.path) as table:
        last = table.metadata.num_row_groups if rows.last is None else rows.last
        for number in range(rows.first, last):
            group = table.metadata.row_group(number)
            if skipped >= group.num_rows:
                skipped -= group.num_rows
                continue
            if group.total_byte_size > _LARGEST_ROW * max(group.num_rows, 1):
                raise ContentError(errno.EFBIG, f"its rows have more than {_LARGEST_ROW:,} bytes", shard.path)
            for batch in table.iter_batches(_batch_size(group), row_groups=[number], use_threads=False):
                taken = batch.slice(skipped, left)
                skipped -= min(skipped, batch.num_rows)
                for row in taken.to_pylist():
                    text = orjson.dumps(_json(row), default=str, option=orjson.OPT_APPEND_NEWLINE)
                    yield text if len(text) <= LONGEST_LINE else LongLine(len(text), newline=True)
                if left is not None:
                    left -= taken.num_rows
                    if not left:
                        return


def read_row_batches(shard: Shard) -> Iterator[list[bytes | LongLine]]:
    """Yield the rows of *shard* in batches of at least 1 MiB; see read_rows()."""
    batch: list[bytes | LongLine] = []
    size = 0
    for row in read_rows(shard):
        batch.append(row)
        size += len(row) if isinstance(row, bytes) else 0
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """Return the Parquet file at *path*, opened. Raises OSError, also while it is read."""
    import pyarrow  # noqa: ICN001, PLC0415 - for Parquet only
    from pyarrow import parquet  # noqa: PLC0415 - as above

    with open_data(path) as file:
        try:
            with parquet.ParquetFile(file, pre_buffer=False, buffer_size=_BUFFER) as table:
                yield table
        except MemoryError:
            raise
        except (pyarrow.ArrowException, OSError, ValueError, TypeError, RecursionError) as error:
            if isinstance(error, OSError) and error.strerror:
                raise
            words = str(error).partition("\n")[0] or type(error).__name__
            raise ContentError(errno.EIO, Safe(f"pyarrow: {safe(words)}"), path) from error


def _place(group: Any, size: int) -> tuple[int, int]:
    """Return where the columns of *group* start and end in a file of *size* bytes."""
    start, end = size, 0
    for number in range(group.num_columns):
        column = group.column(number)
        first = min(column.dictionary_page_offset or column.data_page_offset, column.data_page_offset)
        start, end = min(start, first), max(end, first + column.total_compressed_size)
    return max(start, 0), max(min(end, size), start, 0)


def _batch_size(group: Any) -> int:
    """Return how many rows of *group* are decoded together, at least one."""
    each = max(group.total_byte_size // max(group.num_rows, 1), 1)
    return int(min(max(_DECODED // each, 1), _MOST_ROWS))


def _json(value: Any) -> Any:
    """Return *value* without nulls in objects, and with images as {"url": ...} or {"path": ...}."""
    if isinstance(value, dict):
        if "bytes" in value and value.keys() <= _IMAGE:
            return _image(value)
        return {key: shown for key, one in value.items() if (shown := _json(one)) is not None}
    if isinstance(value, list):
        return [_json(one) for one in value]
    return _image({"bytes": value}) if isinstance(value, bytes) else value


def _image(value: dict[str, Any]) -> Any:
    data = value["bytes"]
    if isinstance(data, bytes):
        kind = next((kind for start, kind in _MEDIA_TYPES.items() if data.startswith(start)), "image/png")
        return {"url": f"data:{kind}{BYTES_MARK};base64,{pybase64.b64encode_as_string(data)}"}
    path = value.get("path")
    return None if path is None else {"path": path}
