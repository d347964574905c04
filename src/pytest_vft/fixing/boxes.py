"""Whether an example may have coordinates, which a turned or scaled image no longer fits."""

from __future__ import annotations

import re
from contextlib import suppress

import orjson

_NUMBER = r"[-+]?\d{0,9}\.?\d{1,20}"  # bounded, as is the space: a hostile text takes no longer
_SPACE = r"\s{0,99}"
_QUOTE = r'\\{0,9}["\']'
# Keys of boxes, points and corners: COCO, Qwen-VL, ms-swift, Pascal VOC, Gemini, Label Studio.
_KEYS = (
    "objects|bbox(?:es)?(?:_2d)?|box(?:es)?(?:_2d)?|points?(?:_2d)?|keypoints|coordinates?|position|polygons?"
    "|segmentation|corners?"
)
_CORNERS = "[xy]|[xy]_?(?:min|max|center|[0-4])|c[xy]|left|top|right|bottom|top_left|bottom_right"
# In doubt an example has coordinates: a turned image beside them would teach wrong ones.
_COORDINATES = re.compile(
    "|".join(
        (
            rf"{_QUOTE}(?:{_KEYS}){_QUOTE}{_SPACE}:",
            rf"{_QUOTE}(?:{_CORNERS}){_QUOTE}{_SPACE}:{_SPACE}(?:{_QUOTE})?[-+.\[\d]",
            # Marks of Qwen-VL, Florence, PaliGemma, Molmo and agents that click.
            r"<\|(?:box|object_ref|point|quad)_|<(?:box|bbox|ref|points?|click|quad|poly)[ >]|<loc_?\d",
            rf"\b(?:{_CORNERS}){_SPACE}={_SPACE}{_QUOTE}?[-+.\d]",
            rf"[\[(]{_SPACE}{_NUMBER}{_SPACE}[,;]?\s{{1,99}}{_NUMBER}{_SPACE}[\])]",
            rf"[\[(]{_SPACE}{_NUMBER}{_SPACE},{_SPACE}{_NUMBER}{_SPACE}[\])]",
            rf">{_SPACE}{_NUMBER}{_SPACE}[, ]{_SPACE}{_NUMBER}{_SPACE}<",  # between tags of any name
            rf"(?<![\w.]){_NUMBER}(?:[,;\s\\nt]{{1,99}}{_NUMBER}){{3}}",  # four in a row, as of YOLO
            rf'"{_SPACE}{_NUMBER}{_SPACE},?\s{{1,99}}{_NUMBER}{_SPACE}"',  # a text of nothing else
        )
    ),
    re.IGNORECASE | re.ASCII,
)

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{200,}")  # as of an image, in which there is nothing to find


def has_boxes(raw: bytes) -> bool:
    """Return whether *raw*, an example as it is written, may have coordinates of boxes or points.

    Two or four numbers in brackets or in parentheses and four numbers in a row are taken for coordinates.
    """
    raw = _BASE64.sub(b"", raw)
    if rb"\u" in raw:  # signs that some programs escape: \u003cbox\u003e
        with suppress(orjson.JSONDecodeError):
            raw = orjson.dumps(orjson.loads(raw))
    return _COORDINATES.search(raw.decode("utf-8", "replace")) is not None
