"""Optional facts about how images are referred to, and about words that formats reserve."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pytest_vft.facts.image import Image, add_shape
from pytest_vft.formats.written import IMAGE_TYPES, source_key

# What Amazon Nova reserves, by a character that each word has; most texts have none of these characters.
# https://docs.aws.amazon.com/nova/latest/userguide/fine-tune-prepare-data-understanding.html
_RESERVED = {
    ":": ("System:", "User:", "Bot:", "Assistant:", "Thought:"),
    "[": ("[EOS]",),
    "<": ("<image>", "<video>", "<unk>"),
}
_BUCKETS = frozenset({"s3", "gs"})
_UNUSUAL = re.compile(r"[^A-Za-z0-9_\-/.]")
_LONGEST_HEAD = 100
_SHOWN_CHARACTERS = 10


def reserved_words(texts: Iterable[str]) -> list[str]:
    """Return the reserved words in *texts*, each once."""
    text = "\n".join(texts)
    return [word for mark, words in _RESERVED.items() if mark in text for word in words if word in text]


def ownerless_images(content: Any) -> int:
    """Return the number of images in *content*, that of a message, in S3 without the owner of the bucket."""
    images = [part for part in content if _is_stored(part)] if isinstance(content, list) else []
    return sum("bucketOwner" not in image for image in images)


def stored_formats(content: Any) -> list[str]:
    """Return the formats that *content*, that of a message, states of images elsewhere, each once."""
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return list(dict.fromkeys(part["format"] for part in parts if "image_url" in part and "format" in part))


def image_keys(content: Any) -> list[str]:
    """Return the keys with the sources of the images in *content*, that of a message, each once."""
    parts = content if isinstance(content, list) else ()
    keys = [source_key(part) for part in parts if isinstance(part, dict) and part.get("type") in IMAGE_TYPES]
    return list(dict.fromkeys(key for key in keys if key is not None))


def _is_stored(part: Any) -> bool:
    image = part.get("image_url") if isinstance(part, dict) else None
    return isinstance(image, dict) and str(image.get("url")).startswith("s3:")


def add_reference_facts(images: Sequence[Image]) -> None:
    """Add the optional facts to those of *images*."""
    for image in images:
        facts = image.facts
        facts["head"] = _head(image.reference) if facts["scheme"] == "data" else "none"
        facts["unusual_characters"] = _unusual(image.reference) if facts["scheme"] in _BUCKETS else "none"
        add_shape(facts)


def _head(url: str) -> str:
    """Return what *url*, a data URL, has before its comma."""
    head, comma, _ = url[: _LONGEST_HEAD + 1].partition(",")
    return head if comma else f"{head[:_LONGEST_HEAD]} without a comma"


def _unusual(uri: str) -> str:
    characters = dict.fromkeys(_UNUSUAL.findall(uri.partition("://")[2]))
    return ", ".join(map(repr, list(characters)[:_SHOWN_CHARACTERS])) or "none"
