"""Fingerprints of images: images that look alike have similar ones, whatever their size and format.

Formulas and thresholds: docs/explanation/image-content.md.
"""

from __future__ import annotations

import math
from binascii import b2a_base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import mul, sub
from struct import iter_unpack
from typing import NamedTuple

from PIL import Image, ImageChops, ImageFilter

from pytest_vft.reading.measurers import Columns
from pytest_vft.reading.views import Box, DecodedImage, View

# https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html: dHash, of means of four
# cells of the thumbnail. A bit is set where the right neighbour is brighter by more than _STEP, so that the
# noise of an encoder sets none on white. The filter of Hamming does not ring beside white, as Lanczos does:
# 204 of 206 copies of a quarter of the size keep their hash, where Lanczos without a step keeps 196
# (measured 2026-11-29). The bilinear filter takes 2.5 µs less an image, but finds 98 instead of 103 of 103
# copies of half the size, and takes 5 of 1,770 pairs of pages for alike (2026-11-30).
_ROWS, _ACROSS = 8, 9
_THUMBNAIL = (2 * _ACROSS, 2 * _ROWS)
_STEP = 2
_IS_BRIGHTER = [0] + 255 * [255]
_HASH = 8  # bytes
_FLAT = 24  # levels between the darkest and the brightest cell, below which all images have similar hashes
NO_FINGERPRINT = ""

# Tints are the means of blue and of red difference (ITU-T T.871) in a few cells. They tell apart images whose
# grey has few levels, as discs of different colours may have equal greys. Those of other images are zeros.
_TINTED = (6, 5)
_NO_TINTS = bytes(2 * _TINTED[0] * _TINTED[1])

# The least correlation of thumbnails. Besides, all cells but one must agree once light and contrast are
# equal: forms on one template correlate, and differ where they are filled in. A cell at an edge may differ by
# a share of the levels around it, as in a copy of another size. Drawings, charts and pages, which are alike
# by nature, must agree in each cell as they are: of 7,140 pairs of charts and as many of pages with the same
# layout, none agrees to 5 levels, and copies of half the size do (measured 2026-11-29).
_ALIKE = 0.95
_AT_EDGES = [round(0.1 * levels) for levels in range(256)]
_MOST_DIFFERENT = 5  # levels
_SIMILAR = frozenset(range(-_MOST_DIFFERENT, _MOST_DIFFERENT + 1))
# Levels by which tints may differ: those of copies of 180 charts and pages differ by at most 1 in other sizes
# and 3 as JPEGs of quality 20, those of thin lines in different colours by little more (measured 2026-11-30).
_SIMILAR_TINTS = frozenset(range(-3, 4))
_DRAWN = 80  # different levels of cells, below which an image on one ground is taken for a drawing
_GROUND = 0.4  # of the cells have one level: the ground on which something is drawn
_NEAR = 8  # levels that count as one


class Look(NamedTuple):
    """A hash of 64 bits, the levels of a thumbnail, and the tints of an image whose grey has few levels."""

    hash: int
    levels: bytes
    tints: bytes = _NO_TINTS

    @property
    def is_drawn(self) -> bool:
        """Whether the thumbnail has few levels, most of them about that of the ground: a chart or a page."""
        return _is_drawn(self.levels)

    def is_like(self, other: Look) -> bool:
        """Return whether both images look alike; their hashes are similar."""
        if _NO_TINTS not in (self.tints, other.tints) and not _agree(self.tints, other.tints, _SIMILAR_TINTS):
            return False
        if _agree(self.levels, other.levels):
            return True
        if self.is_drawn or other.is_drawn:
            return False
        return _agree_in_other_light(*sorted((self.levels, other.levels), key=_spread))


def _agree(ours: bytes, theirs: bytes, similar: frozenset[int] = _SIMILAR) -> bool:
    """Return whether two thumbnails, or their tints, differ in each cell by one of the *similar* levels."""
    return ours == theirs or similar.issuperset(map(sub, ours, theirs))


@lru_cache(maxsize=4096)  # an image of a template is compared with many
def _is_drawn(levels: bytes) -> bool:
    if len(set(levels)) >= _DRAWN:
        return False
    numbers = [levels.count(level) for level in range(256)]
    commonest = numbers.index(max(numbers))
    around = numbers[max(0, commonest - _NEAR) : commonest + _NEAR + 1]
    return sum(around) >= _GROUND * len(levels)


