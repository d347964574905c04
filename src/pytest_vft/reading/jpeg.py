"""The header of an ordinary JPEG, read without Pillow, which took most of the time at header depth."""

from __future__ import annotations

import struct

# Segments by the second byte of their marker (ITU-T T.81, table B.1): frames of baseline, extended and
# progressive images; the start of the data; and segments without size or mode: Huffman and
# quantization tables, restart interval, JFIF, ICC profile, Photoshop, Adobe, comment.
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_DATA = 0xDA
_PASSED_BY = frozenset({0xC4, 0xDB, 0xDD, 0xE0, 0xE2, 0xED, 0xEE, 0xFE})
_SEGMENT = struct.Struct(">BBH")  # marker, whose first byte is 0xFF, and length
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}


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
