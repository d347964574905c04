"""What kind of file this is, decided on its first bytes."""

from __future__ import annotations

import os
from typing import NamedTuple

HEAD = 65_536
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PAR1", "Parquet"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer"),
)


class OpenedFile(NamedTuple):
    """A file as its first 64 KiB show it.

    *container* is "JSONL" for anything that may be read line by line, else the name of what it is;
    *error* is the system's word for why it cannot be read, and then *container* is "unreadable".
    """

    bytes: int
    container: str
    byte_order_mark: bool
    error: str | None


def open_file(path: str) -> OpenedFile:
    """Return size and kind of the file at *path*; never raises for what is on disk."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - the path is kept as the user wrote it
            head = file.read(HEAD)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        return OpenedFile(0, "unreadable", False, error.strerror or type(error).__name__)
    except ValueError:  # a NUL character in the path
        return OpenedFile(0, "unreadable", False, "not a file name")
    return OpenedFile(size, container(head), head.startswith(BYTE_ORDER_MARK), None)


def container(head: bytes) -> str:
    """Return what a file that starts with *head* is: "JSONL", "gzip", "UTF-16", "a JSON array" ..."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or _looks_like_utf16(head):
        return "UTF-16"
    text = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if text[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "HTML"
    if text.startswith(b"["):
        return "a JSON array"
    if _looks_pretty_printed(text):
        return "pretty-printed JSON"
    return "JSONL"


def _looks_like_utf16(head: bytes) -> bool:
    """ASCII text in UTF-16 without a mark has a NUL in every other byte."""
    start = head[:64]
    return len(start) >= 4 and (not any(start[1::2]) or not any(start[0::2]))  # noqa: PLR2004 - two letters


def _looks_pretty_printed(text: bytes) -> bool:
    """The first line opens an object and leaves it open, and the next one is indented."""
    first, newline, rest = text.partition(b"\n")
    if not newline or not first.startswith(b"{"):
        return False
    return first.rstrip().endswith((b"{", b"[", b",")) and rest.startswith((b" ", b"\t", b'"'))
