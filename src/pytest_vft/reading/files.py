"""The kind of a file, by its first bytes."""

from __future__ import annotations

import os
from typing import NamedTuple

HEAD = 65_536
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_TWO_LETTERS = 4  # bytes in UTF-16

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PAR1", "Parquet"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer"),
)


class OpenedFile(NamedTuple):
    """What the first 64 KiB of a file show.

    *container* is "JSONL" for a file that can be read line by line, otherwise its kind; "unreadable" if
    it cannot be read, in which case *error* is the system's message.
    """

    bytes: int
    container: str
    byte_order_mark: bool
    error: str | None


def open_file(path: str) -> OpenedFile:
    """Return size and kind of the file at *path*; never raises."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - keeps the path as given
            head = file.read(HEAD)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        return OpenedFile(0, "unreadable", False, error.strerror or type(error).__name__)
    except ValueError:  # a NUL character in the path
        return OpenedFile(0, "unreadable", False, "not a file name")
    return OpenedFile(size, container(head), head.startswith(BYTE_ORDER_MARK), None)


def container(head: bytes) -> str:
    """Return the kind of a file that starts with *head*: "JSONL", "gzip", "UTF-16", "a JSON array" ..."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    start = head[:64]  # ASCII text in UTF-16 has a NUL in every other byte
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or (
        len(start) >= _TWO_LETTERS and not (any(start[1::2]) and any(start[0::2]))
    ):
        return "UTF-16"
    text = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if text[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "HTML"
    if text.startswith(b"["):
        return "a JSON array"
    first, _, rest = text.partition(b"\n")
    opens = first.startswith(b"{") and first.rstrip().endswith((b"{", b"[", b","))
    if opens and rest.startswith((b" ", b"\t", b'"')):
        return "pretty-printed JSON"
    return "JSONL"
