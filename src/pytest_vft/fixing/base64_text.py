"""Repair decode-base64: base64 as RFC 4648 has it, and once."""

from __future__ import annotations

import pybase64

from pytest_vft.reading.base64_variants import decode_variant

_MOST_LAYERS = 3
_LONGEST_HEAD = 128  # bytes of a data URL before its comma


def decoded(payload: str) -> bytes | None:
    """Return the image in *payload*, the base64 text of a data URL; None if there is none.

    White space, the URL-safe alphabet, missing padding and further layers of base64 are understood.
    """
    data = decode_variant(payload)
    layer = payload
    for _ in range(_MOST_LAYERS):
        if data is not None:
            return data
        try:
            inner = pybase64.b64decode(layer, validate=True).decode("ascii")
        except ValueError:
            return None
        layer = _without_head(inner.strip())
        data = decode_variant(layer)
    return data


def _without_head(text: str) -> str:
    """Return the payload of *text*, which may be a data URL."""
    head, comma, payload = text[:_LONGEST_HEAD].partition(",")
    if comma and head.lower().startswith("data:"):
        return payload + text[_LONGEST_HEAD:]
    return text
