"""How a file is compressed."""

from __future__ import annotations

from typing import NamedTuple

GZIP, ZSTANDARD = "gzip", "Zstandard"
PACKED = (".gz", ".zst")  # ends of the names of compressed files
END_OF_TEXT = 1 << 62  # the end of a compressed text, whose size is not known before it is read


class Compression(NamedTuple):
    """The compression of a file, GZIP or ZSTANDARD, and its size on disk in bytes."""

    name: str
    bytes: int
