"""Where formats declare the media type of an image beside its reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_vft.formats.base import KeyPath
from pytest_vft.formats.openai import value_at

_KEYS = ("mimeType", "mime_type", "media_type")  # of Gemini in both spellings, and of Anthropic
_IMAGE = "image/"


def declarations(value: Any, place: KeyPath, media_type: str) -> Iterator[tuple[KeyPath, str]]:
    """Yield the places in the example *value* that declare the type of the image at *place*, and new values.

    *place* is that of the reference. An image of Bedrock has {"format": "png"} beside its source.
    """
    for key in _KEYS:
        beside = (*place[:-1], key)
        if place and str(_at(value, beside)).lower().startswith(_IMAGE):
            yield beside, media_type
    if place[-2:-1] == ("source",) and isinstance(_at(value, (*place[:-2], "format")), str):
        yield (*place[:-2], "format"), media_type.removeprefix(_IMAGE)


def _at(value: Any, place: KeyPath) -> Any:
    """Return the value at *place*; None without one."""
    inner = value_at(value, place[:-1])
    return inner.get(place[-1]) if isinstance(inner, dict) else None
