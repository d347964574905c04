"""Repair convert-mode: the colours as RGB, or as RGBA if any pixel is transparent."""

from __future__ import annotations

from collections.abc import Collection

from PIL import Image

from pytest_vft.encoding import rgb_or_rgba


def in_mode(image: Image.Image, modes: Collection[str] | None) -> Image.Image:
    """Return *image* in one of *modes*, None for any; a transparent image is put on white if it must be RGB.

    Raises ValueError if neither RGB nor RGBA is among *modes*.
    """
    if modes is None or image.mode in modes:
        return image
    converted = rgb_or_rgba(image)
    if converted.mode in modes:
        return converted
    if converted.mode == "RGB" and "RGBA" in modes:
        return converted.convert("RGBA")
    if "RGB" in modes:
        return Image.alpha_composite(Image.new("RGBA", converted.size, "white"), converted).convert("RGB")
    raise ValueError("neither RGB nor RGBA is accepted")
