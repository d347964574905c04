"""What the images of target turns look like, as a table that merges."""

from __future__ import annotations

from array import array
from binascii import a2b_base64
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from pytest_vft.checking.turn_tables import shifted
from pytest_vft.gaps import CAUSES, Cause

# What is known of an image: that it is left out, its fingerprint, or, from UNKNOWN on, why it has none.
FLAT, KNOWN, UNKNOWN = range(3)
_WIDTH = 3  # numbers in a row


class SeenImage(NamedTuple):
    """An image with the low half of its *key*, on *line*; *fingerprint* is empty unless *state* is KNOWN."""

    line: int
    key: int
    state: int
    fingerprint: bytes


@dataclass(slots=True)
class LookTable:
    """Distinct images with their fingerprints: about 380 bytes for each image.

    A row has line, key, and state: KNOWN for an image whose fingerprint is in *fingerprints*. These have
    the same length. The state of an image without one is UNKNOWN and the number of a cause.
    """

    rows: array[int] = field(default_factory=partial(array, "Q"))
    fingerprints: bytearray = field(default_factory=bytearray)
    _known: set[int] | None = field(default=None, init=False, compare=False)

    @property
    def _keys(self) -> set[int]:
        if self._known is None:
            self._known = set(self.rows[1::_WIDTH])
        return self._known

    def append(self, line: int, key: int, fingerprint: str | None, cause: Cause | None) -> None:
        """Add the image with this half of a key; not again if it was added before.

        *fingerprint* is empty for an image that is left out, None for one that has none because of *cause*.
        """
        if key in self._keys:
            return
        if fingerprint is not None:
            self._add(line, key, KNOWN if fingerprint else FLAT, a2b_base64(fingerprint))
            return
        assert cause is not None  # noqa: S101 - of an image without a fingerprint
        self._add(line, key, UNKNOWN + CAUSES.index(cause), b"")

    def extend(self, other: LookTable, lines: int) -> None:
        """Add the images of *other*, which follows after *lines* lines, except those added before."""
        keys = self._keys
        if keys.isdisjoint(other.rows[1::_WIDTH]):
            self.rows += shifted(other.rows, _WIDTH, 0, lines)
            self.fingerprints += other.fingerprints
            keys.update(other.rows[1::_WIDTH])
            return
        for line, key, state, fingerprint in other:
            if key not in keys:
                self._add(line + lines, key, state, fingerprint)

    def _add(self, line: int, key: int, state: int, fingerprint: bytes) -> None:
        self._keys.add(key)
        self.rows.extend((line, key, state))
        self.fingerprints += fingerprint

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

    def causes(self) -> Collection[Cause]:
        """Return why images have no fingerprint."""
        return {CAUSES[state - UNKNOWN] for state in set(self.rows[2::_WIDTH]) if state >= UNKNOWN}

    def unknown(self) -> dict[int, Cause]:
        """Return why images have no fingerprint, by key."""
        if not self.causes():  # the usual case, which is fast
            return {}
        return {key: CAUSES[state - UNKNOWN] for _, key, state in self.states() if state >= UNKNOWN}

    def states(self) -> Iterator[tuple[int, int, int]]:
        """Yield line, key and state of each image."""
        return zip(*[iter(self.rows)] * _WIDTH, strict=True)

    def __iter__(self) -> Iterator[SeenImage]:
        size = self.size
        at = 0
        for line, key, state in self.states():
            end = at + size if state == KNOWN else at
            yield SeenImage(line, key, state, bytes(self.fingerprints[at:end]))
            at = end
