"""The kind of a file, by its first bytes."""

from __future__ import annotations

import os
from typing import NamedTuple

from pytest_vft.reading.compression import END_OF_TEXT, GZIP, ZSTANDARD, Compression
from pytest_vft.reading.object_paths import is_object, is_pinned
from pytest_vft.reading.opening import open_data
from pytest_vft.reading.text_files import text_container
from pytest_vft.regular_files import read_start

HEAD = 65_536
LINES, ARRAY, PARQUET = "JSONL", "a JSON array", "Parquet"  # the containers that are read
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", GZIP),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"]\0\0", "LZMA"),  # properties and dictionary of the encoder; the format has no magic
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x28\xb5\x2f\xfd", ZSTANDARD),
    (b"PAR1", PARQUET),
    (b"PARE", PARQUET),  # with an encrypted footer
    (b"ARROW1\0\0", "Arrow"),
    (b"\xff\xff\xff\xff", "Arrow"),  # a stream, as datasets writes it
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"%PDF-", "a PDF"),
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer"),
)
_MAGICS = tuple(magic for magic, _ in _MAGIC)
# After 0x50 to 0x5f: a frame to be skipped, with which pzstd starts a file (RFC 8878, section 3.1.2).
_SKIPPABLE = b"\x2a\x4d\x18"
# In a tar archive the magic follows the name, mode and owner of the first file (POSIX.1-2001, pax).
_TAR_MAGIC = slice(257, 262)
# ASCII text in these encodings is 0 in all bytes of a character but one.
_WIDE = (("UTF-32", 4, (b"\xff\xfe\0\0", b"\0\0\xfe\xff")), ("UTF-16", 2, (b"\xff\xfe", b"\xfe\xff")))
_WIDE_MARKS = tuple(mark for _, _, marks in _WIDE for mark in marks)
_PROBED = 64  # bytes that show an encoding


class OpenedFile(NamedTuple):
    """What the first 64 KiB of a file show, or those of its text if it is compressed.

    *bytes* is its size on disk. *container* is LINES for a file that can be read line by line, otherwise its
    kind; "unreadable" if it cannot be read, in which case *error* says why.
    """

    bytes: int
    container: str
    byte_order_mark: bool
    error: str | None
    compression: Compression | None = None

    @property
    def end(self) -> int:
        """Where the text of the file ends, in bytes."""
        return END_OF_TEXT if self.compression else self.bytes

    @property
    def is_read(self) -> bool:
        """Whether the entries of the file can be read: JSON Lines, JSON arrays and Parquet."""
        return self.error is None and self.container in (LINES, ARRAY, PARQUET)


def open_file(path: str) -> OpenedFile:
    """Return size and kind of the file at *path*. An object is read only once.

    Raises UsageError if the file is compressed in a way for which a package is not installed.
    """
    return open_start(path)[0]


def open_start(path: str) -> tuple[OpenedFile, bytes]:
    """Like open_file(), also return the first 64 KiB of the file; none of an object."""
    if not is_pinned(path):
        return _open(path)
    if "opened" not in path.known:
        path.known["opened"] = _open(path)[0]
    opened: OpenedFile = path.known["opened"]
    return opened, b""


def _open(path: str) -> tuple[OpenedFile, bytes]:
    try:
        head, size = _read_object(path) if is_object(path) else read_start(path, HEAD)
    except OSError as error:
        return OpenedFile(0, "unreadable", False, error.strerror or type(error).__name__), b""
    except ValueError:  # a NUL character in the path
        return OpenedFile(0, "unreadable", False, "not a file name"), b""
    kind = container(head)
    if kind in (GZIP, ZSTANDARD):
        return _open_compressed(path, kind, size), head
    problem = _problem(path) if kind == PARQUET else None
    return OpenedFile(size, kind, head.startswith(BYTE_ORDER_MARK), problem), head


def _read_object(path: str) -> tuple[bytes, int]:
    with open_data(path) as file:
        return file.read(HEAD), file.seek(0, os.SEEK_END)


def _open_compressed(path: str, name: str, size: int) -> OpenedFile:
    from pytest_vft.reading.compressed import open_text  # noqa: PLC0415 - for few files

    compression = Compression(name, size)
    try:
        with open_text(path, compression) as text:
            head = text.read(HEAD)
    except OSError as error:
        return OpenedFile(size, "unreadable", False, error.strerror or type(error).__name__)
    kind = container(head)
    kind = kind if kind in (LINES, ARRAY) else f"{kind} in {name}"
    return OpenedFile(size, kind, head.startswith(BYTE_ORDER_MARK), None, compression)


def _problem(path: str) -> str | None:
    from pytest_vft.reading.parquet import parquet_problem  # noqa: PLC0415 - for Parquet only

    try:
        return parquet_problem(path)
    except OSError as error:
        return error.strerror or type(error).__name__


def container(head: bytes) -> str:
    """Return the kind of a file that starts with *head*: "JSONL", "gzip", "UTF-16", "a JSON array" ..."""
    if head.startswith(_MAGICS):
        return next(name for magic, name in _MAGIC if head.startswith(magic))
    if head[1:4] == _SKIPPABLE and head[0] >> 4 == 5:  # noqa: PLR2004 - as above
        return ZSTANDARD
    if head[_TAR_MAGIC] == b"ustar":
        return "a tar archive"
    return _wide_encoding(head) or text_container(head.removeprefix(BYTE_ORDER_MARK)) or LINES


def _wide_encoding(head: bytes) -> str | None:
    start = head[:_PROBED]
    if b"\0" not in start and not start.startswith(_WIDE_MARKS):
        return None
    if not any(start):
        return "a file of zero bytes"
    for name, width, marks in _WIDE:
        zeros = sum(not any(start[byte::width]) for byte in range(width))
        if head.startswith(marks) or (len(start) >= 2 * width and zeros == width - 1):
            return name
    return None
