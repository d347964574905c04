"""Facts of one file: what it is, and totals over its lines."""

from __future__ import annotations

from typing import TypedDict

from pytest_vft.model import Split


class FileFacts(TypedDict):
    """What is measured in a file."""

    split: Split
    """train, validation or test."""
    bytes: int
    """Size on disk."""
    readable: bool
    """Whether the system could open and read it."""
    read_error: str | None
    """The system's word for why it cannot be read."""
    container: str
    """"JSONL", or what its first 64 KiB are instead: gzip, UTF-16, a JSON array, unreadable ..."""
    byte_order_mark: bool
    """Whether it starts with the UTF-8 byte-order mark."""
    examples: int | None
    """Lines that hold anything; None when the lines were not read."""
    image_examples: int | None
    """Examples with at least one image."""
    images: int | None
    """Images in it, repeated ones too."""
    skipped_examples: int | None
    """Examples that fail a rule with a skip reason; None when no such rule was run."""
