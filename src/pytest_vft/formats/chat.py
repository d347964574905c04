"""The walk over messages in OpenAI's format that everything else uses, and the turns of a chat."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_vft.formats.base import ContentKind, ImagePart, KeyPath, Message


class Bounds(NamedTuple):
    """Where the target turn of a chat starts and ends, as indexes of messages; 0 and 0 if there is none."""

    start: int
    end: int


def read_messages(
    messages: Sequence[Any],
    unsound: Collection[KeyPath] = (),
    faults: Mapping[str | int, int] | None = None,
) -> list[Message]:
    """Return *messages*, in OpenAI's format, without the *unsound* messages and parts.

    Besides "image_url" parts, "image_path" parts are images, whose path is local; all others are text.
    *faults* maps positions of messages to numbers of faults.
    """
    read = []
    for position, message in enumerate(messages):
        if unsound and ("messages", position) in unsound:
            continue
        content = message.get("content", ...)
        kind: ContentKind
        texts: list[str] = []
        images: list[ImagePart] = []
        if isinstance(content, str):
            kind = "string"
            texts.append(content)
        elif isinstance(content, list):
            kind = "parts"
            for number, part in enumerate(content):
                if unsound and ("messages", position, "content", number) in unsound:
                    continue
                type_ = part["type"]
                if type_ == "image_url":
                    image_url = part["image_url"]
                    images.append(ImagePart(number, image_url["url"], image_url.get("detail", "auto")))
                elif type_ == "image_path":
                    images.append(ImagePart(number, part["image_path"], local=True))
                else:
                    texts.append(part[type_])
        else:
            kind = "null" if content is None else "absent"
        number = faults[position] if faults else 0
        read.append(Message(position, message["role"], kind, texts, images, message, number))
    return read


def target_turn(messages: Sequence[Message]) -> Bounds:
    """Return the bounds of the target turn: the last user messages in a row. The answer follows."""
    end = len(messages)
    while end and messages[end - 1].role != "user":
        end -= 1
    start = end
    while start and messages[start - 1].role == "user":
        start -= 1
    return Bounds(start, end)
