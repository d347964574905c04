"""Keys that a data format does not define, each with the key or the place that was probably meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pytest_vft.formats.base import MAX_FAULTS, Fault, KeyPath
from pytest_vft.text import nearest, safe

# Keys in which other formats have images.
IMAGE_KEYS = frozenset(
    {"image", "images", "image_path", "image_paths", "image_url", "picture", "pictures", "video", "videos"}
)
# Keys of videos and audios, which are known, but not checked.
MEDIA_KEYS = ("videos", "video", "audios", "audio")
_IMAGES = "images belong in the content of a user message, as image_url parts"
_MESSAGE_KEYS = frozenset(
    {"role", "content", "name", "weight", "refusal", "tool_calls", "function_call", "tool_call_id"}
    | {"audio", "annotations"}  # the API returns these in answers
)
_URL_KEYS = frozenset({"url", "detail"})
_URL_PLACES = {key: f"{key} belongs in image_url" for key in _URL_KEYS}


def unknown_keys(
    value: Mapping[str, Any],
    known: Collection[str],
    path: KeyPath = (),
    places: Mapping[str, str] | None = None,
) -> list[Fault]:
    """Return the keys of *value*, which is at *path*, that are not *known*.

    *places* maps keys to the words that say where they belong.
    """
    hints = {**dict.fromkeys(IMAGE_KEYS, _IMAGES), **(places or {})}
    unknown = [key for key in value if key not in known][:MAX_FAULTS]
    return [Fault((*path, safe(key)), safe(key) + _hint(key, known, hints)) for key in unknown]


def message_keys(message: Mapping[str, Any], path: KeyPath) -> Sequence[Fault]:
    """Return the keys of *message*, in OpenAI's format, that are not read."""
    return () if message.keys() <= _MESSAGE_KEYS else unknown_keys(_set(message), _MESSAGE_KEYS, path)


def part_keys(part: Mapping[str, Any], path: KeyPath) -> Sequence[Fault]:
    """Return the keys of a content *part*, in OpenAI's format, and of its image that are not read."""
    kind = part["type"]
    places = _URL_PLACES if kind == "image_url" else None
    faults = unknown_keys(_set(part), {"type", kind}, path, places)
    if kind == "image_url":
        faults += unknown_keys(_set(part[kind]), _URL_KEYS, (*path, kind))
    return faults


def _set(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return *value* without nulls: tables (Arrow, Parquet) give each object the keys of all."""
    return {key: item for key, item in value.items() if item is not None}


def _hint(key: str, known: Collection[str], places: Mapping[str, str]) -> str:
    return f" ({places[key]})" if key in places else nearest(key, known)
