"""Opening of an image that is repaired, with what is needed to save it alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import NamedTuple

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile, get_sampling

from pytest_vft.reading.decoder_memory import MOST_MEMORY, decoder_memory, waiting_turn
from pytest_vft.reading.decoding import MOST_DECODED_PIXELS

# Formats by the names that images.py gives them, and by Pillow's.
_PILLOW: Mapping[str, str] = {
    **{name: name for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")},
    "JPEG 2000": "JPEG2000",
}
_WEBP_HEAD = 64  # bytes, within which the chunk of a lossy WEBP starts unless a profile precedes it
_CODING_STYLE = b"\xff\x52\x00"  # the marker COD, with the first byte of a length below 256
_WAVELET = 13  # bytes from the marker to the kind of wavelet
_LOSSY = ("JPEG", "AVIF", "JPEG 2000")
_PROFILES: Mapping[bytes, Sequence[str]] = {
    b"RGB ": ("RGB", "RGBA"),
    b"GRAY": ("L", "LA"),
    b"CMYK": ("CMYK",),
}


class CannotRepairError(Exception):
    """An image cannot be repaired, or not without permission; the message says why."""


class SourceImage(NamedTuple):
    """A decoded image and how its file stored it.

    *tables* are the quantisation tables of a JPEG, *sampling* is the number that Pillow has for the
    subsampling of its colours.
    """

    pixels: Image.Image
    kind: str
    frames: int
    is_lossy: bool
    tables: Sequence[Sequence[int]] = ()
    sampling: int = 0
    progressive: bool = False
    profile: bytes | None = None

    def profile_for(self, mode: str) -> bytes | None:
        """Return the colour profile if it is one for images of *mode*."""
        if self.profile and mode in _PROFILES.get(self.profile[16:20], ()):
            return self.profile
        return None


@contextmanager
def opened(data: bytes, kind: str, *, bounded: bool) -> Iterator[SourceImage]:
    """Yield the image *data* of format *kind*, decoded.

    Raises CannotRepairError for an unknown format, for damage, and for an image that takes too much memory,
    which is less if *bounded*.
    """
    if kind not in _PILLOW:
        raise CannotRepairError(f"Pillow does not open {kind}")
    try:
        image = Image.open(BytesIO(data), formats=[_PILLOW[kind], *(["MPO"] if kind == "JPEG" else ())])
    except Image.DecompressionBombError:
        raise CannotRepairError("it has too many pixels to be decoded") from None
    except Exception as error:
        raise CannotRepairError(f"it cannot be decoded ({type(error).__name__})") from error
    if image.format == "MPO":
        image = JpegImageFile(BytesIO(data))
    pixels = image.width * image.height
    needed = decoder_memory(data, kind, image.mode, pixels)
    if pixels > MOST_DECODED_PIXELS or (bounded and needed > MOST_MEMORY):
        raise CannotRepairError("it is too large to be decoded here; depth full decodes larger ones")
    with waiting_turn(needed):
        frames = getattr(image, "n_frames", 1)
        try:
            image.load()
        except Exception as error:
            raise CannotRepairError(f"it cannot be decoded ({type(error).__name__})") from error
        is_lossy = kind in _LOSSY or b"VP8 " in data[:_WEBP_HEAD]
        source = SourceImage(image, kind, frames, is_lossy and not (kind == "JPEG 2000" and _is_exact(data)))
        source = source._replace(profile=image.info.get("icc_profile"))
        yield _with_tables(source, image) if isinstance(image, JpegImageFile) else source


def _is_exact(data: bytes) -> bool:
    """Return whether the wavelet of *data*, JPEG 2000, is the reversible one (ITU-T T.800, A.6.1)."""
    start = data.find(_CODING_STYLE)
    return start >= 0 and data[start + _WAVELET : start + _WAVELET + 1] == b"\x01"


def _with_tables(source: SourceImage, image: JpegImageFile) -> SourceImage:
    return source._replace(
        tables=[list(table) for _, table in sorted(image.quantization.items())],
        sampling=max(get_sampling(image), 0),
        progressive=bool(image.info.get("progressive")),
    )
