"""Plain examples in OpenAI's format, with nothing but texts and images, read without their schema.

Plain examples of one structure differ in their texts and images only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_vft.formats.base import ImagePart
from pytest_vft.formats.conversation import ChatTurn, Conversation, Piece
from pytest_vft.tuples import from_tuple

_ROLES = ("system", "user", "assistant")
_PAIR = 2  # keys of a plain message and of a plain part
_TEXT, _IMAGE = "text", "image_url"
_URL_KEYS = ({"url"}, {"url", "detail"})

# The role of each message, and the kinds of its parts, None for a message of one string.
Structure = tuple[tuple[str, tuple[str, ...] | None], ...]

_image = from_tuple(ImagePart)


class PlainExample(NamedTuple):
    """A plain example: its structure, and its texts and images in order."""

    structure: Structure
    texts: Sequence[str]
    images: Sequence[ImagePart]

    @property
    def conversation(self) -> Conversation:
        """The example as read_conversation() returns it."""
        texts, images = iter(self.texts), iter(self.images)
        turns = []
        for role, kinds in self.structure:
            if kinds is None:
                turns.append(ChatTurn(role, [next(texts)]))
                continue
            pieces: list[Piece] = [next(texts) if kind == _TEXT else next(images) for kind in kinds]
            turns.append(ChatTurn(role, pieces, in_parts=True))
        return Conversation(turns)


_example = from_tuple(PlainExample)


def plain_example(example: Mapping[str, Any]) -> PlainExample | None:
    """Return *example*, an object as orjson parses it, if it is plain.

    Return None if any key, role or part is not the usual one, or if the detail of an image is no string.
    """
    messages = example.get("messages")
    if len(example) != 1 or type(messages) is not list or not messages:
        return None
    structure: list[tuple[str, tuple[str, ...] | None]] = []
    texts: list[str] = []
    images: list[ImagePart] = []
    for message in messages:
        if type(message) is not dict or len(message) != _PAIR:
            return None
        role, content = message.get("role"), message.get("content")
        if role not in _ROLES:
            return None
        if type(content) is str:
            texts.append(content)
            structure.append((role, None))
            continue
        kinds = _read_parts(content, texts, images) if type(content) is list else None
        if kinds is None:
            return None
        structure.append((role, kinds))
    return _example((tuple(structure), texts, images))


def _read_parts(parts: Sequence[Any], texts: list[str], images: list[ImagePart]) -> tuple[str, ...] | None:
    """Add the texts and images of *parts*, and return their kinds; None if a part is not plain."""
    kinds = []
    for number, part in enumerate(parts):
        if type(part) is not dict or len(part) != _PAIR:
            return None
        kind = part.get("type")
        if kind == _TEXT:
            text = part.get(_TEXT)
            if type(text) is not str:
                return None
            texts.append(text)
        elif kind == _IMAGE:
            image = part.get(_IMAGE)
            if type(image) is not dict or image.keys() not in _URL_KEYS:
                return None
            url, detail = image["url"], image.get("detail", "auto")
            if type(url) is not str or type(detail) is not str:
                return None
            images.append(_image((number, url, detail, False, ())))
        else:
            return None
        kinds.append(kind)
    return tuple(kinds)
