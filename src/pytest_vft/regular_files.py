"""Open regular files only: pipes, devices and sockets may wait forever or never end."""

from __future__ import annotations

import errno
import os
import stat

# An open() of a pipe that takes the place of a file in between does not wait; Windows has no such pipes.
_DO_NOT_WAIT = getattr(os, "O_NONBLOCK", 0)


def regular(path: str | os.PathLike[str], flags: int) -> int:
    """Open *path*, as an opener of open(). Raises OSError, also for what is not a regular file."""
    # Opening a device or a pipe may have an effect.
    _check(os.stat(path).st_mode, path)  # noqa: PTH116 - a Path takes twice the time
    descriptor = os.open(path, flags | _DO_NOT_WAIT)
    try:
        _check(os.fstat(descriptor).st_mode, path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check(mode: int, path: str | os.PathLike[str]) -> None:
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # open() has an error of its own for a folder
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the content of the file at *path*. Raises OSError, also if it is not a regular file."""
    with open(path, "rb", opener=regular) as file:
        return file.read()


def read_text(path: str | os.PathLike[str]) -> str:
    """Return the text of the file at *path*, in UTF-8; otherwise like read_bytes()."""
    with open(path, encoding="utf-8", opener=regular) as file:
        return file.read()
