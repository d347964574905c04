"""Writing of the kept entries of a file: what is between them stays as it was written, too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from pytest_vft.reading.entries import FileEntry
from pytest_vft.reading.files import BYTE_ORDER_MARK, OpenedFile


class EntryCopier:
    """Writes entries of the file *source*, described by *opened*, to *file*, in their order.

    The byte-order mark is written unless *without_mark*.
    """

    def __init__(self, file: BinaryIO, source: BinaryIO, opened: OpenedFile, *, without_mark: bool) -> None:
        self._file = file
        self._source = source
        self._skipped = len(BYTE_ORDER_MARK) if opened.byte_order_mark and without_mark else 0
        self._before = BYTE_ORDER_MARK if opened.byte_order_mark and not without_mark else b""
        self._after = b""
        self._first = self._is_empty = True

    def keep(self, entry: FileEntry, raw: bytes | None = None) -> None:
        """Write *entry*, or *raw* in its place."""
        after = self._text_after(entry)
        self._file.write(self._before)
        self._file.writelines(entry.pieces() if raw is None else [raw])
        self._before = self._after = after
        self._is_empty = False

    def leave_out(self, entry: FileEntry) -> None:
        """Do not write *entry*."""
        self._after = self._text_after(entry)

    def end(self) -> None:
        """Write what follows the last entry."""
        if self._is_empty:
            self._file.write(self._before)
        self._file.write(self._after)

    def _text_after(self, entry: FileEntry) -> bytes:
        """Return the text from the end of *entry* to the next one, which lines do not have."""
        if entry.element is None:
            return b""
        if self._first:
            self._before = self._read(self._skipped, entry.element.start)
            self._first = False
        return self._read(entry.element.start + _size(entry.pieces()), entry.shard.end)

    def _read(self, start: int, end: int) -> bytes:
        self._source.seek(start)
        return self._source.read(end - start)


def _size(pieces: Iterable[bytes]) -> int:
    return sum(map(len, pieces))
