"""Opening of data files: regular files, and objects in object storage."""

from __future__ import annotations

import os
from typing import BinaryIO

from pytest_vft.reading.object_paths import is_object, is_pinned
from pytest_vft.regular_files import regular


def data_size(path: str) -> int:
    """Return the bytes of the file or object at *path*. Raises OSError."""
    return path.size if is_pinned(path) else os.stat(path).st_size  # noqa: PTH116 - a path as the user wrote it


def open_data(path: str, buffer: int = -1, *, start: int = 0, end: int | None = None) -> BinaryIO:
    """Open the file or object at *path* at byte *start*; *buffer* is that of open().

    *end* says that bytes from there on are not needed. Raises OSError, also for what is not a regular file.
    """
    if is_object(path):
        from pytest_vft.reading.object_files import open_object  # noqa: PLC0415 - for object storage only

        return open_object(path, buffer, start, end)
    file = open(path, "rb", buffer, opener=regular)  # noqa: SIM115 - the caller closes it
    if start:
        file.seek(start)
    return file
