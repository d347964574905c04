"""Facts about one file, including totals over its lines."""

from __future__ import annotations

from typing import TypedDict

from pytest_vft.model import Split


class FileFacts(TypedDict):
    """What is measured in a file."""

    split: Split
    """Split of the file: train, validation or test."""
    bytes: int
    """Size on disk."""
    readable: bool
    """Whether the file could be opened and read."""
    read_error: str | None
    """The system's message if the file cannot be read."""
    container: str
    """"JSONL", or the kind of file by its first 64 KiB: gzip, UTF-16, a JSON array, unreadable ..."""
    byte_order_mark: bool
    """Whether the file starts with the UTF-8 byte-order mark."""
    examples: int | None
    """Number of lines that are not blank; None if the lines were not read."""
    image_examples: int | None
    """Number of examples with at least one image."""
    images: int | None
    """Number of images, repeated images included."""
    skipped_examples: int | None
    """Number of examples that fail a rule with a skip reason; None if no such rule ran."""
