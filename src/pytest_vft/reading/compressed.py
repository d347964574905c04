"""The text of gzip and Zstandard files, read as a stream.

The members of a gzip file, and the frames of a Zstandard file, are one text. Zstandard is in the standard
library of Python 3.14; the extra "zstd" installs its module for older versions.
"""

from __future__ import annotations

import errno
import io
import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol

from pytest_vft.errors import UsageError
from pytest_vft.reading.compression import GZIP, ZSTANDARD, Compression
from pytest_vft.reading.content_error import ContentError
from pytest_vft.reading.opening import open_data
from pytest_vft.text import Safe, safe

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

INSTALL = 'pip install "pytest-vft[zstd]"'
# A text above both limits is not read on, so the time for a file is bounded by its size on disk. Zeros are
# packed 1,029 times by gzip and 32,000 times by zstd (measured 2026-11-30), examples 1.3 to 20 times.
_MOST_TEXT = 1024 * 1024 * 1024
_MOST_TIMES = 256
# The same for a line, or for an array without line breaks, which are held in memory.
_LONGEST_LINE = 16 * 1024 * 1024
_LINE_TIMES = 64
_PIECE = 128 * 1024  # bytes of the file that are read at once
_LONGEST_MESSAGE = 200
_COMMANDS = {GZIP: "gunzip", ZSTANDARD: "zstd -d"}


class _Decompressor(Protocol):
    """One member or frame, like bz2.BZ2Decompressor."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipMember:
    """A member of a gzip file, which is checked against its checksum."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: with header and checksum of gzip

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


class _Codec(NamedTuple):
    """What makes a decompressor, what it raises for damaged data, and the byte that may fill up a file.

    *checksum* is the number of bytes behind a text by which it is checked.
    """

    start: Callable[[], _Decompressor]
    error: type[Exception]
    padding: bytes
    checksum: int


def open_text(
    path: str, compression: Compression, start: int = 0, buffer: int = _PIECE
) -> io.BufferedReader[Any]:
    """Open the text of the compressed file at *path*, from byte *start* of the text on.

    Reading raises ContentError, which names the line, for damaged data, for a file that is cut off, and for a
    text that is too long. Raises OSError, and UsageError if the module for Zstandard is not installed.
    """
    codec = _zstandard(path) if compression.name == ZSTANDARD else _Codec(_GzipMember, zlib.error, b"\0", 8)
    file = open_data(path, 0)  # closed with the text
    text: io.BufferedReader[Any] = io.BufferedReader(_Text(path, compression, file, codec), buffer)
    while start and (piece := text.read(min(start, _PIECE))):
        start -= len(piece)
    return text


def _zstandard(path: str) -> _Codec:
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    try:
        zstd: Any = import_module(name)
    except ImportError:
        raise UsageError(f"{path}: is compressed (Zstandard), which needs {name}: {INSTALL}") from None
    return _Codec(zstd.ZstdDecompressor, zstd.ZstdError, b"", 4)


class _Text(io.RawIOBase):
    """The text of *file*, unpacked by *codec*."""

    def __init__(self, path: str, compression: Compression, file: BinaryIO, codec: _Codec) -> None:
        super().__init__()
        self._path = path
        self._compression = compression
        self._file = file
        self._codec = codec
        self._most = max(_MOST_TEXT, _MOST_TIMES * compression.bytes)
        self._part: _Decompressor | None = None
        self._held = b""  # read from the file: its last bytes, as far as they are known
        self._pending = b""  # read from the file, and not yet given to the decompressor
        self._empty = b""  # the last member or frame without text, with its checksum
        self._longest = max(_LONGEST_LINE, _LINE_TIMES * compression.bytes)
        self._bytes = self._lines = self._line_start = 0

    def readable(self) -> bool:
        """Return True: texts can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read into *buffer* and return the number of bytes, 0 at the end. Raises OSError."""
        view = memoryview(buffer).cast("B")
        try:
            text = self._unpack(len(view))
        except self._codec.error as error:
            if "ictionary" in str(error):
                words = "was packed with a dictionary, which is not read; unpack it by zstd -d -D DICTIONARY"
            else:
                words = f"is damaged {self._damage()}: {safe(str(error), _LONGEST_MESSAGE)}"
            raise self._error(errno.EIO, words) from error
        if newlines := text.count(b"\n"):
            self._lines += newlines
            self._line_start = self._bytes + text.rindex(b"\n") + 1
        self._bytes += len(text)
        if self._bytes > self._most:
            raise self._bomb(f"more than {self._most:,} bytes of text")
        if self._bytes - self._line_start > self._longest:
            raise self._bomb(f"a line of more than {self._longest:,} bytes")
        view[: len(text)] = text
        return len(text)

    def close(self) -> None:
        """Close the text and its file."""
        self._file.close()
        super().close()

    def _unpack(self, size: int) -> bytes:
        """Return the next at most *size* bytes of the text, none at its end."""
        while True:
            at_end, is_new = False, self._part is None
            if not self._pending and (self._part is None or self._part.needs_input):
                self._pending = self._next_piece()
                at_end = not self._pending
            if self._part is None:
                if at_end:
                    return b""
                self._skip_empty()
                if not self._pending:
                    continue
                self._part = self._codec.start()
            part, data = self._part, b""
            if part.needs_input:
                data, self._pending = self._pending, b""
            text = part.decompress(data, size)
            if part.eof:
                self._end(part, data, is_empty=is_new and not text)
            if text:
                return text
            if at_end and not part.eof:
                raise self._error(errno.EIO, f"ends {self._damage()}: the file is cut off; copy it again")

    def _end(self, part: _Decompressor, data: bytes, *, is_empty: bool) -> None:
        """End *part*, and keep what was behind it in *data*, and *part* itself if it *is_empty*."""
        rest = part.unused_data
        if is_empty:
            self._empty = data[: len(data) - len(rest)]
        self._part, self._pending = None, rest + self._pending

    def _skip_empty(self) -> None:
        """Skip padding, and repetitions of a member or frame that was read and is empty.

        A decompressor takes 8 us to start, 200,000 of them (1.8 MB) 2 s at each reading (2026-11-30).
        """
        start, size = 0, len(self._empty)
        self._pending = self._pending.lstrip(self._codec.padding)
        while size and self._pending.startswith(self._empty, start):
            start += size
        self._pending = self._pending[start:]

    def _next_piece(self) -> bytes:
        """Return the next bytes of the file, none at its end.

        The last bytes, which have the checksum, come alone: a decompressor that finds a wrong one does not
        return the text of the same piece.
        """
        piece = self._file.read(_PIECE)
        data = self._held + piece
        held = self._codec.checksum if piece and len(data) > self._codec.checksum else 0
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def _bomb(self, what: str) -> ContentError:
        unpack = _COMMANDS[self._compression.name]
        return self._error(
            errno.EFBIG,
            f"has {what}, so nothing is read {self._place()}; "
            f"if the file is not a decompression bomb, unpack it by {unpack} and check what that writes",
        )

    def _place(self) -> str:
        return f"after line {self._lines:,}" if self._lines else "in line 1"

    def _damage(self) -> str:
        """Return where the text ends; up to one piece of it, or a block of Zstandard, is lost."""
        return self._place() if self._lines else "near the start"

    def _error(self, number: int, words: str) -> ContentError:
        return ContentError(number, Safe(f"its {self._compression.name} data {words}"), self._path)
