"""Objects in object storage as files: read in pieces, the next one while a piece is used."""

from __future__ import annotations

import io
from concurrent.futures import Future
from functools import partial
from typing import BinaryIO, NamedTuple, cast

from pytest_vft.reading.object_paths import ObjectPath, is_pinned
from pytest_vft.reading.objects import look_at, read_range
from pytest_vft.reading.waiting import result_of, started

PIECE = 8 * 1024 * 1024  # bytes; ranges of 8 to 16 MB use the network of S3 well
_FIRST = 64 * 1024  # bytes of the first piece if it is not known how much is needed
_GROWTH = 4
_BUFFER = 64 * 1024

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance-guidelines.html#optimizing-performance-guidelines-get-range
# recommends ranges of 8 to 16 MB; read on 2026-11-30.


def open_object(path: str, buffer: int, start: int, end: int | None) -> BinaryIO:
    """Open the object at *path* at byte *start*; bytes from *end* on are not needed. Raises OSError.

    *buffer* is that of open().
    """
    raw = _ObjectFile(path if is_pinned(path) else look_at(path), start, end)
    if buffer == 0:
        return cast("BinaryIO", raw)
    return io.BufferedReader(raw, _BUFFER if buffer < 0 else buffer)


class _Piece(NamedTuple):
    """Bytes of an object, and where they start."""

    start: int
    data: memoryview

    @property
    def end(self) -> int:
        return self.start + len(self.data)


class _ObjectFile(io.RawIOBase):
    """An object that is read in pieces.

    If *end* is known, pieces have PIECE bytes; otherwise they grow up to that as long as they are read
    in order.
    """

    def __init__(self, path: ObjectPath, start: int, end: int | None) -> None:
        self._path = path
        self._at = start
        self._piece = _Piece(start, memoryview(b""))
        self._end = min(path.size, end) if end is not None else path.size
        self._step = _FIRST if end is None else PIECE
        self._ahead: tuple[int, Future[memoryview]] | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._path.size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader passes
        if self._at >= self._path.size or not len(buffer):
            return 0
        if not self._piece.start <= self._at < self._piece.end:
            self._piece = self._next_piece()
        offset = self._at - self._piece.start
        data = self._piece.data[offset : offset + len(buffer)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _next_piece(self) -> _Piece:
        """Return the piece that starts here, and start to read the one after it."""
        start = self._at
        in_order = start == self._piece.end and self._piece.data
        if in_order:
            self._step = min(self._step * _GROWTH, PIECE)
        if self._ahead and self._ahead[0] == start:
            data = result_of(self._ahead[1])
        else:
            data = read_range(self._path, start, self._until(start))
        self._ahead = None
        piece = _Piece(start, data)
        if self._step == PIECE and piece.end < self._end:
            ahead = partial(read_range, self._path, piece.end, self._until(piece.end))
            self._ahead = piece.end, started(ahead)
        return piece

    def _until(self, start: int) -> int:
        """Return where a piece ends that begins at *start*: behind the end that was given only if it must."""
        limit = self._end if start < self._end else self._path.size
        return min(start + (self._step if start < self._end else _FIRST), limit)
