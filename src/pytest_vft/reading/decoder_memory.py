"""The memory that decoders take, estimated before an image is decoded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from pytest_vft.reading.jpeg import frame_of

# Bytes for the decoding of one image, with which a process stays below 300 MB: without images, a check
# takes 76 MB (measured on 2026-11-29).
MOST_MEMORY = 210_000_000
# No JPEG up to this size takes more: its decoder holds at most 4 coefficients of 2 bytes for a pixel.
MOST_PIXELS_OF_ANY_JPEG = MOST_MEMORY // 8

# Bytes a pixel, measured with Pillow 13.0, libjpeg-turbo 3.1 and libwebp 1.6 on 2026-11-29. For a WEBP these
# are two canvases of the decoder, a copy of the frame, and Pillow's image, with 4 bytes each.
_WEBP = 16
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2}
_STORED_OTHERS = 4
_COPIES = 3  # of the image as it was sent: in base64, decoded, and in the decoder
_COEFFICIENT = 2  # bytes
_SLACK = 8_000_000  # bytes; tables and buffers of a decoder

_turn: AbstractContextManager[Any] = threading.Lock()


def decoder_memory(data: bytes, kind: str, mode: str | None, pixels: int, *, factor: int = 1) -> int:
    """Return the bytes that decoding an image of the format *kind* takes; a JPEG is reduced by *factor*."""
    copies = _COPIES * len(data)
    if kind == "WEBP":
        return _WEBP * pixels + copies
    stored = _STORED.get(mode or "", _STORED_OTHERS) * pixels
    if kind != "JPEG":
        return stored + copies
    frame = frame_of(data)
    held = int(_COEFFICIENT * pixels * (frame.buffered if frame else 4))
    return held + stored // factor**2 + copies


def most_memory(pixels: int, size: int) -> int:
    """Return the bytes that decoding an image of any format with *pixels* in *size* bytes takes at most."""
    return _WEBP * pixels + _COPIES * size


def is_memory_short(needed: int) -> bool:
    """Return whether *needed* bytes cannot be had now; libwebp and libjpeg report that like broken data."""
    try:
        bytearray(needed + _SLACK)  # zeros of the system, which take no memory until they are used
    except MemoryError:
        return True
    return False


@contextmanager
def waiting_turn(needed: int) -> Iterator[None]:
    """Hold the turn of this process to decode an image that takes *needed* bytes, if it is a large one."""
    if needed <= MOST_MEMORY:
        yield
        return
    with _turn:
        yield


def take_turns(turn: AbstractContextManager[Any]) -> None:
    """Decode large images of this process while holding *turn*, a lock that processes share."""
    global _turn  # noqa: PLW0603 - set once when a worker starts; locks reach workers only by inheritance
    _turn = turn
