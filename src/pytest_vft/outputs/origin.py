"""FILE.origin.csv, which leads from each line of FILE to the line that it was made of."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, NamedTuple

from pytest_vft.outputs.folder import OutputPart
from pytest_vft.outputs.names import ORIGIN
from pytest_vft.regular_files import regular
from pytest_vft.report.csv import csv_text

COLUMNS = ("line", "file", "origin")


class Origins:
    """The origins of the lines of *name* in *part*, or of its elements if it is an array."""

    def __init__(self, part: OutputPart, name: str, *, in_array: bool, stack: ExitStack) -> None:
        self._part = part
        self._name = name
        self._in_array = in_array
        self._stack = stack
        self._file: BinaryIO | None = None
        self._number = 0
        self._unmoved_of: str | None = None  # the file that all lines so far come from, in which none moved

    def add(self, path: str, place: str) -> None:
        """Note that the next line comes from *place* in *path*: "12" for a line, "#7" for an element."""
        new = self._place(self._number)
        if self._file is None:
            if place == new and self._unmoved_of in (None, path):
                self._unmoved_of, self._number = path, self._number + 1
                return
            self._file = self._stack.enter_context(self._part.open(self._name + ORIGIN))
            self._file.write(csv_text([COLUMNS]).encode())
            for number in range(self._number):
                self._write(self._place(number), self._unmoved_of or "", self._place(number))
        self._write(new, path, place)
        self._number += 1

    def add_unmoved(self, path: str, start: int, number: int) -> bool:
        """Note that the next *number* lines come from those from *start* on in *path*.

        Return False, and note nothing, if these or the lines before come from another place or file.
        """
        if self._file is not None or start != self._number or self._unmoved_of not in (None, path):
            return False
        self._unmoved_of, self._number = path, start + number
        return True

    def _place(self, number: int) -> str:
        return f"#{number}" if self._in_array else str(number + 1)

    def _write(self, *row: str) -> None:
        assert self._file is not None  # noqa: S101 - add() opens it
        self._file.write(csv_text([row]).encode())


@contextmanager
def origins(part: OutputPart, name: str, *, in_array: bool = False) -> Iterator[Origins]:
    """Yield the origins of the lines of *name* in *part* or, *in_array*, of its elements.

    No file is written if each line is in the place of the one that it comes from, in one file.
    """
    with ExitStack() as stack:
        yield Origins(part, name, in_array=in_array, stack=stack)


class Origin(NamedTuple):
    """The line or element that another one comes from: its file, and its place there, "12" or "#7"."""

    file: str
    place: str


def read_origins(path: str) -> list[Origin]:
    """Return the origin of each line of a file, from its FILE.origin.csv at *path*.

    The list is empty if *path* is a file of another kind, or cannot be read.
    """
    try:
        with open(path, encoding="utf-8", newline="", opener=regular) as file:
            rows = csv.reader(file)
            if tuple(next(rows, ())) != COLUMNS:
                return []
            return [Origin(origin, place) for _, origin, place in rows]
    except (OSError, ValueError, csv.Error):
        return []
