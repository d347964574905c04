"""Fingerprints of images: images that look alike have similar ones, whatever their size and format.

Formulas and thresholds: docs/explanation/image-content.md.
"""

from __future__ import annotations

import math
from binascii import b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul
from typing import NamedTuple

from PIL import Image

from pytest_vft.reading.measurers import Columns
from pytest_vft.reading.views import DecodedImage, View

# https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html: dHash, here with the
# filter of Lanczos, which finds 99 % of halved images where a mean of boxes finds 90 % (measured 2026-11-25).
_ROWS, _ACROSS = 8, 9
_GAP = 3.0  # a mean of boxes goes before the filter, down to three times the size: four times as fast
_SIDE = 12  # of the thumbnail that confirms a pair
_HASH = 8  # bytes
_FLAT = 8  # standard deviation of grey, below which all images have similar hashes
# Bits of entropy of grey, below which a drawing has too few levels: discs that differ by colour have 2.1.
_FEWEST = 2.5
_PAPER = 0.5  # of the pixels have one level: a chart, a page or a thing on white, which are alike by nature
_NEAR = 8  # levels that count as one
_LEVELS = range(256)
NO_FINGERPRINT = ""

# The least correlation of thumbnails, which is higher for what is on paper: of 7,140 pairs of charts and as
# many of pages with the same layout, none reaches it (measured 2026-11-29).
_ALIKE = 0.95
_ALIKE_ON_PAPER = 0.998


class Look(NamedTuple):
    """A hash of 64 bits, whether most of the image is of one level, and the levels of a thumbnail."""

    hash: int
    on_paper: bool
    levels: bytes

    def is_like(self, other: Look) -> bool:
        """Return whether both images look alike; their hashes are similar."""
        least = _ALIKE_ON_PAPER if self.on_paper or other.on_paper else _ALIKE
        return correlation(self.levels, other.levels) >= least


def correlation(ours: bytes, theirs: bytes) -> float:
    """Return Pearson's correlation of two thumbnails, 0 if one has a single level."""
    number, sum_, other_sum = len(ours), sum(ours), sum(theirs)
    shared = number * sum(map(mul, ours, theirs)) - sum_ * other_sum
    spread = number * sum(map(mul, ours, ours)) - sum_ * sum_
    other_spread = number * sum(map(mul, theirs, theirs)) - other_sum * other_sum
    return shared / math.sqrt(spread * other_spread) if spread and other_spread else 0.0


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """The fingerprints of images, in base64."""

    id: str = "fingerprint 1"
    columns: tuple[str, ...] = ("fingerprint",)
    views: frozenset[View] = frozenset({"grey"})

    def measure(self, images: Sequence[DecodedImage]) -> Sequence[Columns]:
        """Return the fingerprint of each image; "" for a flat one, None for one that was not decoded."""
        return [{"fingerprint": None if one.grey is None else fingerprint(one.grey)} for one in images]


def fingerprint(grey: Image.Image) -> str:
    """Return the fingerprint of the image in mode L, "" if it is nearly of one level, or of a few levels."""
    if grey.entropy() < _FEWEST:
        return NO_FINGERPRINT
    histogram = grey.histogram()
    levels = grey.resize((_SIDE, _SIDE), Image.Resampling.BOX, reducing_gap=_GAP).tobytes()
    # The thumbnail varies less than the image, and is measured faster.
    if _variance(levels) < _FLAT * _FLAT and _variance(_LEVELS, histogram) < _FLAT * _FLAT:
        return NO_FINGERPRINT
    ladder = grey.resize((_ACROSS, _ROWS), Image.Resampling.LANCZOS, reducing_gap=_GAP).tobytes()
    hashed = 0
    for start in range(0, _ROWS * _ACROSS, _ACROSS):
        for at in range(start, start + _ACROSS - 1):
            hashed = hashed << 1 | (ladder[at] < ladder[at + 1])
    return b2a_base64(hashed.to_bytes(_HASH) + bytes([_is_paper(histogram)]) + levels, newline=False).decode()


def _variance(levels: Sequence[int], numbers: Sequence[int] | None = None) -> float:
    """Return the variance of *levels*, which occur in these *numbers*, or once each."""
    weighted = levels if numbers is None else list(map(mul, levels, numbers))
    number = len(levels) if numbers is None else sum(numbers)
    mean: float = sum(weighted) / number
    square: float = sum(map(mul, weighted, levels)) / number
    return square - mean * mean


def _is_paper(histogram: Sequence[int]) -> bool:
    """Return whether most pixels are of about the commonest level."""
    commonest = histogram.index(max(histogram))
    around = histogram[max(0, commonest - _NEAR) : commonest + _NEAR + 1]
    return sum(around) >= _PAPER * sum(histogram)


def read_look(data: bytes) -> Look:
    """Return the content of a fingerprint, decoded from base64."""
    return Look(int.from_bytes(data[:_HASH]), bool(data[_HASH]), data[_HASH + 1 :])
