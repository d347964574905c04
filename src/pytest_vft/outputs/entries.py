"""Writing of entries: as lines, or as the elements of a JSON array."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO, Self


class EntryWriter:
    """Writes entries to *file*, unchanged: each on a line of its own or, *in_array*, as elements of an array.

    It is a context manager, whose end completes the array.
    """

    def __init__(self, file: BinaryIO, *, in_array: bool) -> None:
        self._file = file
        self._in_array = in_array
        self._before = b"[\n" if in_array else b""

    def add(self, pieces: Iterable[bytes]) -> None:
        """Write one entry, given as *pieces*, with or without its line break."""
        self._file.write(self._before)
        last = b""
        for piece in pieces:
            self._file.write(piece)
            last = piece
        if self._in_array:
            self._before = b",\n"
        else:
            self._before = b"" if last.endswith(b"\n") else b"\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._in_array:
            self._file.write(b"[]\n" if self._before == b"[\n" else b"\n]\n")
