"""Lossless JPEGs (ITU-T T.81, annex H), which Pillow reads and does not write."""

from __future__ import annotations

from itertools import chain

_BITS = 4  # of each Huffman code: the code of a category is its number


def lossless_jpeg(size: tuple[int, int], components: int) -> bytes:
    """Return an image of *size* in which each sample is one more than the sample on its left."""
    width, height = size
    ids = range(1, components + 1)
    frame = bytes([8, *height.to_bytes(2), *width.to_bytes(2), components]) + _each(ids, [0x11, 0])
    codes = bytes([0x00, 0, 0, 0, 9, *[0] * 12, *range(9)])
    scan = bytes([components]) + _each(ids, [0x00]) + bytes([1, 0, 0])
    bits = "".join(_difference(x, y) * components for y in range(height) for x in range(width))
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8).replace(b"\xff", b"\xff\0")
    segments = _segment(0xC3, frame) + _segment(0xC4, codes) + _segment(0xDA, scan)
    return b"\xff\xd8" + segments + data + b"\xff\xd9"


def _each(ids: range, more: list[int]) -> bytes:
    return bytes(chain.from_iterable([id_, *more] for id_ in ids))


def _difference(x: int, y: int) -> str:
    """Return the code of a difference: 1 to the left, 0 to the sample above, -128 at the start."""
    if x:
        return f"{1:0{_BITS}b}" + "1"
    return f"{0:0{_BITS}b}" if y else f"{8:0{_BITS}b}" + f"{~128 & 0xFF:08b}"


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2) + content
