"""Facts about one file, including totals over its lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from pytest_vft.model import Split


class FileFacts(TypedDict):
    """What is measured in a file."""

    split: Split
    """Split of the file: train, validation or test."""
    bytes: int | None
    """Size on disk, or that of the text of a compressed file."""
    readable: bool
    """Whether the file could be opened and read."""
    read_error: str | None
    """The system's message if the file cannot be read."""
    container: str
    """"JSONL", or the kind of file by its first 64 KiB: a JSON array, UTF-16, a tar archive in gzip ..."""
    compression: str
    """"none", "gzip" or "Zstandard"."""
    columns: str
    """Names of the columns of a table, whose rows are no examples; "none" for other files."""
    build_options: str
    """Options of vft build that name the columns of a table by their usual names."""
    byte_order_mark: bool
    """Whether the file starts with the UTF-8 byte-order mark."""
    examples: int | None
    """Number of lines that are not blank, or of elements of an array; None if they were not read."""
    image_examples: int | None
    """Number of examples with at least one image."""
    images: int | None
    """Number of images, repeated images included."""
    skipped_examples: int | None
    """Number of examples that fail a rule with a skip reason, predictions left out; None if no such rule
    ran."""
    predicted_skips: str
    """How many it may be with those that fail a rule which only predicts the provider, in words; "" if no
    more."""
    pictured_examples: NotRequired[int | None]
    """Number of examples with at least one image or placeholder."""
    imageless_examples: NotRequired[int | None]
    """Number of sound examples without images in a file that has examples with images; 0 for other files."""
    systemless_examples: NotRequired[int | None]
    """Number of sound examples without a system message in a file that has examples with one; 0 for other
    files."""
    images_column: NotRequired[bool | None]
    """Whether an example has a key images or image."""
    image_columns: NotRequired[Sequence[str] | None]
    """Which of the keys images and image the examples have."""
    missing_columns: NotRequired[Sequence[str] | None]
    """Keys of images, videos and audios that dataset_info.json describes and no example has."""
    formatting: NotRequired[str]
    """The formatting that dataset_info.json states for the file; "" without a description."""
    last_new_key: NotRequired[str | None]
    """The key of an example or message that is the last to appear for the first time; "" without examples."""
    last_new_key_line: NotRequired[int | None]
    """The line on which that key first appears; 0 without examples."""
    last_new_key_start: NotRequired[int | None]
    """The position in the file of the first byte of that line."""
