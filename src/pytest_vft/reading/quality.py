"""Whether an image is dark, bright, nearly empty, blurred or without colours.

Formulas and thresholds: docs/explanation/image-content.md.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul

from PIL import Image, ImageChops

from pytest_vft.reading.measurers import Columns
from pytest_vft.reading.views import GREY_MODES, DecodedImage, View

# The darkest pixels of this share do not count. cleanvision leaves out 5 % at full size; means of 64 pixels
# are less dark, by up to 3 levels. With 3 %, the lower one of precision and recall against cleanvision is
# highest on the photos on which thresholds are chosen (measured 2026-11-30).
_SHADES = 3 / 100
_LIGHTS = 99 / 100  # of the pixels are not brighter than the brightest light that counts
_EDGES = 995 / 1000  # of the differences of neighbours are not stronger than the edges that count
_SMALLEST = 8  # pixels of a side, below which there is no coarse scale to compare with
_QUARTER = 4
_NOISE = 8  # levels by which bands differ after lossy encoding of a grey image


@dataclass(frozen=True, slots=True)
class Colours:
    """Whether an image has colours."""

    id: str = "colours 4"
    columns: tuple[str, ...] = ("colours",)
    views: frozenset[View] = frozenset({"colour"})

    def measure(self, images: Sequence[DecodedImage]) -> Sequence[Columns]:
        """Return whether red, green and blue differ anywhere; None for an image in colour, by its header."""
        return [{"colours": _has_colours(one)} for one in images]


def _has_colours(image: DecodedImage) -> bool | None:
    if image.mode in GREY_MODES:
        return False
    if image.colour is None:
        return None
    red, green, blue = image.colour.split()
    differences = (ImageChops.difference(red, green), ImageChops.difference(green, blue))
    return any(one.getextrema()[1] > _NOISE for one in differences)  # type: ignore[operator]  # one band


@dataclass(frozen=True, slots=True)
class Light:
    """How dark, bright and varied an image is, by the histogram of its small grey view."""

    id: str = "light 4"
    columns: tuple[str, ...] = ("lights", "shades", "entropy")
    views: frozenset[View] = frozenset({"grey"})

    def measure(self, images: Sequence[DecodedImage]) -> Sequence[Columns]:
        """Return the levels of lights and shades, from 0 to 255, and the entropy in hundredths of a bit."""
        return [self._measure(one) for one in images]

    def _measure(self, image: DecodedImage) -> Columns:
        if image.grey is None:
            return dict.fromkeys(self.columns)
        numbers = list(accumulate(image.grey.histogram()))
        lights, shades = _level(numbers, _LIGHTS), _level(numbers, _SHADES)
        return {"lights": lights, "shades": shades, "entropy": round(100 * image.entropy)}


@dataclass(frozen=True, slots=True)
class Sharpness:
    """How sharp an image is, by fine against coarse edges in the middle."""

    id: str = "sharpness 3"
    columns: tuple[str, ...] = ("sharpness", "contrast")
    views: frozenset[View] = frozenset({"grey", "centre"})

    def measure(self, images: Sequence[DecodedImage]) -> Sequence[Columns]:
        """Return the strength of fine edges in percent of coarse ones, and the standard deviation of grey."""
        return [
            {
                "sharpness": None if one.centre is None else sharpness(one.centre),
                "contrast": None if one.grey is None else round(_deviation(one.grey)),
            }
            for one in images
        ]


def sharpness(grey: Image.Image) -> int:
    """Return the strength of edges between neighbours in percent of that at a quarter of the size.

    Blur weakens the first and leaves the second; light and contrast change both alike. 100 for an image of
    fewer than 8 pixels a side.
    """
    if min(grey.size) < _SMALLEST:
        return 100
    coarse = grey.reduce(_QUARTER)
    fine = max(_edges(grey, 1, 0), _edges(grey, 0, 1))
    return round(100 * fine / max(1, _edges(coarse, 1, 0), _edges(coarse, 0, 1)))


def _edges(grey: Image.Image, right: int, down: int) -> int:
    """Return the strength of the strongest edges, from 0 to 255, leaving out the few strongest pixels."""
    width, height = grey.size
    here, there = (0, 0, width - right, height - down), (right, down, width, height)
    differences = ImageChops.difference(grey.crop(here), grey.crop(there)).histogram()
    return _level(list(accumulate(differences)), _EDGES)


def _deviation(grey: Image.Image) -> float:
    """Return the standard deviation of the levels of *grey*."""
    histogram = grey.histogram()
    weighted = list(map(mul, range(256), histogram))
    mean = sum(weighted) / sum(histogram)
    square: float = sum(map(mul, range(256), weighted)) / sum(histogram)
    return math.sqrt(max(0.0, square - mean * mean))


def _level(numbers: Sequence[int], share: float) -> int:
    """Return the lowest level at or below which *share* of the pixels lie.

    *numbers* are those of the pixels at or below each level.
    """
    return bisect_left(numbers, math.ceil(share * numbers[-1]))