def _agree_in_other_light(weak: bytes, strong: bytes) -> bool:
    """Return whether thumbnails agree in all cells but one if *weak* gets the light and contrast of *strong*.

    The line from the levels of *weak* to those of *strong* is that of least squares.
    """
    number, sum_, other_sum = len(weak), sum(weak), sum(strong)
    shared = number * sum(map(mul, weak, strong)) - sum_ * other_sum
    spread, other_spread = _spread(weak), _spread(strong)
    if not spread or shared < _ALIKE * math.sqrt(spread * other_spread):
        return False
    slope = shared / spread
    start = (other_sum - slope * sum_) / number
    lit = _image(weak).convert("I").point(lambda level: level * slope + (start + 0.5)).convert("L")
    difference = ImageChops.difference(lit, _image(strong))
    edges = ImageChops.darker(_edges(weak), _edges(strong))
    differences = ImageChops.subtract(difference, edges).histogram()
    return sum(differences[_MOST_DIFFERENT + 1 :]) <= 1


@lru_cache(maxsize=4096)
def _spread(levels: bytes) -> int:
    """Return the variance of *levels*, times the square of their number."""
    total = sum(levels)
    squares: int = sum(map(mul, levels, levels))
    return len(levels) * squares - total * total


@lru_cache(maxsize=4096)
def _edges(levels: bytes) -> Image.Image:
    """Return by how many levels each cell may differ, since the cells around it differ."""
    image = _image(levels)
    highest, lowest = image.filter(ImageFilter.MaxFilter(3)), image.filter(ImageFilter.MinFilter(3))
    return ImageChops.subtract(highest, lowest).point(_AT_EDGES)


def _image(levels: bytes) -> Image.Image:
    return Image.frombytes("L", _THUMBNAIL, levels)


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """The fingerprints of images, in base64."""

    id: str = "fingerprint 6"
    columns: tuple[str, ...] = ("fingerprint",)
    views: frozenset[View] = frozenset({"grey", "tints"})

    def measure(self, images: Sequence[DecodedImage]) -> Sequence[Columns]:
        """Return the fingerprint of each image; "" for a flat one, None for one that was not decoded."""
        decoded = [one for one in images if one.grey is not None]
        known = iter(_fingerprints(decoded)) if decoded else iter(())
        return [{"fingerprint": None if one.grey is None else next(known)} for one in images]


def _fingerprints(images: Sequence[DecodedImage]) -> Iterator[str]:
    """Yield the fingerprint of each image; "" if it is nearly of one level, or if its tints are missing.

    The thumbnails are one below the other in a strip, so that the work of calls is done once for all.
    """
    width, height = _THUMBNAIL
    strip = Image.new("L", (width, height * len(images)))
    are_flat = [_add_thumbnail(image, strip, height * at) for at, image in enumerate(images)]
    levels, hashes = strip.tobytes(), _hashes(strip)
    size = width * height
    for at, (image, is_flat) in enumerate(zip(images, are_flat, strict=True)):
        if is_flat or (image.has_few_levels and image.tints is None):
            yield NO_FINGERPRINT
            continue
        tints = _NO_TINTS if image.tints is None else _tints(image.tints, image.covered)
        hash_ = hashes[_HASH * at : _HASH * (at + 1)]
        yield b2a_base64(hash_ + levels[size * at : size * (at + 1)] + tints, newline=False).decode()


def _add_thumbnail(image: DecodedImage, strip: Image.Image, top: int) -> bool:
    """Paste the thumbnail of *image* into *strip*, and return whether its levels are nearly equal.

    The methods of Image.core are those that Image calls; its own work takes a third of the time (Pillow 13).
    """
    assert image.grey is not None  # noqa: S101 - of those that were decoded
    width, height = _THUMBNAIL
    grey = image.grey.im
    thumbnail = grey.resize(_THUMBNAIL, Image.Resampling.HAMMING, image.covered or (0, 0, *grey.size))
    strip.im.paste(thumbnail, (0, top, width, top + height))
    darkest, brightest = thumbnail.getextrema()
    return bool(brightest - darkest < _FLAT)


def _hashes(strip: Image.Image) -> bytes:
    """Return the hashes of the thumbnails in *strip*: a bit for a cell, a byte for a row."""
    ladder = strip.reduce(2)
    left = ladder.crop((0, 0, _ACROSS - 1, ladder.height))
    right = ladder.crop((1, 0, _ACROSS, ladder.height))
    return ImageChops.subtract(right, left, offset=-_STEP).point(_IS_BRIGHTER, "1").tobytes()


def _tints(image: Image.Image, covered: Box | None) -> bytes:
    _, blue, red = image.resize(_TINTED, Image.Resampling.BOX, box=covered).convert("YCbCr").split()
    return blue.tobytes() + red.tobytes()


def read_hashes(data: bytes | bytearray, size: int) -> Iterator[int]:
    """Yield the hashes of the fingerprints in *data*, of *size* bytes each, decoded from base64."""
    return (hashed for (hashed,) in iter_unpack(f">Q{size - _HASH}x", data))


def read_look(data: bytes) -> Look:
    """Return the content of a fingerprint, decoded from base64."""
    tints = len(data) - len(_NO_TINTS)
    return Look(int.from_bytes(data[:_HASH]), data[_HASH:tints], data[tints:])
