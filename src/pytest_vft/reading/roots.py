"""Folders in which local images may be opened; a path that leads out of them is never opened.

Paths are judged as text before the file system is used. Folders are resolved once, and opened one component
at a time without following links, so a folder that becomes a link in the meantime is not followed either.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_vft.reading.object_paths import is_object, without_password

REGULAR, OUTSIDE, NOTHING, UNREADABLE = "a file", "outside the roots", "nothing", "unreadable"

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")  # a drive, or a share of a network
_LONGEST = 4096  # characters of a path; Linux takes no more bytes (PATH_MAX)
_MOST_FOLDERS = 64  # that are open at a time; a process may have a few hundred open files
# Windows has no links without administrator rights, and neither of these flags nor descriptors of folders.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | _NO_LINK
_FILE = os.O_RDONLY | _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_AT_FOLDER = bool(_NO_LINK) and {os.open, os.stat} <= os.supports_dir_fd
_MISSING = (errno.ENOENT, errno.ENOTDIR)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISLNK, "a link"),
)


def root_problem(root: str) -> str | None:
    """Return why *root*, as it is named, is not a folder of local images; None for a folder."""
    if is_object(root):
        return (
            f"{without_password(root)}: is in object storage, and an image root is a folder on this machine; "
            "copy the images there, or name them by their URLs in the data format gemini or bedrock"
        )
    return None if os.path.isdir(root) else f"{root}: no such folder"  # noqa: PTH112 - of any length


class FileIdentity(NamedTuple):
    """What changes when a file is written or replaced."""

    size: int
    mtime_ns: int
    inode: int


class PathTarget(NamedTuple):
    """What a local path leads to.

    *kind* is REGULAR, OUTSIDE, NOTHING, UNREADABLE or what the path is instead of a file: "a folder",
    "a pipe" ... *words* say how a path leads out of the roots, or why it is unreadable. *path* is the
    resolved path.
    """

    kind: str
    path: str
    words: str | None = None
    identity: FileIdentity | None = None


class _Root(NamedTuple):
    """A root, absolute as it was given and with its links resolved."""

    path: str
    real: str


class _OpenFolder(NamedTuple):
    """A folder inside the roots: its real path, and its descriptor if the system has such."""

    real: str
    descriptor: int | None

    def stat(self, name: str) -> os.stat_result:
        return os.stat(self._path(name), dir_fd=self.descriptor, follow_symlinks=False)

    def open(self, name: str) -> int:
        return os.open(self._path(name), _FILE, dir_fd=self.descriptor)

    def _path(self, name: str) -> str:
        return os.path.join(self.real, name) if self.descriptor is None else name  # noqa: PTH118 - as above


class Roots:
    """The folders in which local images may be opened; relative paths are looked for in each, in order."""

    def __init__(self, folders: Sequence[str]) -> None:
        paths = dict.fromkeys(os.path.abspath(folder) for folder in folders)  # noqa: PTH100 - links are kept
        self._roots = [_Root(path, os.path.realpath(path)) for path in paths]
        self._folders: dict[str, Sequence[_OpenFolder | PathTarget]] = {}

    def close(self) -> None:
        """Close the folders that are open."""
        for folder in list(self._folders):
            self._forget(folder)

    def find(self, path: str) -> PathTarget:
        """Return what *path* leads to, without opening it."""
        return self._find(path)[0]

    def open(self, path: str) -> tuple[PathTarget, int | None]:
        """Return what *path* leads to and, for a regular file, its descriptor, which the caller closes."""
        target, folder, name = self._find(path)
        if folder is None or target.kind != REGULAR:
            return target, None
        try:
            descriptor = folder.open(name)
        except OSError as error:
            return _failed(target.path, error), None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):  # replaced in between
            os.close(descriptor)
            return PathTarget(_kind(status), target.path), None
        return target._replace(identity=_identity(status)), descriptor

    def _find(self, path: str) -> tuple[PathTarget, _OpenFolder | None, str]:
        """Return what *path* leads to, with its folder and name if that is inside the roots."""
        while len(self._folders) > _MOST_FOLDERS:
            self._forget(next(iter(self._folders)))
        judged = _by_text(path)
        if judged:
            return judged, None, path
        parent, name = os.path.split(path)
        if name in ("", os.curdir, os.pardir):
            parent, name = path, os.curdir
        worst: PathTarget | None = None
        try:
            for folder in self._candidates(parent):
                if isinstance(folder, PathTarget):
                    target = folder._replace(path=os.path.join(folder.path, name))  # noqa: PTH118 - text
                    inside, found = None, name
                else:
                    target, inside, found = self._in_folder(folder, name)
                if target.kind not in (NOTHING, OUTSIDE):
                    return target, inside, found
                if worst is None or (target.kind, worst.kind) == (OUTSIDE, NOTHING):
                    worst = target
        except ValueError:  # not encodable as the name of a file
            return PathTarget(NOTHING, path), None, name
        return (
            worst or PathTarget(OUTSIDE, path, "is outside the image roots, of which there are none"),
            None,
            name,
        )

    def _in_folder(self, folder: _OpenFolder, name: str) -> tuple[PathTarget, _OpenFolder | None, str]:
        path = os.path.join(folder.real, name)  # noqa: PTH118 - text
        try:
            status = folder.stat(name)
            if stat.S_ISLNK(status.st_mode):
                real = os.path.realpath(path)
                if not self._contains(real):
                    return (
                        PathTarget(OUTSIDE, real, "is a link to a file outside the image roots"),
                        None,
                        name,
                    )
                parent, name = os.path.split(real)
                (resolved,) = self._candidates(parent)
                if isinstance(resolved, PathTarget):
                    return resolved, None, name
                folder, path, status = resolved, real, resolved.stat(name)
        except OSError as error:
            return _failed(path, error), None, name
        return PathTarget(_kind(status), path, identity=_identity(status)), folder, name

    def _candidates(self, parent: str) -> Sequence[_OpenFolder | PathTarget]:
        """Return the folders that *parent* names, one for each root; a target for one that is not opened."""
        found = self._folders.get(parent)
        if found is None:
            roots = self._roots[:1] if os.path.isabs(parent) else self._roots  # noqa: PTH117 - text
            found = self._folders[parent] = [self._open_folder(root, parent) for root in roots]
        return found

    def _open_folder(self, root: _Root, parent: str) -> _OpenFolder | PathTarget:
        """Return the folder *parent*, relative to *root* or absolute."""
        path = os.path.normpath(os.path.join(root.path, parent))  # noqa: PTH118 - text
        if not any(_is_inside(path, one) for known in self._roots for one in known):
            return PathTarget(OUTSIDE, path, _how(parent))
        real = os.path.realpath(path)
        if not self._contains(real):
            return PathTarget(OUTSIDE, real, "leads through a link out of the image roots")
        try:
            return _OpenFolder(real, self._descriptor(real) if _AT_FOLDER else None)
        except OSError as error:
            return _failed(real, error)

    def _descriptor(self, real: str) -> int:
        """Open the folder at *real*, a path without links inside a root, one component at a time."""
        root = next(root.real for root in self._roots if _is_inside(real, root.real))
        descriptor = os.open(root, _FOLDER)
        for name in Path(real).relative_to(root).parts:
            outer = descriptor
            try:
                descriptor = os.open(name, _FOLDER, dir_fd=outer)
            finally:
                os.close(outer)
        return descriptor

    def _contains(self, real: str) -> bool:
        return any(_is_inside(real, root.real) for root in self._roots)

    def _forget(self, parent: str) -> None:
        for folder in self._folders.pop(parent):
            if isinstance(folder, _OpenFolder) and folder.descriptor is not None:
                os.close(folder.descriptor)


def _is_inside(path: str, root: str) -> bool:
    path, root = os.path.normcase(path), os.path.normcase(root)
    return path == root or path.startswith(root if root.endswith(os.sep) else root + os.sep)


def _by_text(path: str) -> PathTarget | None:
    """Return what *path* leads to if that does not depend on the roots."""
    if len(path) > _LONGEST:  # resolving takes time that grows with the square of the length
        return PathTarget(UNREADABLE, path, os.strerror(errno.ENAMETOOLONG))
    if "\0" in path or not path:
        return PathTarget(NOTHING, path)
    if os.sep == "/" and _WINDOWS.match(path):
        return PathTarget(OUTSIDE, path, _how(path))
    return None


def _how(path: str) -> str:
    """Return how *path* leads out of the roots, by its text."""
    if path.startswith((r"\\", "//")):
        return "is on the network, outside the image roots"
    if _WINDOWS.match(path):
        return "is on a Windows drive, outside the image roots"
    return "is outside the image roots" if os.path.isabs(path) else "leads out of the image roots"  # noqa: PTH117 - text


def _failed(path: str, error: OSError) -> PathTarget:
    if error.errno in _MISSING:
        return PathTarget(NOTHING, path)
    return PathTarget(UNREADABLE, path, error.strerror or type(error).__name__)


def _kind(status: os.stat_result) -> str:
    if stat.S_ISREG(status.st_mode):
        return REGULAR
    return next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "a device")


def _identity(status: os.stat_result) -> FileIdentity:
    return FileIdentity(status.st_size, status.st_mtime_ns, status.st_ino)
