"""What the images of target turns look like, as a table that merges."""

from __future__ import annotations

from array import array
from binascii import a2b_base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from pytest_vft.checking.turn_tables import shifted

UNKNOWN, FLAT, KNOWN = range(3)  # what is known: nothing, that an image is left out, or its fingerprint
_WIDTH = 3  # numbers in a row


class SeenImage(NamedTuple):
    """An image with the low half of its *key*, on *line*.

    *fingerprint* is empty for an image that is left out, None for one that was not decoded.
    """

    line: int
    key: int
    fingerprint: bytes | None


@dataclass(slots=True)
class LookTable:
    """Distinct images with their fingerprints: about 380 bytes for each image.

    A row has line, key, and whether the fingerprint, which is in *fingerprints*, is known. All fingerprints
    have the same length.
    """

    rows: array[int] = field(default_factory=partial(array, "Q"))
    fingerprints: bytearray = field(default_factory=bytearray)
    _known: set[int] | None = field(default=None, init=False, compare=False)

    @property
    def _keys(self) -> set[int]:
        if self._known is None:
            self._known = set(self.rows[1::_WIDTH])
        return self._known

    def append(self, line: int, key: int, fingerprint: str | None) -> None:
        """Add the image with this half of a key; not again if it was added before."""
        if key not in self._keys:
            self._add(line, key, None if fingerprint is None else a2b_base64(fingerprint))

    def extend(self, other: LookTable, lines: int) -> None:
        """Add the images of *other*, which follows after *lines* lines, except those added before."""
        keys = self._keys
        if keys.isdisjoint(other.rows[1::_WIDTH]):
            self.rows += shifted(other.rows, _WIDTH, 0, lines)
            self.fingerprints += other.fingerprints
            keys.update(other.rows[1::_WIDTH])
            return
        for line, key, fingerprint in other:
            if key not in keys:
                self._add(line + lines, key, fingerprint)

    def _add(self, line: int, key: int, fingerprint: bytes | None) -> None:
        self._keys.add(key)
        if fingerprint:
            self.rows.extend((line, key, KNOWN))
            self.fingerprints += fingerprint
        else:
            self.rows.extend((line, key, UNKNOWN if fingerprint is None else FLAT))

    def pack(self) -> None:
        """Forget what is only needed to add images: 110 bytes for each."""
        self._known = None

    @property
    def number_known(self) -> int:
        """The number of images with a fingerprint."""
        return self.rows[2::_WIDTH].count(KNOWN)

    @property
    def size(self) -> int:
        """The bytes of a fingerprint; 0 if none is known."""
        return len(self.fingerprints) // max(1, self.number_known)

    def __len__(self) -> int:
        return len(self.rows) // _WIDTH

    def states(self) -> Iterator[tuple[int, int, int]]:
        """Yield line, key and state of each image."""
        return zip(*[iter(self.rows)] * _WIDTH, strict=True)

    def __iter__(self) -> Iterator[SeenImage]:
        size = self.size
        at = 0
        for line, key, state in self.states():
            if state == KNOWN:
                yield SeenImage(line, key, bytes(self.fingerprints[at : at + size]))
                at += size
            else:
                yield SeenImage(line, key, b"" if state == FLAT else None)
