"""Opening of data files: regular files, and objects in object storage."""

from __future__ import annotations

import os
from typing import BinaryIO

from pytest_vft.reading.object_paths import is_object, is_pinned
from pytest_vft.regular_files import regular


def data_size(path: str) -> int:
    """Return the bytes of the file or object at *path*. Raises OSError."""
    return path.size if is_pinned(path) else os.stat(path).st_size  # noqa: PTH116 - a path as the user wrote it


def file_status(path: str) -> os.stat_result | None:
    """Return the status of the file at *path*; None for objects, and if it is not there."""
    try:
        return None if is_object(path) else os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return None


def has_changed(path: str, before: os.stat_result) -> bool:
    """Return whether the file at *path* was written since *before*, and not merely at its end.

    A file that is not there any more was read as it was.
    """
    now = file_status(path)
    if now is None:
        return False
    if now.st_size == before.st_size:
        return now.st_mtime_ns != before.st_mtime_ns
    return now.st_size < before.st_size or now.st_ino != before.st_ino


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
