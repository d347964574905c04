"""The header of an ordinary JPEG, read without Pillow, which took most of the time at header depth."""

from __future__ import annotations

import struct
from typing import NamedTuple

# Segments by the second byte of their marker (ITU-T T.81, table B.1): frames of baseline, extended and
# progressive images; the start of the data; and segments without size or mode: Huffman and
# quantization tables, restart interval, JFIF, ICC profile, Photoshop, Adobe, comment.
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_DATA = 0xDA
_PASSED_BY = frozenset({0xC4, 0xDB, 0xDD, 0xE0, 0xE2, 0xED, 0xEE, 0xFE})
_SEGMENT = struct.Struct(">BBH")  # marker, whose first byte is 0xFF, and length
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}

# All frames, those in one pass, and the lossless ones; padding before a marker, and markers without a length.
_ALL_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC3, 0xC9, 0xCB})
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_PADDING = 0xFF
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})


class JpegFrame(NamedTuple):
    """What decides how a JPEG is decoded.

    *buffered* is the number of samples a pixel that the decoder holds for the whole image: none if one pass
    over the data is enough.
    """

    lossless: bool
    buffered: float


def ordinary_header(data: bytes) -> tuple[str, int, int] | None:
    """Return Pillow's mode, width and height of the JPEG in *data*, None if it is not ordinary.

    An ordinary JPEG has 8 bits a sample, 1, 3 or 4 components, common segments only, and no EXIF.
    """
    found = None
    at = 2
    try:
        while True:
            first, marker, length = _SEGMENT.unpack_from(data, at)
            if first != 0xFF or length < 2:  # noqa: PLR2004 - the length counts its own two bytes
                return None
            if marker not in _PASSED_BY:
                if marker == _DATA:
                    return found
                found = _frame(data[at + 4 : at + 2 + length]) if marker in _FRAMES else None
                if found is None:
                    return None
            at += 2 + length
    except (struct.error, IndexError):
        return None


def _frame(segment: bytes) -> tuple[str, int, int] | None:
    bits, components = segment[0], segment[5]
    height, width = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    if bits != 8 or components not in _MODES or len(segment) != 6 + 3 * components:  # noqa: PLR2004 - B.2.2
        return None
    return (_MODES[components], width, height) if width and height else None


def frame_of(data: bytes) -> JpegFrame | None:
    """Return the frame of the JPEG in *data*, None if it has none before its data."""
    segment, marker, at = b"", 0, 2
    try:
        while True:
            first, found, length = _SEGMENT.unpack_from(data, at)
            if first != 0xFF:  # noqa: PLR2004 - the first byte of a marker
                return None
            if found == _PADDING or found in _BARE:
                at += 1 if found == _PADDING else 2
                continue
            if found in _ALL_FRAMES:
                marker, segment = found, data[at + 4 : at + 2 + length]
            if found == _DATA:
                return _read_frame(marker, segment, scanned=data[at + 4])
            at += 2 + length
    except (struct.error, IndexError):
        return None


def _read_frame(marker: int, segment: bytes, *, scanned: int) -> JpegFrame | None:
    """Return the frame in *segment*, whose first scan contains *scanned* components (ITU-T T.81, B.2.2)."""
    sampling = [(byte >> 4, byte & 15) for byte in segment[7::3]]
    if not sampling or not all(across and down for across, down in sampling):
        return None
    widest, highest = max(across for across, _ in sampling), max(down for _, down in sampling)
    samples = sum(across * down for across, down in sampling) / (widest * highest)
    one_pass = marker in _SEQUENTIAL and scanned == len(sampling)
    return JpegFrame(marker in _LOSSLESS, 0 if one_pass else samples)
