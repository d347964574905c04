"""Repair scale-down: fewer pixels, until an image is within limits."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from PIL import Image

_SHRINK = 0.9  # the next size if an image still has too many bytes


def scaled(image: Image.Image, limits: Mapping[str, int], share: float = 1.0) -> Image.Image:
    """Return *image* with sides and pixels within *limits* (width, height, pixels), times *share* at most."""
    width, height = image.size
    share = min(
        share,
        limits.get("width", width) / width,
        limits.get("height", height) / height,
        sqrt(limits.get("pixels", width * height) / (width * height)),
    )
    if share >= 1:
        return image
    size = max(1, int(width * share)), max(1, int(height * share))
    return image.resize(size, Image.Resampling.LANCZOS)


def share_for(size: int, most: int) -> float:
    """Return by what an image of *size* bytes is to be scaled to have at most *most*; 1 if it has."""
    return 1.0 if size <= most else _SHRINK * sqrt(most / size)
