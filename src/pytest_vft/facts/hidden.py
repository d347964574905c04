"""Images that no model sees: written into a text, or only referred to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pybase64

from pytest_vft.formats.base import MessageRow
from pytest_vft.formats.keys import IMAGE_KEYS
from pytest_vft.reading.images import image_format, measure_image

NONE = "none"
SHORTEST = 1_000  # characters of base64; a text about images may quote less

# The base64 of the first bytes of JPEG, PNG, WEBP and GIF.
_STARTS = ("/9j/", "iVBORw0KGgo", "UklGR", "R0lGOD")
_BASE64 = re.compile(rf"(data:[^,\s]{{0,100}},)?((?:{'|'.join(_STARTS)})[A-Za-z0-9+/\r\n]{{{SHORTEST},}}=*)")
_LINE_BREAKS = str.maketrans("", "", "\r\n")
_PARTS = re.compile(r"""\[?\s*\{\s*['"]""")
_IMAGE_PART = re.compile(r"""(['"])type\1\s*:\s*(['"])(image_url|image|input_image)\2""")
_PLACEHOLDER = re.compile(
    r"<image(_?\d+|_placeholder|_soft_token)?>|<\|image(_?\d+|_pad)?\|>|<\|vision_start\|>|<start_of_image>"
    r"|<img>[^<]+</img>|\[img\]|\[image( ?\d+)?\]|\{\{? ?image ?\}?\}",
    re.IGNORECASE,
)


def image_in_text(text: str) -> str:
    """Return what image *text*, which is stripped, contains: "a JPEG as a data URL" ...; "none"."""
    if _PARTS.match(text):
        found = _IMAGE_PART.search(text)
        if found and _is_json(text):
            return "content parts as JSON"
        if found and found[1] == "'" and text.endswith(("]", "}")):
            return "content parts as Python prints them"
    if len(text) > SHORTEST and any(start in text for start in _STARTS):
        for found in _BASE64.finditer(text):
            kind = _image_kind(found[2].translate(_LINE_BREAKS))
            if kind:
                return f"a {kind} as {'a data URL' if found[1] else 'base64'}"
    return NONE


def missing_image(rows: Sequence[MessageRow], others: Mapping[str, Any]) -> str:
    """Return what refers to an image in an example without images: "<image> in message 1" ...; "none".

    *rows* are its messages and *others* its other keys.
    """
    for key in others:
        if key in IMAGE_KEYS and others[key]:
            return f"a key {key}"
    for position, role, _, texts, *_ in rows:
        for text in texts if role == "user" else ():
            found = _PLACEHOLDER.search(text) if any(map(text.__contains__, "<[{")) else None
            if found:
                return f"{found[0]} in message {position + 1}"
    return NONE


def _image_kind(payload: str) -> str | None:
    """Return the format of the image whose base64 is *payload*, None if it is not an image."""
    data = pybase64.b64decode(payload[: len(payload) // 4 * 4])
    kind = image_format(data)
    opens = kind == "GIF" or measure_image(data, full=False, whole=False).openable
    return kind if opens else None


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
