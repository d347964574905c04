"""Decoding of an image by Pillow, within bounds of memory.

Pillow's classes are used directly: Image.open imports 45 plugins, raises for large images before
their size is known, and reports the JPEG of a phone as MPO.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from io import BytesIO
from typing import Literal, NamedTuple

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from pytest_vft.reading.decoder_memory import (
    MOST_MEMORY,
    MOST_PIXELS_OF_ANY_JPEG,
    decoder_memory,
    is_memory_short,
    most_memory,
    waiting_turn,
)
from pytest_vft.reading.jpeg import frame_of
from pytest_vft.reading.views import View, decoding_factor, needs_colour

Damage = Literal["none", "truncated", "undecodable"]

# Above this limit Pillow, and every trainer that uses Pillow, rejects an image as a decompression bomb
# (https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.MAX_IMAGE_PIXELS, twice that).
MOST_DECODED_PIXELS = 178_956_970
_EIGHTH = 8  # the largest factor by which a JPEG is reduced
_COLOURS = ("L", "RGB")  # modes that the decoder converts to grey


class _Jpeg(JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        """Skip the resolution, which is not measured: 10 MB of hostile EXIF take seconds to parse."""


def _open_png(file: BytesIO) -> ImageFile.ImageFile:
    from PIL.PngImagePlugin import PngImageFile  # noqa: PLC0415 - 4 ms that a dataset of JPEGs saves

    return PngImageFile(file)


def _open_webp(file: BytesIO) -> ImageFile.ImageFile:
    from PIL.WebPImagePlugin import WebPImageFile  # noqa: PLC0415 - as above

    return WebPImageFile(file)


OPENERS: dict[str, Callable[[BytesIO], ImageFile.ImageFile]] = {
    "JPEG": _Jpeg,
    "PNG": _open_png,
    "WEBP": _open_webp,
}


class Decoded(NamedTuple):
    """The damage of an image, the error of its decoder, and what was decoded.

    The damage is None if the image is not decoded, because it exceeds a limit or memory is short.
    """

    damage: Damage | None
    problem: str | None = None
    image: Image.Image | None = None


def decode_ordinary(
    data: bytes, mode: str, width: int, height: int, views: Collection[View] = ()
) -> Image.Image | None:
    """Return the ordinary JPEG in *data*, reduced as far as *views* allow; all its data are decoded.

    It is in grey, whatever its colours, unless *views* need these, and then in YCbCr, whose luma is the same
    grey. Return None if Pillow's decoder does not decode it so; decode() finds out why.
    """
    if mode not in _COLOURS or width * height > MOST_PIXELS_OF_ANY_JPEG:
        return None
    factor = decoding_factor(width, height, views) if views else _EIGHTH
    if mode == "RGB":
        mode = "YCbCr" if needs_colour(width, height, views) else "L"
    try:
        size = (-(-width // factor), -(-height // factor))
        return Image.frombytes(mode, size, data, "jpeg", mode, "", factor, 0)
    except Exception:  # noqa: BLE001 - decoders raise any exception; the finding names it
        return None


def decode(
    image: ImageFile.ImageFile, data: bytes, *, ended: bool, bounded: bool, views: Collection[View] = ()
) -> Decoded:
    """Decode *image*, opened from *data*; a JPEG as decode_ordinary() does.

    The damage does not depend on *views*: whatever fails for them is decoded again without them.
    """
    if image.width * image.height > MOST_DECODED_PIXELS:
        return Decoded(None)
    failure: Damage = "undecodable" if ended else "truncated"
    if not isinstance(image, JpegImageFile):
        return _load(image, data, failure, bounded=bounded)
    found = Decoded(None)
    frame = frame_of(data)
    if not (frame and frame.lossless):  # a lossless JPEG cannot be decoded at an eighth
        for factor, mode in _ways(image, data, views):
            found = _load(image, data, failure, bounded=bounded, factor=factor, mode=mode)
            if found.problem is None:
                return found
            image = _Jpeg(BytesIO(data))
    whole = _load(image, data, failure, bounded=bounded)
    return found if whole.damage is None else whole


def _ways(image: JpegImageFile, data: bytes, views: Collection[View]) -> Iterator[tuple[int, str]]:
    """Yield by which factors and to which modes *image* is reduced, each if those before it fail.

    A JPEG without luma is not converted to YCbCr; the grey of its RGB is what the decoder returns in grey.
    """
    factor = _factor(image, data, views)
    if image.mode == "RGB" and needs_colour(*image.size, views):
        yield factor, "YCbCr"
        yield factor, "RGB"
    elif factor != _EIGHTH:
        yield factor, "L"
    yield _EIGHTH, "L"


def _factor(image: JpegImageFile, data: bytes, views: Collection[View]) -> int:
    """Return by which factor *image* is reduced: as *views* need it, by 8 if memory does not suffice."""
    factor = decoding_factor(image.width, image.height, views) if views else _EIGHTH
    pixels = image.width * image.height
    is_large = decoder_memory(data, "JPEG", image.mode, pixels, factor=factor) > MOST_MEMORY
    return _EIGHTH if is_large else factor


def _load(  # noqa: PLR0913 - all by keyword but three
    image: ImageFile.ImageFile,
    data: bytes,
    failure: Damage,
    *,
    bounded: bool,
    factor: int | None = None,
    mode: str = "L",
) -> Decoded:
    """Like decode(), for an image of any size; *failure* is the damage if the decoder raises an error.

    A JPEG is reduced by *factor* to *mode*, or decoded as it is without one.
    """
    width, height = image.size
    needed = decoder_memory(data, str(image.format), image.mode, width * height, factor=factor or 1)
    if bounded and needed > MOST_MEMORY:
        return Decoded(None)
    try:
        if isinstance(image, JpegImageFile) and factor:
            image.draft(mode, (max(1, width // factor), max(1, height // factor)))
        with waiting_turn(needed):
            image.load()
    except Exception as error:  # noqa: BLE001 - as above
        is_short = is_limit(error) or is_memory_short(needed)
        return Decoded(None) if is_short else Decoded(failure, describe(error))
    return Decoded("none", None, image)


def takes_a_turn(pixels: int, size: int) -> bool:
    """Return whether an image of *pixels* in *size* bytes is one that is decoded only if not bounded."""
    return pixels <= MOST_DECODED_PIXELS and most_memory(pixels, size) > MOST_MEMORY


def is_limit(error: Exception) -> bool:
    """Return whether *error* is a limit of this machine or of Pillow, which valid images may exceed.

    Those of Pillow are for pixels, and for compressed texts and colour profiles of a PNG
    (https://pillow.readthedocs.io/en/stable/PIL.html#PIL.PngImagePlugin.MAX_TEXT_CHUNK, read 2026-11-29).
    """
    return isinstance(error, MemoryError | Image.DecompressionBombError) or "MAX_TEXT_" in str(error)


def describe(error: Exception) -> str:
    """Return the message of a decoder, without addresses of memory; its name if it has no words."""
    words = re.sub(r"<[^>]* at 0x[0-9a-f]+>", "the image", str(error))
    if isinstance(error, KeyError):  # which has a bare key
        return f"{type(error).__name__}: {words}"
    return words or type(error).__name__
