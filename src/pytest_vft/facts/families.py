"""Tokens of an image by model family, as the processors of transformers count them.

A range covers the parameters that a model of the family may have: the defaults of the processor's class and
those of the released models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_vft.facts.tokens import Range, text_bounds

_THINNEST = 200  # the ratio of sides above which the processors of Qwen and GLM raise


class Formula(Protocol):
    """Counts the tokens of an image of known size."""

    def count(self, width: int, height: int) -> Range:
        """Return the tokens of an image of *width* by *height* pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedTokens:
    """The same number of tokens for every image: at least *least*, at most *most*."""

    least: int
    most: int

    def count(self, width: int, height: int) -> Range:  # noqa: ARG002 - as Formula
        """Return the tokens of an image."""
        return (self.least, self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTokens:
    """A token for each square of *unit* pixels, after the image is scaled to a number of pixels.

    *budgets* are pairs of the minimum and maximum number of pixels, each those of some models; an image
    counts *frames* times. The sides are scaled to multiples of *unit*.
    """

    unit: int
    budgets: Sequence[Sequence[int]]
    frames: int = 1

    def count(self, width: int, height: int) -> Range:
        """Return the tokens of an image of *width* by *height* pixels."""
        numbers = [self._count(width, height, *budget) for budget in self.budgets]
        return (min(numbers), max(numbers))

    def _count(self, width: int, height: int, min_pixels: int, max_pixels: int) -> int:
        unit, frames = self.unit, self.frames
        if frames > 1 and min(width, height) < unit:
            scale = unit / min(width, height)
            width, height = int(width * scale), int(height * scale)
        if max(width, height) > _THINNEST * min(width, height):
            return 0  # the processor raises
        across, down = round(width / unit), round(height / unit)
        if frames * across * down * unit**2 > max_pixels:
            shrink = math.sqrt(frames * width * height / max_pixels)
            across = max(1, math.floor(width / shrink / unit))
            down = max(1, math.floor(height / shrink / unit))
        elif frames * across * down * unit**2 < min_pixels:
            grow = math.sqrt(min_pixels / (frames * width * height))
            across, down = math.ceil(width * grow / unit), math.ceil(height * grow / unit)
        return across * down


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTokens:
    """A token for each patch of *patch* pixels, and one for each row of patches.

    A side that is longer than *longest* is scaled down to it.
    """

    patch: int
    longest: int

    def count(self, width: int, height: int) -> Range:
        """Return the tokens of an image, which may be turned by its EXIF orientation."""
        ratio = max(1.0, max(width, height) / self.longest)
        across = -(-math.floor(width / ratio) // self.patch)
        down = -(-math.floor(height / ratio) // self.patch)
        return (across * down + min(across, down), across * down + max(across, down))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """Scaling before the model's own processor, to at least *min_pixels* and at most *max_pixels*."""

    min_pixels: int
    max_pixels: int

    def __call__(self, width: int, height: int) -> tuple[int, int]:
        """Return the sides of an image of *width* by *height* pixels after scaling."""
        bounded = min(max(width * height, self.min_pixels), self.max_pixels)
        if bounded == width * height:
            return width, height
        scale = math.sqrt(bounded / (width * height))
        return max(1, int(width * scale)), max(1, int(height * scale))


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyTokens:
    """The tokens of an image for a model family, after a trainer's *resize*.

    The lower bound is 0 unless the formula and its parameters are *proved*.
    """

    formula: Formula
    proved: bool
    resize: Resize | None = None

    @property
    def low_detail(self) -> None:
        """None: there is no detail to choose."""

    count_text = staticmethod(text_bounds)

    def count(self, width: int | None, height: int | None, detail: str) -> Range:  # noqa: ARG002 - as ImageTokens
        """Return the tokens of an image of *width* by *height* pixels; 0 for an unknown size."""
        if not width or not height:
            return (0, 0)
        if self.resize:
            width, height = self.resize(width, height)
        least, most = self.formula.count(width, height)
        return (least if self.proved else 0, most)


_FORMULAS = {"fixed": FixedTokens, "units": UnitTokens, "rows": RowTokens}


def family_tokens(family: Mapping[str, Any], resize: Resize | None) -> FamilyTokens:
    """Return the tokens of *family*, a table of image-tokens.toml, after the *resize* of a trainer."""
    fields = {
        key: value
        for key, value in family.items()
        if key not in ("models", "kind", "proved", "source", "checked")
    }
    formula: Formula = _FORMULAS[family["kind"]](**fields)
    return FamilyTokens(formula=formula, proved=family["proved"], resize=resize)
