"""Measurements of images at local paths."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from xxhash import xxh3_128_intdigest

from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.images import ImageMeasurements, measure_image
from pytest_vft.reading.object_paths import is_object
from pytest_vft.reading.roots import REGULAR, UNREADABLE, FileIdentity, PathTarget, Roots

_MOST_REMEMBERED = 4096  # paths; an image with many questions is usually on neighbouring lines
_HEAD = 1024 * 1024  # bytes of a file that is too large to be read
_LARGEST_BOUNDED = 64 * 1024 * 1024
_LARGEST = 512 * 1024 * 1024  # as a line with an embedded image

# What a path led to, and the identity of a file: a changed pair means that the image must be read again.
Seen = tuple[str, FileIdentity | None]


def image_roots(path: str, others: Sequence[str]) -> tuple[str, ...]:
    """Return the folders in which images of the file at *path* may be opened: its own, then *others*.

    An object in object storage has no folder of its own.
    """
    if is_object(path):
        return tuple(others)
    return os.path.dirname(os.path.abspath(path)), *others  # noqa: PTH100, PTH120 - links are kept


class LocalImage(NamedTuple):
    """What a local path leads to, with the key and measurements of the image if it is a file."""

    target: PathTarget
    key: int
    image: ImageMeasurements | None = None


class LocalImages:
    """Images at local paths below *folders*, measured by *store*.

    If *bounded*, of an image with more than 64 MiB only the header is read, otherwise with more than 512 MiB.
    """

    def __init__(self, folders: Sequence[str], store: ImageStore, *, bounded: bool = True) -> None:
        self.folders = folders
        self._roots = Roots(folders)
        self._store = store
        self._largest = _LARGEST_BOUNDED if bounded else _LARGEST
        self._known: dict[str, LocalImage] = {}
        self._seen: dict[str, Seen] = {}

    def close(self) -> None:
        """Close the folders that are open."""
        self._roots.close()

    def look_up(self, path: str) -> LocalImage:
        """Return what *path* leads to, measured; a path that leads out of the folders is not opened."""
        found = self._known.get(path)
        if found is None:
            if len(self._known) == _MOST_REMEMBERED:
                self._known.clear()
            found = self._known[path] = self._read(path)
        self._seen[path] = found.target.kind, found.target.identity
        return found

    def read(self, path: str) -> bytes | None:
        """Return the content of the file at *path*, None if it is not opened or too large."""
        descriptor = self._roots.open(path)[1]
        if descriptor is None:
            return None
        try:
            return _content(descriptor, os.fstat(descriptor).st_size, self._largest)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def pop_seen(self) -> dict[str, Seen]:
        """Return and forget the paths that were looked up since the last call."""
        seen, self._seen = self._seen, {}
        return seen

    def are_unchanged(self, seen: Mapping[str, Seen]) -> bool:
        """Return whether each path of *seen* still leads to what it led to; no file is opened."""
        targets = ((before, self._roots.find(path)) for path, before in seen.items())
        return all(before == (target.kind, target.identity) for before, target in targets)

    def sizes(self, paths: Sequence[str]) -> int:
        """Return the bytes of the files at *paths*, of which none is opened."""
        targets = map(self._roots.find, paths)
        return sum(target.identity.size for target in targets if target.identity and target.kind == REGULAR)

    def _read(self, path: str) -> LocalImage:
        target, descriptor = self._roots.open(path)
        if descriptor is None or target.identity is None:
            return LocalImage(target, _key(target))
        try:
            data = _content(descriptor, target.identity.size, self._largest)
            if data is not None:
                return LocalImage(target, *self._store.measure(data))
            os.lseek(descriptor, 0, os.SEEK_SET)
            header = _by_header(os.read(descriptor, _HEAD), target.identity.size)
            return LocalImage(target, _key(target), header)
        except OSError as error:
            target = PathTarget(UNREADABLE, target.path, error.strerror or type(error).__name__)
            return LocalImage(target, _key(target))
        finally:
            os.close(descriptor)


def _content(descriptor: int, size: int, most: int) -> bytes | None:
    """Return the content of an open file of *size* bytes, None if it has more than *most*."""
    if size > most:
        return None
    data = os.read(descriptor, size + 1)
    if len(data) == size and size:  # not so for files that the system makes up, or that are being written
        return data
    while len(data) <= most and (more := os.read(descriptor, _HEAD)):
        data += more
    return data if len(data) <= most else None


def _by_header(head: bytes, size: int) -> ImageMeasurements:
    """Return the measurements of an image of *size* bytes by its first bytes, *head*."""
    image = measure_image(head, full=False, whole=False)
    if image.openable is False and image.damage == "truncated":
        image = image._replace(openable=None)
    return image._replace(bytes=size, damage=None, decoder_error=None)


def _key(target: PathTarget) -> int:
    """Return the key of an image of which the content is not known."""
    return xxh3_128_intdigest(repr((target.path, target.identity)).encode(errors="surrogatepass"))
