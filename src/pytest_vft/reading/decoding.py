"""Decoding of an image by Pillow, within bounds of memory.

Pillow's classes are used directly: Image.open imports 45 plugins, raises for large images before
their size is known, and reports the JPEG of a phone as MPO.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from typing import Literal

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from pytest_vft.reading.decoder_memory import (
    MOST_MEMORY,
    MOST_PIXELS_OF_ANY_JPEG,
    decoder_memory,
    is_memory_short,
    waiting_turn,
)
from pytest_vft.reading.jpeg import frame_of

Damage = Literal["none", "truncated", "undecodable"]

# Above this limit Pillow, and every trainer that uses Pillow, rejects an image as a decompression bomb
# (https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.MAX_IMAGE_PIXELS, twice that).
MOST_DECODED_PIXELS = 178_956_970
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


def is_sound(data: bytes, mode: str, width: int, height: int) -> bool:
    """Return whether Pillow's decoder decodes the ordinary JPEG in *data*.

    If not, decode() finds out why.
    """
    if mode not in _COLOURS or width * height > MOST_PIXELS_OF_ANY_JPEG:
        return False
    try:
        # Grey, whatever the colours of the file, at an eighth of its size, rounded up.
        Image.frombytes("L", (-(-width // 8), -(-height // 8)), data, "jpeg", "L", "", 8, 0)
    except Exception:  # noqa: BLE001 - decoders raise any exception; the finding names it
        return False
    return True


def decode(
    image: ImageFile.ImageFile, data: bytes, *, ended: bool, bounded: bool
) -> tuple[Damage | None, str | None]:
    """Return the damage of *image*, opened from *data*, and the error of its decoder.

    The damage is None if the image is not decoded, because it exceeds a limit or memory is short.
    """
    if image.width * image.height > MOST_DECODED_PIXELS:
        return None, None
    failure: Damage = "undecodable" if ended else "truncated"
    if not isinstance(image, JpegImageFile):
        return _load(image, data, failure, bounded=bounded)
    frame = frame_of(data)
    found: tuple[Damage | None, str | None] = None, None
    if not (frame and frame.lossless):  # a lossless JPEG cannot be decoded at an eighth
        found = _load(image, data, failure, bounded=bounded, eighth=True)
        if found[1] is None:
            return found
    whole = _load(_Jpeg(BytesIO(data)), data, failure, bounded=bounded)
    return found if whole[0] is None else whole


def _load(
    image: ImageFile.ImageFile, data: bytes, failure: Damage, *, bounded: bool, eighth: bool = False
) -> tuple[Damage | None, str | None]:
    """Like decode(), for an image of any size; *failure* is the damage if the decoder raises an error."""
    width, height = image.size
    needed = decoder_memory(data, str(image.format), image.mode, width * height, eighth=eighth)
    if bounded and needed > MOST_MEMORY:
        return None, None
    try:
        if isinstance(image, JpegImageFile) and eighth:
            image.draft("L", (max(1, width // 8), max(1, height // 8)))
        with waiting_turn(needed):
            image.load()
    except Exception as error:  # noqa: BLE001 - as above
        return (None, None) if is_limit(error) or is_memory_short(needed) else (failure, describe(error))
    return "none", None


def is_limit(error: Exception) -> bool:
    """Return whether *error* is a limit of this machine or of Pillow, which valid images may exceed.

    Those of Pillow are for pixels, and for compressed texts and colour profiles of a PNG
    (https://pillow.readthedocs.io/en/stable/PIL.html#PIL.PngImagePlugin.MAX_TEXT_CHUNK, read 2026-11-29).
    """
    return isinstance(error, MemoryError | Image.DecompressionBombError) or "MAX_TEXT_" in str(error)


def describe(error: Exception) -> str:
    """Return the message of a decoder, without addresses of memory."""
    words = re.sub(r"<[^>]* at 0x[0-9a-f]+>", "the image", str(error))
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
