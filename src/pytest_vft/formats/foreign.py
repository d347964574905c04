"""Recognising the format of an example, and of a content part, by its keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pytest_vft.resources import read_table

_OPENAI: Mapping[str, Any] = {"name": "in OpenAI's chat format", "data_format": "openai"}
_MARKS = frozenset(("loss", "loss_scale"))
_CONVERSE = ("image", "toolUse", "toolResult")  # keys of parts with an object
_OPENAI_ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))


@cache
def _table() -> Mapping[str, Any]:
    return read_table("foreign-formats.toml")


def recognise(example: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the entry of foreign-formats.toml that *example* has the keys of; None without one."""
    if len(example) == 1 and "messages" in example and _is_plain(example):
        return _OPENAI  # the table takes a millisecond to read
    with_messages = example.get("messages") is not None
    for entry in _table()["example"]:
        keys = entry["keys"]
        if ("messages" in keys) == with_messages and _has_keys(example, entry) and _has_marks(example, entry):
            return entry  # type: ignore[no-any-return]
    return None


def foreign_part(kind: object) -> Mapping[str, Any] | None:
    """Return the entry of foreign-formats.toml for content parts of type *kind*."""
    return next((part for part in _table()["part"] if part["type"] == kind), None)


def _is_plain(example: Mapping[str, Any]) -> bool:
    """Return whether the messages of *example* have OpenAI's roles, no mark of ms-swift, no image part."""
    for message in _messages(example):
        role = message.get("role")
        if isinstance(role, str) and (role not in _OPENAI_ROLES or not _MARKS.isdisjoint(message)):
            return False
        for part in _parts(message):
            if isinstance(part, dict) and part.get("type") == "image":
                return False
    return not _is_converse(example)


def _has_keys(example: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Return whether *example* has the keys of *entry*; beside messages, an empty value tells nothing."""
    empty: Sequence[Any] = (None,)
    if "messages" in entry["keys"]:
        empty = (None, "", {}) if entry.get("empty_list") else (None, "", {}, [])
    return all(
        example.get(key) is not None and (key == "messages" or example[key] not in empty)
        for key in entry["keys"]
    ) and all(isinstance(example[key], list) for key in entry.get("lists", ()))


def _has_marks(example: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    return (
        _has_parts(example, entry)
        and _has_tag(example, entry.get("tag"))
        and _has_role(example, entry.get("roles"))
        and _has_message_key(example, entry.get("message_keys"))
        and _has_url(example, entry.get("urls"))
        and ("converse" not in entry or _is_converse(example))
        and ("only_role" not in entry or _have_role(example, entry["only_role"]))
    )


def _has_parts(example: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Return whether *example* has a part of the type and with the key that *entry* names, if any."""
    kind, key, bare = entry.get("part"), entry.get("part_key"), entry.get("part_bare")
    return kind is None or any(
        isinstance(part, dict)
        and part.get("type") == kind
        and (key is None or key in part)
        and not (bare and len(part) > 1)
        for message in _messages(example)
        for part in _parts(message)
    )


def _has_tag(example: Mapping[str, Any], tag: str | None) -> bool:
    """Return whether *example* has a text with *tag*, if any."""
    if tag is None:
        return True
    texts = (
        part.get("text") if isinstance(part, dict) else part for m in _messages(example) for part in _parts(m)
    )
    return any(isinstance(text, str) and tag in text for text in texts)


def _has_role(example: Mapping[str, Any], roles: Sequence[str] | None) -> bool:
    return roles is None or any(message.get("role") in roles for message in _messages(example))


def _have_role(example: Mapping[str, Any], role: str) -> bool:
    """Return whether *example* has messages, all with *role*."""
    roles = [message.get("role") for message in _messages(example)]
    return bool(roles) and all(one == role for one in roles)


def _has_message_key(example: Mapping[str, Any], keys: Sequence[str] | None) -> bool:
    return keys is None or any(message.get(key) is not None for message in _messages(example) for key in keys)


def _has_url(example: Mapping[str, Any], key: str | None) -> bool:
    """Return whether a value of the list at *key* of *example*, if any, is a URL."""
    if key is None:
        return True
    listed = example[key] if isinstance(example[key], list) else [example[key]]
    return any(isinstance(value, str) and value.startswith(("http://", "https://")) for value in listed)


def _is_converse(example: Mapping[str, Any]) -> bool:
    """Return whether all parts of *example* have no type, and one has an image or a tool of Converse."""
    parts = [part for message in _messages(example) for part in _parts(message)]
    return all(isinstance(part, dict) and "type" not in part for part in parts) and any(
        isinstance(part.get(key), dict) for part in parts for key in _CONVERSE
    )


def _messages(example: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    listed = example.get("messages")
    return (message for message in (listed if isinstance(listed, list) else ()) if isinstance(message, dict))


def _parts(message: Mapping[str, Any]) -> list[Any]:
    """Return the content parts of *message*; a string is one part."""
    content = message.get("content")
    return content if isinstance(content, list) else [content]
