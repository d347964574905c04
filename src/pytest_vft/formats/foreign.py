"""Recognising the format of an example, and of a content part, by its keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pytest_vft.formats.written import TAG
from pytest_vft.resources import read_table

_OPENAI: Mapping[str, Any] = {"name": "in OpenAI's chat format", "data_format": "openai"}
_IMAGE: Mapping[str, Any] = {"part": "image"}


@cache
def _table() -> Mapping[str, Any]:
    return read_table("foreign-formats.toml")


def recognise(example: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the entry of foreign-formats.toml that *example* has the keys of; None without one."""
    if len(example) == 1 and "messages" in example and not _has_parts(example, _IMAGE):
        return _OPENAI  # the table takes a millisecond to read
    with_messages = "messages" in example
    for entry in _table()["example"]:
        keys = entry["keys"]
        if not all(key in example for key in keys) or ("messages" in keys) != with_messages:
            continue
        if _has_lists(example, entry) and _has_parts(example, entry) and _has_tags(example, entry):
            return entry  # type: ignore[no-any-return]
    return None


def foreign_part(kind: object) -> Mapping[str, Any] | None:
    """Return the entry of foreign-formats.toml for content parts of type *kind*."""
    return next((part for part in _table()["part"] if part["type"] == kind), None)


def _has_lists(example: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    return all(isinstance(example[key], list) for key in entry.get("lists", ()))


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


def _has_tags(example: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Return whether *example* has a text with a tag, if *entry* says so."""
    if not entry.get("tags"):
        return True
    texts = (
        part.get("text") if isinstance(part, dict) else part for m in _messages(example) for part in _parts(m)
    )
    return any(isinstance(text, str) and TAG in text for text in texts)


def _messages(example: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    listed = example.get("messages")
    return (message for message in (listed if isinstance(listed, list) else ()) if isinstance(message, dict))


def _parts(message: Mapping[str, Any]) -> list[Any]:
    """Return the content parts of *message*; a string is one part."""
    content = message.get("content")
    return content if isinstance(content, list) else [content]
