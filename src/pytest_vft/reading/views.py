"""What measurers see of a decoded image: its header, and views of its pixels.

The small views always come from one reduction, whatever else is needed, so that all runs measure the same.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

from PIL import Image

# A small grey image, the same in colour, the same with tints if grey has few levels, a larger one in colour,
# and a square from the middle at full size.
LargerView = Literal["large", "centre"]
View = Literal["grey", "colour", "tints"] | LargerView

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
    least 48 pixels if possible; *entropy* is that of *grey* in bits. *tints*, of mode RGB or YCbCr, has that
    size in an image that *has_few_levels*. *large*, of mode RGB, is reduced so that the longer side has at
    least 320. *centre* is a grey square of at most 256 pixels from the middle of the image, not reduced.
    Transparent pixels are white, and all views but the centre are upright: turned by *orientation*, that of
    EXIF. A view is None if no measurer needs it, if only the header was read, or if memory does not suffice.

    *covered* is the part of *grey* and *tints* that the image covers, None for all of it. If a size is no
    multiple of the factor, the last row or column is made of fewer pixels. That is left in an image that was
    turned.
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
    covered: Box | None = None
    entropy: float = 0.0

    @property
    def has_few_levels(self) -> bool:
        """Whether the grey view has an entropy below 2.5 bits."""
        return self.grey is not None and self.entropy < FEW_LEVELS


def small_factor(width: int, height: int) -> int:
    """Return by which factor an image is reduced for the views grey and colour."""
    return _factor(min(width, height), _SHORTEST_SIDE)


def decoding_factor(width: int, height: int, views: Collection[View]) -> int:
    """Return by which factor a JPEG is reduced for *views*: that of the small ones if grey is among them.

    Otherwise, *views* are a larger one that the decode for the small ones does not serve.
    """
    if "grey" in views:
        return small_factor(width, height)
    return 1 if "centre" in views else _large_factor(width, height)


def needs_colour(width: int, height: int, views: Collection[View]) -> bool:
    """Return whether what is decoded for *views* must have colours, as far as it serves them."""
    if "colour" in views or "tints" in views:
        return True
    return "large" in views and decoding_factor(width, height, views) <= _large_factor(width, height)


def _large_factor(width: int, height: int) -> int:
    return _factor(max(width, height), LONGEST_SIDE)


def _factor(side: int, least: int) -> int:
    factor = _MOST_REDUCED
    while factor > 1 and side < least * factor:
        factor //= 2
    return factor


def opaque(image: Image.Image) -> Image.Image:
    """Return *image* in mode L, RGB or YCbCr, on white if it is transparent."""
    if image.mode in ("L", "RGB", "YCbCr"):
        return image
    if image.mode in ("1", "I;16", "I", "F"):
        return eight_bits(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    shown = image.convert("RGBA")
    ground = Image.new("RGBA", shown.size, _WHITE)
    ground.alpha_composite(shown)
    return ground.convert("RGB")


def see(  # noqa: PLR0913, PLR0917 - the header, what was decoded, and what is asked for
    mode: str, width: int, height: int, orientation: int, decoded: Image.Image, views: Collection[View]
) -> DecodedImage:
    """Return the small *views* of the image with this header, *decoded* whole or reduced, and opaque.

    Its tints are left out if it was decoded in grey.
    """
    factor = small_factor(width, height)
    small = _view(decoded, factor / _reduction(width, height, decoded), orientation)
    grey = _grey(small)
    entropy = grey.entropy()
    has_tints = "tints" in views and entropy < FEW_LEVELS and (small.mode != "L" or mode in GREY_MODES)
    return DecodedImage(
        mode,
        width,
        height,
        grey=grey,
        colour=_in_colour(small) if "colour" in views else None,
        tints=_tinted(small) if has_tints else None,
        orientation=orientation,
        covered=None if orientation in _UPRIGHT else _covered(width / factor, height / factor, grey),
        entropy=entropy,
    )


def see_tints(image: DecodedImage, decoded: Image.Image) -> Image.Image:
    """Return the tints of *image*, *decoded* in colours."""
    factor = small_factor(image.width, image.height) / _reduction(image.width, image.height, decoded)
    return _tinted(_view(decoded, factor, image.orientation))


def see_larger(view: LargerView, image: DecodedImage, decoded: Image.Image) -> Image.Image | None:
    """Return the larger *view* of *image*, None if it was reduced by more than that needs when *decoded*."""
    needed = decoding_factor(image.width, image.height, (view,))
    reduced = _reduction(image.width, image.height, decoded)
    if reduced > needed:
        return None
    if view == "centre":
        return _grey(_centre(decoded))
    return _in_colour(_view(decoded, needed / reduced, image.orientation))


def _reduction(width: int, height: int, decoded: Image.Image) -> int:
    """Return by which factor an image of this size was reduced when it was *decoded*."""
    return max(1, round(max(width, height) / max(decoded.size)))


def _view(image: Image.Image, factor: float, orientation: int) -> Image.Image:
    """Return *image* reduced by *factor*, if that is above 1, and turned upright."""
    small = image.reduce(int(factor)) if factor > 1 else image
    turn = _UPRIGHT.get(orientation)
    return small if turn is None else small.transpose(turn)


def _covered(width: float, height: float, view: Image.Image) -> Box | None:
    """Return the part of *view* that *width* and *height* in its pixels cover, None for all of it."""
    if width == view.width and height == view.height:
        return None
    return 0, 0, min(width, view.width), min(height, view.height)


def _in_colour(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def _tinted(image: Image.Image) -> Image.Image:
    return image if image.mode == "YCbCr" else _in_colour(image)


def _grey(image: Image.Image) -> Image.Image:
    if image.mode == "YCbCr":  # the luma, which is what a decoder returns for a JPEG in grey
        return image.getchannel("Y")
    return image if image.mode == "L" else image.convert("L")


def eight_bits(image: Image.Image) -> Image.Image:
    """Return *image*, whose mode has one band and up to 16 bits, in mode L."""
    if image.mode == "1":
        return image.convert("L")
    return image.convert("I").point(lambda level: level / 256).convert("L")


def _centre(image: Image.Image) -> Image.Image:
    width, height = image.size
    left, top = max(0, (width - _CENTRE) // 2), max(0, (height - _CENTRE) // 2)
    return image.crop((left, top, left + min(width, _CENTRE), top + min(height, _CENTRE)))
