"""Base64 that is not written as RFC 4648, section 4, has it."""

from __future__ import annotations

import re

import pybase64

from pytest_vft.reading.images import image_format, is_opened

_SPACE = re.compile(r"\s+")
_STANDARD = str.maketrans("-_", "+/")
_REPAIRED = "GIF"  # becomes a PNG
_ONE_LEFT = 1  # of four characters, which no bytes are written as


def decode_variant(payload: str) -> bytes | None:
    """Return the image that *payload* is, despite white space, the URL-safe alphabet or missing padding.

    Return None if it is no base64, or not that of a JPEG, PNG, WEBP or GIF image.
    """
    text = _SPACE.sub("", payload).translate(_STANDARD).rstrip("=")
    if len(text) % 4 == _ONE_LEFT:
        return None
    try:
        data = pybase64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return None
    kind = image_format(data)
    return data if is_opened(kind) or kind == _REPAIRED else None
