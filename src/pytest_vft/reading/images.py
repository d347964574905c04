"""Measurements of an image from its bytes."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from pytest_vft.reading.decoder_memory import MOST_MEMORY, decoder_memory, is_memory_short
from pytest_vft.reading.decoding import (
    OPENERS,
    Damage,
    Decoded,
    decode,
    decode_ordinary,
    describe,
    is_limit,
)
from pytest_vft.reading.exif import UPRIGHT, read_exif
from pytest_vft.reading.jpeg import ordinary_header
from pytest_vft.reading.measurers import Content
from pytest_vft.reading.views import View
from pytest_vft.reading.webp import WebpHeader, webp_header
from pytest_vft.tuples import from_tuple

# Must be raised with each change that may affect the measurements of an image: it invalidates caches.
MEASUREMENT_VERSION = 4

_SIGNATURES = (
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"\x89PNG\r\n\x1a\n", "PNG"),
    (rb"RIFF....WEBP", "WEBP"),
    (rb"GIF8[79]a", "GIF"),
    (rb"BM....\0\0\0\0", "BMP"),
    (rb"II[*+]\0|MM\0[*+]", "TIFF"),
    (rb"....ftyp(heic|heix|hevc|heim|heis|mif1|msf1)", "HEIC"),
    (rb"....ftypavi[fs]", "AVIF"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
    (rb"\0\0\x01\0[\x01-\x40]\0", "ICO"),
    (rb"8BPS", "PSD"),
    (rb"%PDF-", "PDF"),
    (rb"(?i)\s*<!doctype html|\s*<html", "HTML"),
    (rb"(?i)\s*(<\?xml.{0,1024}?)?(<!--.{0,1024}?-->\s*)?(<!doctype svg.{0,1024}?)?<svg[\s>]", "SVG"),
    (rb"(?i)\s*<\?xml", "XML"),
)
# What is encoded by mistake instead of an image.
_NO_IMAGES = (
    (rb"version https://git-lfs\.github\.com/spec/", "it is a Git LFS pointer; run git lfs pull"),
    (rb"/9j/|iVBORw0KGgo|UklGR|R0lGOD", "it is base64 again: encoded twice; decode it once"),
    (rb"(?i)\s*data:", "it is a data URL: encoded twice; decode it once"),
    (rb"b['\"]", "it is Python's b'...'; encode the bytes"),
    (rb"(?i)https?://[\x21-\x7e]+\s*\Z", "it is a URL instead of the image"),
    (
        rb"(?i)[^\0-\x1f]{1,1024}\.(jpe?g|png|webp|gif)\s*\Z",
        "it is a path; encode the content of the file",
    ),
)
_UNRECOGNISED = "unrecognised"
_HEAD = 4096  # signatures lie within, which bounds the search through white space and comments
_NO_CONTENT: Content = {}


class ImageMeasurements(NamedTuple):
    """The measurements of one image; None for what cannot be measured.

    *format* is the format of the first bytes, or "unrecognised"; *openable* is whether a decoder can read
    the header, None if the image exceeds a limit of the decoder or memory was short; *damage* is "none" if
    the depth of the run found no damage, and None for an image that is too large to decode. *frames* is the
    number in the header, 1 for a JPEG. *orientation* is that of EXIF, from 1 to 8, and *geotagged* is
    whether EXIF contains a latitude or longitude; they are 1 and False if EXIF is absent or cannot be read,
    or if it follows the pixels of a PNG and these are not decoded. *content* has what measurers found, if
    any were asked.
    """

    bytes: int
    format: str
    openable: bool | None
    mode: str | None = None
    width: int | None = None
    height: int | None = None
    damage: Damage | None = None
    decoder_error: str | None = None
    frames: int | None = None
    orientation: int | None = None
    geotagged: bool | None = None
    content: Content = _NO_CONTENT

    @property
    def is_undecoded(self) -> bool:
        """Whether the image was too large to decode, on this machine and at this depth."""
        return self.damage is None and self.openable is not False and self.format in OPENERS

    def with_content(self, content: Content) -> ImageMeasurements:
        """Return the same measurements with *content*."""
        return _measurements((*self[:-1], content))


_measurements = from_tuple(ImageMeasurements)


def image_format(data: bytes) -> str:
    """Return the format of *data* by its first bytes: "JPEG", "HEIC", "unrecognised" ..."""
    for pattern, name in _SIGNATURES:
        if _compiled(pattern).match(data, 0, _HEAD):
            return name
    return _UNRECOGNISED


@cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL)


def is_opened(kind: str) -> bool:
    """Return whether images of the format *kind* can be opened."""
    return kind in OPENERS


def measure_image(data: bytes, *, full: bool, whole: bool = True, bounded: bool = True) -> ImageMeasurements:
    """Return the measurements of the image in *data* without its content, as read_image() does."""
    return read_image(data, full=full, whole=whole, bounded=bounded)[0]


def read_image(
    data: bytes,
    *,
    full: bool,
    whole: bool = True,
    bounded: bool = True,
    views: Collection[View] = (),
) -> tuple[ImageMeasurements, Image.Image | None]:
    """Return the measurements of the image in *data*, and the image if it was decoded, reduced for *views*.

    The end marker is not expected if *data* is not the *whole* image. For *full* and *bounded* see
    ImageReader.
    """
    kind = image_format(data)
    opener = OPENERS.get(kind)
    if opener is None:
        damage: Damage | None = "undecodable" if kind == _UNRECOGNISED else None
        about = _start(data)
        return ImageMeasurements(len(data), kind, openable=False, damage=damage, decoder_error=about), None
    ended = not whole or _has_end(kind, data)
    header = ordinary_header(data) if kind == "JPEG" and ended else None
    decoded = decode_ordinary(data, *header, views) if full and header else None
    if header and (not full or decoded):
        measurements = (len(data), kind, True, *header, "none", None, 1, UPRIGHT, False, _NO_CONTENT)
        return _measurements(measurements), decoded
    if kind == "WEBP" and (bounded or not full) and (large := _large_webp(data)):
        return (large if full or not ended else large._replace(damage="none")), None
    try:
        image = opener(BytesIO(data))
    except Exception as error:  # noqa: BLE001 - decoders raise any exception; the finding names it
        return _not_opened(data, kind, error, ended=ended), None
    mode, (width, height) = image.mode, image.size  # before decoding, since a draft changes both
    found = Decoded("none")
    if full or not ended:
        found = decode(image, data, ended=ended, bounded=bounded, views=views)
    frames: int = getattr(image, "n_frames", 1)
    orientation, geotagged = read_exif(image.info["exif"]) if "exif" in image.info else (UPRIGHT, False)
    damaged, problem, pixels = found
    measured = ImageMeasurements(
        len(data), kind, True, mode, width, height, damaged, problem, frames, orientation, geotagged
    )
    return measured, pixels


def _not_opened(data: bytes, kind: str, error: Exception, *, ended: bool) -> ImageMeasurements:
    """Return the measurements of an image whose opener raised *error*, which may be due to the machine."""
    webp = webp_header(data) if kind == "WEBP" else None
    needed = decoder_memory(data, kind, webp.mode, webp.pixels) if webp else 0
    if is_limit(error) or is_memory_short(needed):
        return _unopened(data, webp) if webp else ImageMeasurements(len(data), kind, openable=None)
    damage: Damage = "undecodable" if ended else "truncated"
    return ImageMeasurements(len(data), kind, openable=False, damage=damage, decoder_error=describe(error))


def _large_webp(data: bytes) -> ImageMeasurements | None:
    """Return the measurements of a WEBP that takes too much memory, by its header; None for another one."""
    webp = webp_header(data)
    if webp is None or decoder_memory(data, "WEBP", webp.mode, webp.pixels) <= MOST_MEMORY:
        return None
    return _unopened(data, webp)


def _unopened(data: bytes, webp: WebpHeader) -> ImageMeasurements:
    """Return the measurements of a WEBP by its header; Pillow's opener takes memory for all pixels."""
    mode, width, height, frames, exif = webp
    about = (None, None, frames, *(read_exif(exif) if exif else (UPRIGHT, False)))
    return ImageMeasurements(len(data), "WEBP", True, mode, width, height, *about)


def _has_end(kind: str, data: bytes) -> bool:
    """Return whether *data* ends with the end marker of its format."""
    if kind == "JPEG":
        return data.endswith(b"\xff\xd9")
    if kind == "PNG":
        return data.endswith(b"IEND\xaeB`\x82")
    return len(data) >= 8 + int.from_bytes(data[4:8], "little")


def _start(data: bytes) -> str:
    """Return what *data*, which is no image, is instead, or its first bytes."""
    for pattern, cause in _NO_IMAGES:
        if _compiled(pattern).match(data, 0, _HEAD):
            return cause
    return f"it starts with {data[:12]!r}" if data else "it is empty"
