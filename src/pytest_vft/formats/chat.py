"""Reading messages in OpenAI's format, and the target turn of a chat."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pytest_vft.formats.base import ContentKind, Fault, ImageRow, KeyPath, MessageRow
from pytest_vft.formats.keys import message_keys, part_keys

# Start and end of the target turn as indexes of messages; (0, 0) if there is none.
Bounds = tuple[int, int]

_FEWEST_KEYS = 2  # of a sound message (role and content or calls) and part (type and its value)


def read_messages(  # noqa: C901 - the loop over all parts of a dataset, where a call costs
    messages: Sequence[Any], unsound: Collection[KeyPath] = (), faults: Mapping[str | int, int] | None = None
) -> list[MessageRow]:
    """Return *messages*, in OpenAI's format, without the *unsound* messages and parts.

    Parts of type "image_url" and "image_path" (a local path) are images, all others are texts. *faults*
    maps positions of messages to numbers of faults.
    """
    read: list[MessageRow] = []
    for position, message in enumerate(messages):
        if unsound and ("messages", position) in unsound:
            continue
        content = message.get("content", ...)
        kind: ContentKind
        texts: list[str]
        images: list[ImageRow]
        unknown: Sequence[Fault] = (
            message_keys(message, ("messages", position)) if len(message) > _FEWEST_KEYS else ()
        )
        if isinstance(content, str):
            kind, texts, images = "string", [content], []
        elif isinstance(content, list):
            kind, texts, images = "parts", [], []
            for number, part in enumerate(content):
                if unsound and ("messages", position, "content", number) in unsound:
                    continue
                type_ = part["type"]
                if type_ == "image_url":
                    image = part["image_url"]
                    found: Sequence[Fault] = ()
                    if len(part) > _FEWEST_KEYS or len(image) > (2 if "detail" in image else 1):
                        found = part_keys(part, ("messages", position, "content", number))
                    images.append((number, image["url"], image.get("detail", "auto"), False, found))
                elif type_ == "image_path":
                    images.append((number, part["image_path"], "auto", True, ()))
                else:
                    texts.append(part[type_])
                    if len(part) > _FEWEST_KEYS:
                        unknown = [*unknown, *part_keys(part, ("messages", position, "content", number))]
        else:
            kind, texts, images = "null" if content is None else "absent", [], []
        number = faults[position] if faults else 0
        read.append((position, message["role"], kind, texts, images, message, number, unknown))
    return read


def target_turn(rows: Sequence[MessageRow]) -> Bounds:
    """Return the bounds of the target turn: the last run of user messages. The answer follows."""
    end = len(rows)
    while end and rows[end - 1][1] != "user":
        end -= 1
    start = end
    while start and rows[start - 1][1] == "user":
        start -= 1
    return start, end
