"""Images that are written into a text, where no model sees them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
import pybase64

from pytest_vft.reading.decoding import OPENERS
from pytest_vft.reading.images import image_format, measure_image

NONE = "none"
SHORTEST = 1_000  # characters of base64 beside other text; a text about images may quote less

QUESTION_ROLES = frozenset(
    {"system", "user"}
)  # answers are generated, and may be HTML, CSS or JSON with images
# The base64 of the first bytes of JPEG, PNG, WEBP and GIF.
_STARTS = ("/9j/", "iVBORw0KGgo", "UklGR", "R0lGOD")
# Patterns that few datasets need are compiled at their first use.
_HEAD = r"data:[^,\s]{0,100},"
_CHARACTER = "[A-Za-z0-9+/_-]"  # the last two in URL-safe base64
_WRAPPED = rf"(?:{_CHARACTER}{{57,80}}\r?\n){{2,}}{_CHARACTER}*"
_WHOLE = rf"(?i:({_HEAD}))?({_WRAPPED}|{_CHARACTER}+)={{0,3}}"
_ANY_START = f"(?=(?:{'|'.join(_STARTS)}))"
_UNBROKEN = rf"{_CHARACTER}{{{SHORTEST},}}(?!{_CHARACTER})"
_LONG = rf"((?i:{_HEAD})|{_ANY_START})({_WRAPPED}|{_UNBROKEN})={{0,2}}"
_MARKDOWN = re.compile(r"!\[[^\]\n]{0,200}\]\(\Z")
_FENCE = re.compile(r"^ {0,3}(```|~~~)", re.MULTILINE)
_TO_STANDARD = str.maketrans("-_", "+/", "\r\n")
# Images that are known by their first bytes only; an SVG is a text, and an image in a data URL.
_NAMED = frozenset({"GIF", "BMP", "TIFF", "SVG", "HEIC", "AVIF", "JPEG 2000", "JPEG XL", "ICO"})
_AN = frozenset({"AVIF", "ICO", "SVG"})

_MOST_NESTED = 3  # times that a program encodes parts as JSON
_PARTS = re.compile(r"""["']?\s*\[?\s*\{\s*\\*["']""")
_PRINTED = (
    r"""b?'([^'\\]*(?:\\.[^'\\]*)*)'|b?"([^"\\]*(?:\\.[^"\\]*)*)"|\b(True|False|None)\b|<PIL\.[^<>]{1,200}>"""
)
_PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}
_TEXT_TYPES = frozenset({"text", "input_text"})
_IMAGE_TYPES = frozenset({"image", "image_url", "input_image", "image_file"})
_IMAGE_KEYS = frozenset({"image", "image_url", "image_file", "source"})
_PART_KEYS = frozenset({"type", "detail", "cache_control"})


def may_hide(texts: Sequence[str]) -> bool:
    """Return whether one of *texts* may contain something that is not seen: quick for ordinary texts."""
    joined = "\n".join(("", *texts))
    if not joined.isascii() or "<" in joined or "[" in joined or "{" in joined or "data:" in joined:
        return True
    if '\n"' in joined or "\n'" in joined:
        return True
    return len(joined) > SHORTEST and max(map(len, texts)) > SHORTEST


def image_in_text(texts: Sequence[str], role: str) -> str:
    """Return what image a message with *texts* contains: "a JPEG as a data URL" ...; "none".

    A text that is nothing but an image or content parts counts, and a long image at the start, at the end
    or on a line of its own in a question. An image within code, HTML or JSON is text.
    """
    for text in texts:
        stripped = text.strip()
        found = _whole_image(stripped)
        if not found and role in QUESTION_ROLES:
            found = _content_parts(stripped) or _long_image(stripped)
        if found:
            return found
    return NONE


def _whole_image(text: str) -> str | None:
    """Return what image *text* is; None for another text."""
    if text[:5].lower() == "data:" or (len(text) > SHORTEST and text.startswith(_STARTS)):
        found = re.fullmatch(_WHOLE, text)
        if found:
            return _image(found[1], found[2])
        head, _, payload = text.partition(",")
        if head.lower().startswith("data:image/svg+xml") and image_format(unquote_to_bytes(payload)) == "SVG":
            return "an SVG as a data URL"
    return None


