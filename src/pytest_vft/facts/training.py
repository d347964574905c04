"""Facts that few providers' rules test, measured only if a rule of the run needs one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise, takewhile
from typing import Any

from pytest_vft.facts.example import Example
from pytest_vft.facts.references import (
    add_reference_facts,
    image_keys,
    ownerless_images,
    reserved_words,
    stored_formats,
)
from pytest_vft.formats.base import Chat, ImageRow, MessageRow
from pytest_vft.formats.written import TAG

# Roles that speak in the turn of the user: tools answer the assistant.
_USER_SIDE = frozenset({"user", "tool", "function"})
_SHOWN_ROLES = 6
_AUTO = (None, "auto")


def add_training_facts(chat: Chat, example: Example, *, image_tokens: bool) -> None:
    """Add the optional facts to those of *example*, which *chat* was measured as.

    *image_tokens* says that the tokens of images are known.
    """
    rows, others = _conversation(chat)
    roles = [row[1] for row in rows]
    contents = {row[2] for row in rows[: len(rows) - len(others)] if _has_content(row)}
    turns = [role in _USER_SIDE for role in roles if role != "system"]
    is_cut = not chat.is_whole
    # Messages that are left out may have placeholders, and stand between others.
    surplus = 0 if is_cut else chat.placeholders - (chat.listed or 0)
    repeated = 0 if is_cut else sum(one == other for one, other in pairwise(turns)) - chat.divided
    version = chat.others.get("schemaVersion")
    listed = 0 if is_cut else chat.listed or 0
    example.facts.update(
        {
            "surplus_placeholders": max(surplus, 0),
            "surplus_images": max(-surplus, 0),
            "roles": _shown(roles),
            "first_role": next((role for role in roles if role != "system"), None),
            "late_systems": roles[1:].count("system"),
            "repeated_turns": repeated,
            "mixed_content": {"string", "parts"} <= contents,
            "answer_messages": max(_closing_answers(rows), _closing_answers(others)) if others else 0,
            "answer_length": max(len(others), chat.answer) if others else 0,
            "list_contents": sum(row[2] == "parts" for row in chat.rows),
            "equal_answers": bool(others) and not is_cut and _are_equal(rows[-len(others) :], others),
            "unlisted_images": max(len(example.images) - listed, 0) if listed else 0,
            "overlooked_images": 0 if chat.listed is None else max(len(example.images) - listed, 0),
            "empty_image_list": chat.listed == 0,
            "images_after_first": max(listed - 1, 0),
            "unmarked_images": 0 if any(row[2] == "parts" for row in chat.rows) else listed,
            "image_words": sum(TAG in text for row in chat.rows for text in row[3]),
            "schema_versions": [str(version)] if version else [],
            "fields": [key for key, value in chat.others.items() if value],
            "keys": () if others else list(chat.others),
            "image_tokens_at_least": example.image_tokens[0] if image_tokens or not example.images else None,
            "image_tokens_at_most": example.image_tokens[1] if image_tokens or not example.images else None,
        }
    )
    for position, _, content, texts, images, source, _, _ in chat.rows:
        message = example.messages[position]
        message["list_content"] = content == "parts" and any(map(_is_usual_part, source.get("content", ())))
        message["fields"] = list(_fields(source, images))
        message["weight"] = json.dumps(source["weight"]) if "weight" in source else "none"
        message["reserved_words"] = reserved_words(texts)
        message["image_keys"] = image_keys(source.get("content"))
        message["image_formats"] = stored_formats(source.get("content"))
        message["ownerless_images"] = ownerless_images(source.get("content"))
    add_reference_facts(example.images)


def _conversation(chat: Chat) -> tuple[Sequence[MessageRow], Sequence[MessageRow]]:
    """Return the messages of *chat*, and those of its other answer."""
    end = len(chat.rows) - chat.alternatives
    return chat.rows[:end], chat.rows[end:]


def _has_content(row: MessageRow) -> bool:
    """Tell whether the content of a message is neither an empty string nor an empty list."""
    _, _, content, texts, images, *_ = row
    return any(texts) or bool(images) or (content == "parts" and bool(texts))


def _closing_answers(rows: Sequence[MessageRow]) -> int:
    """Return the number of assistant messages at the end of *rows*."""
    return sum(1 for _ in takewhile(lambda row: row[1] == "assistant", reversed(rows)))


def _are_equal(answer: Sequence[MessageRow], other: Sequence[MessageRow]) -> bool:
    """Tell whether both answers have the same roles, contents and calls."""
    return [_said(row) for row in answer] == [_said(row) for row in other]


def _said(row: MessageRow) -> tuple[str, Sequence[str], Sequence[str], Any]:
    _, role, _, texts, images, source, _, _ = row
    return role, texts, [image[1] for image in images], source.get("tool_calls")


def _is_usual_part(part: Any) -> bool:
    return not (isinstance(part, dict) and part.keys() <= {"type", "value"})


def _shown(roles: Sequence[str]) -> str:
    """Return *roles*, equal roles in a row as one: "system, user (2), assistant"."""
    runs = [(role, len(list(run))) for role, run in groupby(roles)]
    texts = [f"{role} ({number:,})" if number > 1 else role for role, number in runs[:_SHOWN_ROLES]]
    return ", ".join([*texts, "..."] if len(runs) > _SHOWN_ROLES else texts)


def _fields(message: Mapping[str, Any], images: Sequence[ImageRow]) -> Iterator[str]:
    """Yield the keys of *message* besides role and content whose values are not the default ones.

    A part of the content with a refusal, and detail of an image, count as well.
    """
    for key, value in message.items():
        if key == "weight":
            if value not in (None, 1):  # true is 1
                yield key
        elif key == "loss":
            if value is not None and not value:  # ms-swift trains on an answer with any other value
                yield key
        elif value and key not in ("role", "content"):
            yield key
    content = message.get("content")
    if isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") == "refusal" for part in content
    ):
        yield "a refusal part"
    if any(image[2] not in _AUTO for image in images):
        yield "detail"
