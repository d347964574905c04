"""Tables as files whose rows are lines of JSON, in shards of about as much work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from xxhash import xxh3_128

from pytest_vft.checking.sizing import line_bytes
from pytest_vft.converting.entries import shard_entries
from pytest_vft.converting.work import CutFile, cut_file
from pytest_vft.errors import UsageError
from pytest_vft.formats.conversation import NotConvertedError
from pytest_vft.model import Source
from pytest_vft.reading.files import ARRAY, BYTE_ORDER_MARK, HEAD, OpenedFile, open_file
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.lines import parse_line
from pytest_vft.reading.local_images import LocalImages, image_roots
from pytest_vft.reading.opening import open_data
from pytest_vft.reading.shards import BATCH, SHARD_BYTES, read_pieces
from pytest_vft.tables.columns import Column
from pytest_vft.tables.rows import read_images
from pytest_vft.tables.spool import spool_csv, spool_rows

_TABLES = ("CSV", "TSV")
ROWS = "rows"  # the name of rows that are not in a file
_SAMPLE = 64  # rows


class RowFile(NamedTuple):
    """A table: *path* is what was given, "rows" for rows that are not in a file.

    *cut* is the file with lines of JSON, in shards; *is_spooled* says that vft wrote it, with a text for a
    row that is none. *lines* has the line of each row, if it is not its number. *key* is a hash of rows that
    are not in a file, whose images are encoded already. *share* is the number of bytes of images for each
    byte of a row.
    """

    path: str
    cut: CutFile
    key: str = ""
    is_spooled: bool = False
    lines: Sequence[int] | None = None
    share: float = 0.0

    @property
    def is_encoded(self) -> bool:
        """Whether the rows are not in a file, so that their images have the quality that was given."""
        return bool(self.key)

    @property
    def is_table(self) -> bool:
        """Whether the file is Parquet."""
        return self.cut.is_table

    @property
    def work(self) -> int:
        """The bytes to read, those of local images included."""
        return int(sum(shard.end - shard.start for shard in self.cut.shards) * (1 + self.share))

    def place(self, number: int) -> str:
        """Return the place of row *number*, from 0: "12" for a line, "#7" for an element."""
        return self.cut.place(number) if self.lines is None else str(self.lines[number])

    def line(self, number: int) -> int:
        """Return the line of row *number*, from 0."""
        return self.cut.line(number) if self.lines is None else self.lines[number]


def open_table(path: str, folder: Path) -> RowFile:
    """Return the table at *path*, with all rows in one shard; *folder* is for temporary files.

    Raises UsageError for a file that is not a table, and OSError.
    """
    opened = _opened(path)
    is_table = opened.container.startswith(_TABLES) or path.lower().endswith((".csv", ".tsv"))
    if is_table and not opened.compression:
        spooled = folder / str(len(list(folder.iterdir())))
        with spooled.open("wb") as file:
            lines = spool_csv(path, file)
        cut = _cut(path, str(spooled), open_file(str(spooled)), 2**62)
        return RowFile(path, cut, is_spooled=True, lines=lines)
    if not opened.is_read:
        raise UsageError(
            f"{path}: {opened.error or f'is {opened.container}'}; "
            "expected CSV, JSON Lines, a JSON array or Parquet"
        )
    return RowFile(path, _cut(path, path, opened, SHARD_BYTES))


def _opened(path: str) -> OpenedFile:
    """Return size and kind of the file at *path*; an export of a tool that is a JSON array is one."""
    opened = open_file(path)
    if opened.is_read or opened.error:
        return opened
    with open_data(path) as file:
        starts = file.read(HEAD).removeprefix(BYTE_ORDER_MARK).lstrip().startswith(b"[")
    return opened._replace(container=ARRAY) if starts else opened


def spool_table(rows: Iterable[Any], folder: Path, quality: int | None) -> RowFile:
    """Return *rows*, mappings, as a table in *folder*. Raises UsageError for other rows, and OSError."""
    spooled = folder / ROWS
    with spooled.open("wb") as file:
        spool_rows(rows, file, quality)
    whole = _cut(ROWS, str(spooled), open_file(str(spooled)), 2**62)
    hashed = xxh3_128()
    for shard in whole.shards:
        for piece in read_pieces(shard, BATCH):
            hashed.update(piece)
    return RowFile(ROWS, whole, hashed.hexdigest(), is_spooled=True)


def first_rows(table: RowFile) -> list[Mapping[str, Any]]:
    """Return the first rows of *table* that are objects.

    Raises UsageError, which says why, if none of the rows that are not JSON could be written as JSON.
    """
    entries = (entry for shard in table.cut.shards for entry in shard_entries(shard))
    values = (parse_line(entry.raw).value for entry in entries if isinstance(entry.raw, bytes))
    rows: list[Mapping[str, Any]] = list(
        islice((value for value in values if isinstance(value, dict)), _SAMPLE)
    )
    if not rows and table.is_spooled:
        for entry in shard_entries(table.cut.shards[0]) if table.cut.shards else ():
            why = parse_line(entry.raw).value
            raise UsageError(f"{table.path}:{table.place(0)}: {why}; no row can be used")
    return rows


def cut_by_work(
    table: RowFile, images: Column, rows: Sequence[Mapping[str, Any]], roots: tuple[str, ...]
) -> RowFile:
    """Return *table* in shards with about as many bytes of images, by the first *rows* of it.

    No image is opened; *roots* are folders of images besides that of the file. Raises OSError.
    """
    paths = [image.reference for row in rows for image in _images(images, row) if image.local]
    with closing(LocalImages(image_roots(table.path, roots), ImageStore(full=False))) as files:
        found = files.sizes(paths)
    whole = table.cut.shards
    sampled = sum(len(repr(row)) for row in rows)
    share = found / max(sampled, 1)
    if not whole or table.is_table:
        return table._replace(share=share)
    path = whole[0].path
    cut = _cut(table.path, path, _opened(path), line_bytes(SHARD_BYTES, share))
    return table._replace(cut=cut, share=share)


def _images(column: Column, row: Mapping[str, Any]) -> Iterator[Any]:
    try:
        yield from read_images(column, row, None)
    except NotConvertedError:
        return


def _cut(shown: str, path: str, opened: OpenedFile, shard_bytes: int) -> CutFile:
    return cut_file(Source(path), opened, shard_bytes)._replace(source=Source(shown))
