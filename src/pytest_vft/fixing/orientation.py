"""Repair rotate: the EXIF orientation is applied to the pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)  # orientations that exchange width and height
_BLOCK = 8  # pixels on each side of a block of a JPEG


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return *image* with EXIF *orientation*, from 1 to 8, applied."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def turned_tables(tables: Sequence[Sequence[int]], orientation: int) -> Sequence[Sequence[int]]:
    """Return the quantisation *tables* of a JPEG for its pixels turned by *orientation*.

    Tables are transposed where width and height are exchanged, so that each frequency keeps its step.
    """
    if orientation not in _SIDEWAYS:
        return tables
    return [
        [table[column * _BLOCK + row] for row in range(_BLOCK) for column in range(_BLOCK)]
        for table in tables
    ]
