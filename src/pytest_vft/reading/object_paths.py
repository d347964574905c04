"""Paths of objects in object storage: URLs, with the version of the object."""

from __future__ import annotations

import re
from typing import Any, Self, TypeGuard

SCHEMES = ("s3://", "gs://", "az://")
# Those of other programs, too: nobody has a folder with such a name.
_URL = re.compile(r"(s3[an]?|gc?s|az|abfss?|wasbs?|https?|hf):/", re.IGNORECASE)


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


def is_url(path: str) -> bool:
    """Return whether *path* is meant as the URL of an object or page, also one that cannot be read."""
    return _URL.match(path) is not None


def without_password(url: str) -> str:
    """Return *url* without a user name and password before its host or bucket."""
    return re.sub(r"(?<=:/)/[^/]*@", "/...@", url)


def bucket_of(url: str) -> str:
    """Return the bucket of the object at *url*."""
    return url.partition("://")[2].partition("/")[0]


def is_pinned(path: str) -> TypeGuard[ObjectPath]:
    """Return whether *path* is the URL of an object that was listed."""
    return isinstance(path, ObjectPath)
