"""The header of a WEBP, read without Pillow, whose decoder allocates a canvas to read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_ALPHA, _ANIMATION = 0x10, 0x02  # flags of an extended header


class WebpHeader(NamedTuple):
    """Pillow's mode, the size in pixels, the number of frames, and EXIF, if any."""

    mode: str
    width: int
    height: int
    frames: int = 1
    exif: bytes | None = None

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


def webp_header(data: bytes) -> WebpHeader | None:
    """Return the header of the WEBP in *data*, None if it is broken (RFC 9649, sections 2.5 to 2.7)."""
    kind = data[12:16]
    if kind == b"VP8 " and len(data) >= 30 and data[23:26] == b"\x9d\x01\x2a":  # noqa: PLR2004 - the whole header
        width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))
        return WebpHeader("RGB", width, height)
    if kind == b"VP8L" and len(data) >= 25 and data[20] == 0x2F:  # noqa: PLR2004 - as above
        bits = int.from_bytes(data[21:25], "little")
        return WebpHeader("RGBA" if bits >> 28 & 1 else "RGB", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8X" and len(data) >= 30:  # noqa: PLR2004 - as above
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        chunks = list(_chunks(data))
        frames = sum(name == b"ANMF" for name, _ in chunks) if data[20] & _ANIMATION else 1
        exif = next((content for name, content in chunks if name == b"EXIF"), None)
        return WebpHeader("RGBA" if data[20] & _ALPHA else "RGB", width, height, frames, exif)
    return None


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        name = data[at : at + 4]
        yield name, data[at + 8 : at + 8 + size] if name == b"EXIF" else b""
        at += 8 + size + size % 2
