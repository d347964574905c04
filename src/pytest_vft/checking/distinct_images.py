"""The distinct images of all files, in columns of numbers, since there may be many."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from pytest_vft.checking.dataset import Place
from pytest_vft.checking.key_columns import repeated
from pytest_vft.checking.looks import FLAT, KNOWN
from pytest_vft.checking.merging import FileTotals
from pytest_vft.model import SPLITS, Split
from pytest_vft.reading.fingerprint import read_hashes

_UNKNOWN, _FLAT = -1, -2  # in place of the number of a fingerprint
_Row = tuple[int, int, int, int]  # number of the file, line, key, number of the fingerprint


class DistinctImages:
    """The images of the target turns of *files*, by number in the order in which they occur.

    The files are in the order of splits; an image that is in several splits has a number in each. An image
    has a key, a first place, and a fingerprint if it was *decoded*.
    """

    def __init__(self, files: Sequence[FileTotals], *, decoded: bool) -> None:
        self.keys = array("Q")
        self._files = files
        self._first = array("Q")  # number of a file and a line for each image
        self._fingerprints = array("q")
        looks = [file.totals.looks for file in files] if decoded else []
        self._looks = looks
        self._known = list(accumulate((one.number_known for one in looks), initial=0))  # before each file
        self._size = max((one.size for one in looks), default=0)
        splits = [file.source.split for file in files]
        by_split: dict[Split, dict[int, int]] = {split: {} for split in splits}  # numbers by key
        for file, line, key, fingerprint in self._decoded() if decoded else self._undecoded():
            number = by_split[splits[file]].setdefault(key, len(self.keys))
            if number == len(self.keys):
                self.keys.append(key)
                self._first.extend((file, line))
                self._fingerprints.append(fingerprint)
            elif self._fingerprints[number] == _UNKNOWN:
                self._fingerprints[number] = fingerprint
        self._again = self._numbers_again()

    def _decoded(self) -> Iterator[_Row]:
        known = 0
        for file, table in enumerate(self._looks):
            for line, key, state in table.states():
                if state == KNOWN:
                    yield file, line, key, known
                    known += 1
                else:
                    yield file, line, key, _FLAT if state == FLAT else _UNKNOWN

    def _undecoded(self) -> Iterator[_Row]:
        for number, file in enumerate(self._files):
            for line, turn in file.totals.turns:
                for key in turn.images:
                    yield number, line, key, _UNKNOWN

    def divided(self) -> tuple[array[int], array[int], array[int]]:
        """Return the numbers of the images that have a fingerprint, are flat, and are not known."""
        known, flat, unknown = array("Q"), array("Q"), array("Q")
        for number, fingerprint in enumerate(self._fingerprints):
            (flat if fingerprint == _FLAT else unknown if fingerprint == _UNKNOWN else known).append(number)
        return known, flat, unknown

    def hashes(self, numbers: Sequence[int]) -> array[int]:
        """Return the hashes of the images with these *numbers*, which have fingerprints."""
        known = array("Q")
        for table in self._looks:
            if table.fingerprints:
                known.extend(read_hashes(table.fingerprints, self._size))
        return array("Q", (known[self._fingerprints[number]] for number in numbers))

    def fingerprint(self, number: int) -> bytes:
        """Return the fingerprint of an image that has one."""
        at = self._fingerprints[number]
        file = bisect_right(self._known, at) - 1
        start = (at - self._known[file]) * self._size
        return bytes(self._looks[file].fingerprints[start : start + self._size])

    def first(self, number: int) -> Place:
        """Return the first place of an image."""
        file, line = self._first[2 * number : 2 * number + 2]
        return Place(self._files[file], line)

    def split(self, number: int) -> int:
        """Return the number of the split of the first place of an image."""
        return SPLITS.index(self._files[self._first[2 * number]].source.split)

    def is_in_earlier_split(self, number: int) -> bool:
        """Return whether the same image is in an earlier split."""
        return number in self._again

    def _numbers_again(self) -> set[int]:
        several = repeated([self.keys])
        seen: set[int] = set()
        again: set[int] = set()
        for number, key in enumerate(self.keys if several else ()):
            if key in seen:
                again.add(number)
            elif key in several:
                seen.add(key)
        return again