def _long_image(text: str) -> str | None:
    """Return what long image *text* contains outside code; None without one."""
    if len(text) <= SHORTEST or not ("base64," in text or any(start in text for start in _STARTS)):
        return None
    for found in re.finditer(_LONG, text):
        if _stands_alone(text, found.start(), found.end()):
            image = _image(found[1], found[2])
            if image:
                return image
    return None


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Return whether *text* from *start* to *end* starts or ends the text, or is a line, outside code."""
    picture = _MARKDOWN.search(text, max(0, start - 210), start)
    if picture and text[end : end + 1] == ")":
        start, end = picture.start(), end + 1
    before, after = text[start - 1 : start], text[end : end + 1]
    if (before and not before.isspace()) or (after and not after.isspace()):
        return False
    alone = not picture and before in "\r\n" and after in "\r\n"
    return (start == 0 or end == len(text) or alone) and len(_FENCE.findall(text, 0, start)) % 2 == 0


def _image(head: str | None, payload: str) -> str | None:
    """Return what image *payload*, base64 after the *head* of a data URL, is; None for no image."""
    payload = payload.translate(_TO_STANDARD)
    data = pybase64.b64decode(
        payload[: len(payload) // 4 * 4] if len(payload) > SHORTEST else _padded(payload)
    )
    kind = image_format(data)
    if kind in OPENERS:
        known = measure_image(data, full=False, whole=False).openable is not False
    else:
        known = kind in _NAMED and (kind == "GIF" or bool(head and "image/" in head.lower()))
    article = "an" if kind in _AN else "a"
    return f"{article} {kind} as {'a data URL' if head else 'base64'}" if known else None


def _padded(payload: str) -> str:
    payload = payload[:-1] if len(payload) % 4 == 1 else payload
    return payload + "=" * (-len(payload) % 4)


def _content_parts(text: str) -> str | None:
    """Return how *text* is written if it is nothing but content parts with an image."""
    if not _PARTS.match(text) or not text.endswith(("]", "}", '"', "'")):
        return None
    value = _json(text)
    for _ in range(_MOST_NESTED):
        if isinstance(value, str):
            value = _json(value)
    if _are_parts(value):
        return "content parts as JSON"
    if value is None and "'" in text and _are_parts(_json(re.sub(_PRINTED, _as_json, text, flags=re.DOTALL))):
        return "content parts as Python prints them"
    return None


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _as_json(token: re.Match[str]) -> str:
    """Return a *token* of Python's repr() in JSON; what escapes in strings mean is not kept."""
    single, double, word = token.groups()
    if word:
        return _PYTHON_WORDS[word]
    content = single if single is not None else double if double is not None else token[0]
    return orjson.dumps(content).decode()


def _are_parts(value: Any) -> bool:
    """Return whether *value* is a content part or a list of them, with an image that has a source.

    Other JSON has objects of type "image" as well: layouts, documents, blocks of messengers.
    """
    parts = value if isinstance(value, list) else [value]
    images = [part for part in parts if not _is_text(part)]
    return bool(images) and all(map(_is_image, images))


def _is_text(part: Any) -> bool:
    if not isinstance(part, dict) or not isinstance(part.get("text"), str):
        return False
    return part.get("type", "text") in _TEXT_TYPES and part.keys() <= {"text", *_PART_KEYS}


def _is_image(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    keys = {key for key in part.keys() - _PART_KEYS if part[key] is not None}
    if len(keys) != 1 or not keys <= _IMAGE_KEYS:
        return False
    key = keys.pop()
    kind, source = part.get("type"), part[key]
    if kind is None:
        return key == "image_url" and isinstance(source, dict) and isinstance(source.get("url"), str)
    return kind in _IMAGE_TYPES and bool(source) and isinstance(source, str | dict)
