"""Keys of an example that are not read, and so are in no other format that is written."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from pytest_vft.formats.base import Chat, MessageRow
from pytest_vft.formats.keys import IMAGE_KEYS
from pytest_vft.formats.openai import value_at

# Starts the kind of a loss of a key: "key id".
KEY = "key "
_FEWEST = 2  # keys of a message: role and content
_KNOWN_KEYS = frozenset(
    {"role", "content", "name", "weight", "loss", "refusal", "tool_calls", "function_call", "tool_call_id"}
)


def add_key_losses(chat: Chat, example: Any, losses: dict[str, int]) -> None:
    """Add to *losses* what *example*, read as *chat*, has in keys that are not read, by kind.

    A loss of images has a kind of its own, as it changes training.
    """
    unread = {str(fault.path[-1]): value_at(example, fault.path) for fault in chat.unknown_keys}
    for key, value in chain(unread.items(), *map(_unread_keys, chat.rows)):
        kind, number = _key_loss(key, value)
        losses[kind] = losses.get(kind, 0) + number


def _unread_keys(row: MessageRow) -> Iterable[tuple[str, Any]]:
    """Return the keys of the message *row*, its parts and images that are not written, and their values."""
    _, _, _, _, images, source, _, unknown = row
    if len(source) == _FEWEST and not unknown and not (images and any(image[4] for image in images)):
        return ()
    faults = chain(unknown, *(image[4] for image in images))
    inner = {str(fault.path[-1]): value_at(source, fault.path[2:]) for fault in faults}
    return (inner | {key: source[key] for key in source.keys() - _KNOWN_KEYS}).items()


def _key_loss(key: str, value: Any) -> tuple[str, int]:
    """Return the kind of the loss of *value* at *key*, which is not written, and how much is lost."""
    if key in IMAGE_KEYS and value:
        return "images", len(value) if isinstance(value, list) else 1
    return f"{KEY}{key}", 1
