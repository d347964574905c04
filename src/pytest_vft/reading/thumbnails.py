"""Thumbnails of images: decoded within the limits of a check, and encoded again as WEBP."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from pytest_vft.reading.decoder_memory import MOST_MEMORY, decoder_memory
from pytest_vft.reading.decoding import MOST_DECODED_PIXELS, OPENERS, is_limit
from pytest_vft.reading.images import image_format
from pytest_vft.reading.views import eight_bits
from pytest_vft.reading.webp import webp_header

SIDE = 128  # pixels
_QUALITY = 72
_FINER = 2  # a JPEG is decoded at no less than this multiple of its thumbnail


class Thumbnail(NamedTuple):
    """A WEBP without metadata, with its size in pixels and that of the image which it shows."""

    data: bytes
    width: int
    height: int
    original_width: int
    original_height: int


def draw_thumbnail(data: bytes) -> Thumbnail | None:
    """Return the image in *data* with sides of at most SIDE pixels, as it is stored: EXIF does not turn it.

    Of a damaged image, the part that can be decoded is drawn. Returns None for what cannot be opened, and
    for an image that takes more than MOST_MEMORY to decode.
    """
    opener = OPENERS.get(image_format(data))
    if opener is None or _is_large_webp(data):
        return None
    with warnings.catch_warnings(action="ignore"):  # rules report the same more precisely
        try:
            image = opener(BytesIO(data))
            width, height = image.size
            size = _fitted(width, height)
            if not _decode(image, data, size):
                return None
            return Thumbnail(_encoded(image, size), *size, width, height)
        except Exception:  # noqa: BLE001 - decoders raise any exception; rules name it
            return None


def _is_large_webp(data: bytes) -> bool:
    webp = webp_header(data)
    return webp is not None and decoder_memory(data, "WEBP", webp.mode, webp.pixels) > MOST_MEMORY


def _fitted(width: int, height: int) -> tuple[int, int]:
    """Return the size of the thumbnail of an image of *width* and *height*; a smaller one keeps its size."""
    scale = min(1.0, SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _decode(image: ImageFile.ImageFile, data: bytes, size: tuple[int, int]) -> bool:
    """Decode as much of *image* as possible; return whether there is anything to draw."""
    pixels = image.width * image.height
    factor = _reduce(image, size) if isinstance(image, JpegImageFile) else 1
    needed = decoder_memory(data, str(image.format), image.mode, pixels, factor=factor)
    if pixels > MOST_DECODED_PIXELS or needed > MOST_MEMORY:
        return False
    try:
        image.load()
    except Exception as error:  # noqa: BLE001 - as above
        image.tile = []  # load() now returns the pixels that were decoded before the error
        return not is_limit(error) and image.getbbox() is not None
    return True


def _reduce(image: JpegImageFile, size: tuple[int, int]) -> int:
    """Let the decoder reduce *image* towards *size*; return by which factor: 1, 2, 4 or 8."""
    width = image.width
    image.draft(None, (size[0] * _FINER, size[1] * _FINER))
    return round(width / image.width)


def _encoded(image: Image.Image, size: tuple[int, int]) -> bytes:
    if image.mode.startswith("I;16"):
        image = eight_bits(image)
        image.info = {}  # a transparent grey value would have the old scale
    mode = "RGBA" if image.has_transparency_data else "RGB"
    small = (image if image.mode == mode else image.convert(mode)).resize(
        size, Image.Resampling.BILINEAR, reducing_gap=_FINER
    )
    small.info = {}  # neither EXIF nor a colour profile
    file = BytesIO()
    small.save(file, "WEBP", quality=_QUALITY, method=4)
    return file.getvalue()
