"""Open regular files only: pipes, devices and sockets may wait forever or never end."""

from __future__ import annotations

import errno
import os
import stat

# An open() of a pipe that takes the place of a file in between does not wait; Windows has no such pipes.
_DO_NOT_WAIT = getattr(os, "O_NONBLOCK", 0)
_AS_BYTES = getattr(os, "O_BINARY", 0)  # on Windows


def regular(path: str | os.PathLike[str], flags: int) -> int:
    """Open *path*, as an opener of open(). Raises OSError, also for what is not a regular file."""
    return _open(path, flags)[0]


def _open(path: str | os.PathLike[str], flags: int, *, again: bool = False) -> tuple[int, os.stat_result]:
    if not again:  # opening a device or a pipe may have an effect
        _check(os.stat(path).st_mode, path)  # noqa: PTH116 - a Path takes twice the time
    descriptor = os.open(path, flags | _DO_NOT_WAIT)
    try:
        status = os.fstat(descriptor)
        _check(status.st_mode, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, status


def _check(mode: int, path: str | os.PathLike[str]) -> None:
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # open() has an error of its own for a folder
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))


def read_start(path: str, most: int, *, again: bool = False) -> tuple[bytes, int]:
    """Return the first *most* bytes of the file at *path*, and its size; in half the time of a file object.

    *again* says that it was a regular file a moment ago, and is not looked at before it is opened. Raises
    OSError, also if it is not a regular file, and ValueError for a path with a NUL character.
    """
    descriptor, status = _open(path, os.O_RDONLY | _AS_BYTES, again=again)
    try:
        return os.read(descriptor, most), status.st_size
    finally:
        os.close(descriptor)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the content of the file at *path*. Raises OSError, also if it is not a regular file."""
    with open(path, "rb", opener=regular) as file:
        return file.read()


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of the file at *path*, in UTF-8; otherwise like read_bytes()."""
    with open(path, encoding="utf-8", opener=regular) as file:
        return file.read()
