"""Opening of data files: regular files, and objects in object storage."""

from __future__ import annotations

import os
from typing import Any, BinaryIO, Self, TypeGuard

from pytest_vft.regular_files import regular

SCHEMES = ("s3://", "gs://", "az://")


class ObjectPath(str):
    """The URL of an object, as a path, with the size in bytes and the ETag that the object was listed with.

    The object is read only as long as it has this ETag, in any process that the path is sent to. *known*
    holds what its first bytes show, by name, and is not sent.
    """

    __slots__ = ("etag", "known", "size")

    size: int
    etag: str
    known: dict[str, Any]

    def __new__(cls, url: str, size: int, etag: str) -> Self:
        """Return *url* with *size* and *etag*."""
        path = super().__new__(cls, url)
        path.size, path.etag, path.known = size, etag, {}
        return path

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.size, self.etag)


def is_object(path: str) -> bool:
    """Return whether *path* is the URL of an object and not a path in the file system."""
    return path.startswith(SCHEMES)


def is_pinned(path: str) -> TypeGuard[ObjectPath]:
    """Return whether *path* is the URL of an object that was listed."""
    return isinstance(path, ObjectPath)


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
