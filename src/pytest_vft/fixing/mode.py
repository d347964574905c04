"""Repair convert-mode: the colours as RGB, or as RGBA if any pixel is transparent."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from PIL import Image

from pytest_vft.encoding import rgb_or_rgba

_LIGHTEST, _BYTE = 65_535, 255
_STEPS = 257  # values of 16 bits for each of 8 bits: 65535 / 255


def in_mode(image: Image.Image, modes: Collection[str] | None) -> Image.Image:
    """Return *image* in one of *modes*, None for any; a transparent image is put on white if it must be RGB.

    Raises ValueError if neither RGB nor RGBA is among *modes*.
    """
    if modes is None or image.mode in modes:
        return image
    converted = in_colours(image)
    if converted.mode in modes:
        return converted
    if converted.mode == "RGB" and "RGBA" in modes:
        return converted.convert("RGBA")
    if "RGB" in modes:
        return Image.alpha_composite(Image.new("RGBA", converted.size, "white"), converted).convert("RGB")
    raise ValueError("neither RGB nor RGBA is accepted")


def in_colours(image: Image.Image) -> Image.Image:
    """Return *image* as RGB, or as RGBA if any pixel is transparent, as it is seen: nothing is stretched.

    Raises ValueError for grey values without a fixed scale: floats, and integers that are not of 16 bits.
    """
    if image.mode not in {"I", "F"} and not image.mode.startswith("I;16"):
        return rgb_or_rgba(image)
    grey = image.convert("F")
    grey.info.clear()  # a transparent grey value would have the old scale
    darkest, lightest = cast("tuple[float, float]", grey.getextrema())
    if image.mode == "F" or darkest < 0 or lightest > _LIGHTEST or (image.mode == "I" and lightest <= _BYTE):
        raise ValueError("its grey values do not have a fixed scale")
    return grey.point(lambda level: level * (1 / _STEPS) + 0.5).convert("L").convert("RGB")
