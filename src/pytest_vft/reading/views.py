"""What measurers see of a decoded image: its header, and views that one decode serves."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

from PIL import Image

# A small grey image, the same in colour, the same in colour if grey has few levels, a larger one in colour,
# and a square from the middle at full size.
View = Literal["grey", "colour", "tints", "large", "centre"]

GREY_MODES = ("1", "L", "LA", "I;16", "I", "F")

# The part of a view that an image covers: left, top, right and bottom in pixels.
Box = tuple[float, float, float, float]

# Sides in pixels. A fixed eighth loses resized copies of small images: 58 % of halves are found instead of
# 99 %, measured on 2026-11-25 with dHash and a distance of 3.
_SHORTEST_SIDE = 48
LONGEST_SIDE = 320  # of the large view, in which faces are looked for
_CENTRE = 256  # takes half the time of 384, and finds as many blurred images (measured 2026-11-29)
_MOST_REDUCED = 8  # the largest reduction of a JPEG decoder (libjpeg-turbo, scaling factors)
FEW_LEVELS = 2.5  # bits of entropy of grey: drawings, of which different colours may have equal greys
_WHITE = (255, 255, 255, 255)

# How an image is turned upright by its EXIF orientation (Exif 3.0, tag 0x0112).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class DecodedImage(NamedTuple):
    """An image as measurers see it; sizes are in pixels and are those of the file.

    *grey* and *colour*, of modes L and RGB, are reduced by 8, 4, 2 or 1, so that the shorter side has at
    least 48 pixels if possible; *entropy* is that of *grey* in bits. *tints* is *colour* of an image that
    *has_few_levels*. *large*, of mode RGB, is reduced so that the longer side has at least 320. *centre* is
    a grey square of at most 256 pixels from the middle of the image, not reduced. Transparent pixels are
    white, and all views but the centre are upright: turned by *orientation*, that of EXIF. A view is None if
    no measurer needs it, if only the header was read, or if memory does not suffice.
    """

    mode: str
    width: int
    height: int
    grey: Image.Image | None = None
    colour: Image.Image | None = None
    tints: Image.Image | None = None
    large: Image.Image | None = None
    centre: Image.Image | None = None
    orientation: int = 1
    entropy: float = 0.0

    @property
    def has_few_levels(self) -> bool:
        """Whether the grey view has an entropy below 2.5 bits."""
        return self.grey is not None and self.entropy < FEW_LEVELS

    @property
    def covered(self) -> Box | None:
        """The part of *grey* that the image covers, None for all of it.

        If a size is no multiple of the factor, the last row or column is made of fewer pixels. That is left
        in an image that was turned.
        """
        if self.grey is None or self.orientation in _UPRIGHT:
            return None
        factor = small_factor(self.width, self.height)
        return 0, 0, min(self.width / factor, self.grey.width), min(self.height / factor, self.grey.height)


def needs_colour(views: Collection[View]) -> bool:
    """Return whether *views* cannot be made of a grey image."""
    return "colour" in views or "large" in views


def small_factor(width: int, height: int) -> int:
    """Return by which factor an image is reduced for the views grey and colour."""
    return _factor(min(width, height), _SHORTEST_SIDE)


def decoding_factor(width: int, height: int, views: Collection[View]) -> int:
    """Return by which factor a decoder may reduce an image so that it serves *views*."""
    if "centre" in views:
        return 1
    small = small_factor(width, height)
    return min(small, _large_factor(width, height)) if "large" in views else small


def _large_factor(width: int, height: int) -> int:
    return _factor(max(width, height), LONGEST_SIDE)


def _factor(side: int, least: int) -> int:
    factor = _MOST_REDUCED
    while factor > 1 and side < least * factor:
        factor //= 2
    return factor


def see(  # noqa: PLR0913, PLR0917 - the header, what was decoded, and what is asked for
    mode: str, width: int, height: int, orientation: int, decoded: Image.Image, views: Collection[View]
) -> DecodedImage:
    """Return the *views* of the image with this header, *decoded* whole or reduced."""
    reduced = max(1, round(max(width, height) / max(decoded.size)))
    opaque = _opaque(decoded)
    turn = _UPRIGHT.get(orientation)

    def view(factor: int) -> Image.Image:
        small = opaque.reduce(factor // reduced) if factor > reduced else opaque
        return small.transpose(turn) if turn is not None else small

    small = view(small_factor(width, height))
    grey = _grey(small)
    entropy = grey.entropy()
    has_tints = entropy < FEW_LEVELS and "tints" in views and (small.mode == "RGB" or mode in GREY_MODES)
    return DecodedImage(
        mode,
        width,
        height,
        grey=grey,
        colour=_in_colour(small) if "colour" in views else None,
        tints=_in_colour(small) if has_tints else None,
        large=_in_colour(view(_large_factor(width, height))) if "large" in views else None,
        centre=_grey(_centre(opaque)) if "centre" in views and reduced == 1 else None,
        orientation=orientation,
        entropy=entropy,
    )


def _in_colour(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey(image: Image.Image) -> Image.Image:
    return image if image.mode == "L" else image.convert("L")


def _opaque(image: Image.Image) -> Image.Image:
    """Return *image* in mode L or RGB, on white if it is transparent."""
    if image.mode in ("L", "RGB"):
        return image
    if image.mode in ("1", "I;16", "I", "F"):
        return _eight_bits(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    shown = image.convert("RGBA")
    ground = Image.new("RGBA", shown.size, _WHITE)
    ground.alpha_composite(shown)
    return ground.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return *image*, whose mode has one band and up to 16 bits, in mode L."""
    if image.mode == "1":
        return image.convert("L")
    return image.convert("I").point(lambda level: level / 256).convert("L")


def _centre(image: Image.Image) -> Image.Image:
    width, height = image.size
    left, top = max(0, (width - _CENTRE) // 2), max(0, (height - _CENTRE) // 2)
    return image.crop((left, top, left + min(width, _CENTRE), top + min(height, _CENTRE)))
