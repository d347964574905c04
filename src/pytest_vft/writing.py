"""Write files atomically: completely or not at all."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pytest_vft.errors import UsageError

# An open() of a pipe waits for a reader otherwise; Windows has no such pipes.
_DO_NOT_WAIT = getattr(os, "O_NONBLOCK", 0)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a binary file that replaces the file at *path* when the block ends without an exception.

    Until then the file has a temporary name in the same folder. A symbolic link is kept, and its target
    is replaced. A pipe or a device, such as /dev/stdout, is written to directly.
    Raises OSError, with the name of the file, if it cannot be written, also for a pipe without a reader.
    """
    try:
        with _replacing(Path(path)) as file:
            yield file
    except OSError as error:
        error.filename = os.fspath(path)  # not the temporary name, and not none, as for a full disk
        raise


@contextmanager
def _replacing(given: Path) -> Iterator[BinaryIO]:
    is_device = given.absolute().is_relative_to("/dev")  # also if it links to a file, as stdout may
    if is_device or (given.exists() and not given.is_file()):
        with open(given, "wb", opener=_open_at_once) as file:
            yield file
        return
    target = Path(os.path.realpath(given))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(given))
    unfinished = target.with_name(f".{target.name}.{os.urandom(4).hex()}.tmp")
    try:
        with unfinished.open("xb") as file:
            yield file
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _open_at_once(path: str, flags: int) -> int:
    """Open *path*, as an opener of open(), without waiting until a process reads a pipe. Raises OSError."""
    try:
        descriptor = os.open(path, flags | _DO_NOT_WAIT)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "is a pipe that no process reads", path) from None
        raise
    if sys.platform != "win32":
        os.set_blocking(descriptor, True)
    return descriptor


def write_text(
    path: str | os.PathLike[str], text: str, *, inputs: Iterable[str] = (), errors: str = "strict"
) -> None:
    """Write *text* to *path* as UTF-8 with replacing(); *errors* as in str.encode.

    Raises UsageError if *path* is one of the files *inputs*, which the text is about, and OSError.
    """
    if os.path.realpath(path) in map(os.path.realpath, inputs):
        raise UsageError(f"{os.fspath(path)}: this file is checked; write to another file")
    with replacing(path) as file:
        file.write(text.encode(errors=errors))
