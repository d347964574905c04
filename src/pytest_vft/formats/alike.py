"""Whether another data format than the likeliest one reads an example as the same conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pytest_vft.formats.base import Chat
from pytest_vft.formats.registry import load_format
from pytest_vft.json_schema import fast_validator

# Keys of a message that a format need not know: rules say what a provider makes of them.
_JUDGED = frozenset({"name", "weight", "loss"})
_COLUMNS = frozenset({"images", "image"})
# Formats of strings: their readers take lists only to show where these are.
_OF_STRINGS = frozenset({"llamafactory", "sharegpt"})


def reads_alike(name: str, example: Mapping[str, Any], likeliest: str) -> bool:
    """Return whether the data format *name* reads *example* without a fault, and as *likeliest* does.

    Texts and images must be the same, and nothing may be left that only *likeliest* reads. An example that
    *likeliest* cannot read says nothing about its meaning.
    """
    if not _validator(name)(example):
        return False
    chat = load_format(name).read(example)
    if chat.faults or not chat.rows or name == likeliest:
        return bool(chat.rows) and not chat.faults
    if name in _OF_STRINGS and any(row[2] == "parts" for row in chat.rows):
        return False
    other = load_format(likeliest).read(example)
    return bool(other.faults) or (_said(chat) == _said(other) and _unread(chat) <= _unread(other))


@cache
def _validator(name: str) -> Callable[[object], bool]:
    """Return what tells that an example is none of the format *name*, much faster than what says why."""
    return fast_validator(load_format(name).schema)


def _said(chat: Chat) -> list[Any]:
    return [(role, texts, [image[1] for image in images]) for _, role, _, texts, images, *_ in chat.rows]


def _unread(chat: Chat) -> set[Any]:
    """Return the keys of *chat* that its format does not read; an empty column of images holds nothing."""
    beside = {fault.path for fault in chat.unknown_keys if fault.path[-1] not in _COLUMNS}
    return beside | {fault.path for row in chat.rows for fault in row[7] if fault.path[-1] not in _JUDGED}
