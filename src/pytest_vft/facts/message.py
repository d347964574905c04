"""Facts of one message."""

from __future__ import annotations

from typing import TypedDict

from pytest_vft.model import Split


class MessageFacts(TypedDict):
    """What is measured in a message."""

    split: Split
    """The split of its file: train, validation or test."""
    role: str
    """As written: system, user, assistant, tool or function."""
    content: str
    """How its content is written: string, parts, null or absent."""
    images: int
    """Image parts in it."""
    shape_faults: int
    """Places in it that are not as example.schema.json wants them."""
    text_length: int
    """Characters of its text, a refusal too, without the white space around it."""
    calls: int
    """Calls of tools and functions in it."""
