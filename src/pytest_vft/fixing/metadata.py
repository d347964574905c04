"""Repair remove-metadata: EXIF, XMP and IPTC are removed, and no pixel is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zlib import crc32

# TIFF in big-endian order with one tag, Orientation (0x0112), one SHORT (https://exiftool.org/TagNames/EXIF.html).
_ORIENTATION = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0%c\0\0\0\0\0\0"
_EXIF = b"Exif\0\0"
_UPRIGHT = 1
_PNG_HEAD = 33  # bytes: the signature and IHDR
_PRIVATE_TEXT = re.compile(rb"(Raw profile type |XML:com\.adobe\.xmp\0)")
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
_APP1, _APP13, _SCAN, _START = 0xE1, 0xED, 0xDA, b"\xff\xd8"
_STANDALONE = (0x01, *range(0xD0, 0xD9))  # markers without a length (ITU-T T.81, B.1.1.3)
_EXIF_FLAG, _XMP_FLAG = 0x08, 0x04  # of a VP8X chunk


def orientation_exif(orientation: int) -> bytes:
    """Return EXIF, as TIFF, that contains only *orientation*; no bytes if it is upright."""
    return _ORIENTATION % orientation if orientation != _UPRIGHT else b""


def without_metadata(data: bytes, kind: str, orientation: int) -> bytes:
    """Return the image *data* of format *kind* (JPEG, PNG or WEBP) without EXIF, XMP and IPTC.

    An *orientation* other than 1 stays. Raises ValueError if the structure of the file cannot be followed.
    """
    exif = orientation_exif(orientation)
    return {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp}[kind](data, exif)


def _jpeg(data: bytes, exif: bytes) -> bytes:
    kept = [_START]
    if exif:
        content = _EXIF + exif
        kept.append(b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content)
    at = len(_START)
    while True:
        while data[at + 1 : at + 2] == b"\xff":  # fill bytes before a marker
            at += 1
        if data[at : at + 1] != b"\xff" or at + 4 > len(data):
            raise ValueError("no marker where a JPEG must have one")
        marker = data[at + 1]
        if marker == _SCAN:
            return b"".join([*kept, data[at:]])
        length = 2 if marker in _STANDALONE else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker not in (_APP1, _APP13):
            kept.append(data[at : at + length])
        at += length


def _png(data: bytes, exif: bytes) -> bytes:
    kept = [data[:_PNG_HEAD]]
    if exif:
        kept.append(len(exif).to_bytes(4, "big") + b"eXIf" + exif + crc32(b"eXIf" + exif).to_bytes(4, "big"))
    for name, chunk in _chunks(data, _PNG_HEAD, "big", 4):
        content = chunk[8:]
        if name != b"eXIf" and not (name in _TEXT_CHUNKS and _PRIVATE_TEXT.match(content)):
            kept.append(chunk)
    return b"".join(kept)


def _webp(data: bytes, exif: bytes) -> bytes:
    kept = []
    for name, chunk in _chunks(data, 12, "little", 0):
        if name == b"VP8X":
            flags = chunk[8] & ~(_EXIF_FLAG | _XMP_FLAG) | (_EXIF_FLAG if exif else 0)
            kept.append(chunk[:8] + bytes([flags]) + chunk[9:])
        elif name not in (b"EXIF", b"XMP "):
            kept.append(chunk)
    if exif:
        kept.append(b"EXIF" + len(exif).to_bytes(4, "little") + exif)
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _chunks(data: bytes, at: int, order: str, checksum: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and bytes of each chunk from *at* on: of RIFF if *order* is little, else of PNG."""
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("a chunk is cut off")
        if order == "little":
            name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
            size += size % 2
        else:
            size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 8 + size + checksum
        yield name, data[at:end]
        at = end
