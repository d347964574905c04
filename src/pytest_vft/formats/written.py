"""Chats whose images are in a list beside the messages, or in parts of several spellings.

A tag in a text (LLaMA-Factory, LLaVA, ms-swift) or a part without a source (TRL) marks the place of each
listed image. Listed images without a mark precede the text of the first user message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from pytest_vft.formats.base import ContentKind, Fault, ImageRow, KeyPath, MessageRow

TAG = "<image>"
# Keys of a part with the source of its image, and keys of an object that is a source.
_SOURCES = ("image", "image_url", "url", "path", "base64", "value")
_INNER = ("url", "path")
IMAGE_TYPES = ("image", "image_url")
MEDIA_TYPES = ("video", "video_url", "audio", "audio_url", "file")

_SCHEME = re.compile(r"data:|[A-Za-z][A-Za-z0-9+.-]*://", re.IGNORECASE)
# Starts of base64 with the media types of the images.
_BASE64_STARTS = {
    "/9j/": "image/jpeg",
    "iVBORw0KGgo": "image/png",
    "UklGR": "image/webp",
    "R0lGOD": "image/gif",
}
_BASE64 = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")


class ListedImage(NamedTuple):
    """An image of a list: its place in the example, and its value."""

    place: KeyPath
    value: Any


class WrittenMessage(NamedTuple):
    """A message as it was written.

    *role* is its role in OpenAI's format, *place* its place in the example. *source* is the message in
    OpenAI's format, but with the role as written, and *key* the key of its content. A message that is not
    *sound* is left out of the chat.
    """

    role: str
    content: Any
    place: KeyPath
    source: Mapping[str, Any]
    sound: bool = True
    unknown_keys: Sequence[Fault] = ()
    key: str = "content"


class ChatRows(NamedTuple):
    """Messages of a chat, their places in the example by their paths in the chat, and unsound messages."""

    rows: list[MessageRow]
    places: dict[KeyPath, KeyPath]
    unsound: dict[KeyPath, Any]
    placeholders: int


def listed_images(example: Mapping[str, Any], columns: Sequence[str]) -> list[ListedImage] | None:
    """Return the images in the *columns* of *example*, each a list or a single image; None without any."""
    found: list[ListedImage] | None = None
    for column in columns:
        value = example.get(column)
        if isinstance(value, list):
            images = [ListedImage((column, number), one) for number, one in enumerate(value)]
        elif value is not None:
            images = [ListedImage((column,), value)]
        else:
            continue
        found = [*(found or ()), *images]
    return found


def media_parts(messages: Sequence[WrittenMessage]) -> int:
    """Return the number of videos, audios and documents in parts of *messages* with a source of their own."""
    return sum(
        isinstance(part, dict) and part.get("type") in MEDIA_TYPES and len(part) > 1
        for message in messages
        if isinstance(message.content, list)
        for part in message.content
    )


def chat_rows(
    messages: Sequence[WrittenMessage], listed: Sequence[ListedImage], *, tags: bool = True
) -> ChatRows:
    """Return *messages* with the *listed* images at their marks; *tags* in texts are marks."""
    marks = sum(_marks(message, tags=tags) for message in messages)
    queue = list(reversed(listed))
    unmarked = len(queue) - marks
    sound = [message for message in messages if message.sound]
    first = next((message for message in sound if message.role == "user"), sound[0] if sound else None)
    chat = ChatRows([], {}, {}, marks)
    for position, message in enumerate(messages):
        path: KeyPath = ("messages", position)
        chat.places[path] = message.place
        if not message.sound:
            chat.unsound[path] = message.source
            continue
        pieces = list(_pieces(message, queue, unmarked if message is first else 0, tags=tags))
        texts: list[str] = []
        images: list[ImageRow] = []
        for number, piece in enumerate(pieces):
            if isinstance(piece, str):
                texts.append(piece)
                continue
            chat.places[*path, "content", number] = piece.place
            image = _image(number, piece.value)
            if image is not None:
                images.append(image)
        row = (position, message.role, _kind(message), texts, images, message.source, 0, message.unknown_keys)
        chat.rows.append(row)
    return chat


def _kind(message: WrittenMessage) -> ContentKind:
    content = message.content
    if content is None:
        return "null" if "content" in message.source else "absent"
    return "parts" if isinstance(content, list) else "string"


def _marks(message: WrittenMessage, *, tags: bool) -> int:
    """Return the number of tags, and of parts without a source, in *message*."""
    content = message.content
    if not message.sound:
        return 0
    if isinstance(content, str):
        return content.count(TAG) if tags else 0
    parts = content if isinstance(content, list) else ()
    texts = sum((_text(part) or "").count(TAG) for part in parts) if tags else 0
    return texts + sum(_is_image(part) and _source(part) is None for part in parts)


def _pieces(
    message: WrittenMessage, queue: list[ListedImage], unmarked: int, *, tags: bool
) -> Iterator[str | ListedImage]:
    """Yield the texts and images of *message*; *unmarked* images of *queue* precede its first text."""
    content = message.content
    for number, part in enumerate(content if isinstance(content, list) else [content]):
        if _is_image(part):
            source = _source(part)
            if source is not None:
                yield ListedImage((*message.place, message.key, number), source)
            elif queue:
                yield queue.pop()
            continue
        text = _text(part)
        if text is not None:
            yield from (queue.pop() for _ in range(unmarked))
            unmarked = 0
            yield from _split(text, queue) if tags and TAG in text else (text,)
    yield from (queue.pop() for _ in range(unmarked))


def _split(text: str, queue: list[ListedImage]) -> Iterator[str | ListedImage]:
    """Yield the pieces of *text* with images of *queue* in place of tags, as long as there are images."""
    while queue and TAG in text:
        before, _, text = text.partition(TAG)
        if before:
            yield before
        yield queue.pop()
    if text:
        yield text


def _text(part: Any) -> str | None:
    """Return the text of *part*; None for a part of another type."""
    if isinstance(part, str) or part is None:
        return part
    if isinstance(part, dict) and "type" in part:
        text = part.get("text", part.get("value")) if part["type"] == "text" else None
        return text if isinstance(text, str) else None
    return orjson.dumps(part).decode()  # the call of a tool


def _is_image(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in IMAGE_TYPES


def source_key(part: Mapping[str, Any]) -> str | None:
    """Return the key of the image *part* with its source; None for a part that stands for a listed image."""
    return next((key for key in _SOURCES if part.get(key) is not None), None)


def _source(part: Mapping[str, Any]) -> Any:
    """Return the source of the image *part*; None for a part that stands for a listed image."""
    key = source_key(part)
    if key is None:
        return None
    return _base64_url(part[key]) if key == "base64" else part[key]


def _base64_url(value: Any) -> Any:
    """Return *value*, base64 or a data URL, as a data URL; what is no string stays as it is."""
    if not isinstance(value, str) or _SCHEME.match(value):
        return value
    return f"data:{_media_type(value) or 'image/png'};base64,{value}"


def _media_type(base64: str) -> str | None:
    """Return the media type of the image that *base64* starts as; None for an unknown start."""
    return next((kind for start, kind in _BASE64_STARTS.items() if base64.startswith(start)), None)


def _image(number: int, value: Any) -> ImageRow | None:
    """Return the image *value* as part *number*; None for a value that refers to no image."""
    if isinstance(value, dict):
        inner = next((value[key] for key in _INNER if value.get(key) is not None), value.get("bytes"))
        detail = value.get("detail", "auto")
    else:
        inner, detail = value, "auto"
    if not isinstance(inner, str):
        return None
    if _SCHEME.match(inner):
        return number, inner, detail, False, ()
    media_type = _media_type(inner)
    if media_type and _BASE64.fullmatch(inner):
        return number, f"data:{media_type};base64,{inner}", detail, False, ()
    return number, inner, detail, True, ()
