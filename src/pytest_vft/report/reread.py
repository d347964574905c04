"""Entries of a file that was checked, read again for what a finding does not hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import islice

from pytest_vft.model import Split
from pytest_vft.reading.entries import FileEntry, read_entries
from pytest_vft.reading.files import open_file


def read_again(path: str, split: Split, numbers: Collection[int]) -> Iterator[tuple[int, FileEntry]]:
    """Yield each entry of the file whose number, from 1, is in *numbers*, as far as the file can be read."""
    opened = open_file(path)
    if not opened.is_read or not numbers:
        return
    wanted = frozenset(numbers)
    with suppress(OSError):
        entries = enumerate(read_entries(path, split, opened), 1)
        yield from (pair for pair in islice(entries, max(wanted)) if pair[0] in wanted)


def entry_number(line: int | None, element: int | None) -> int:
    """Return the number of the entry on *line*, or of *element* of an array; 0 for a whole file."""
    if line is None:
        return 0
    return line if element is None else element + 1
