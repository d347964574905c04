"""Folders for temporary files, which do not outlive the process unless it is killed without a warning."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TerminatedError(BaseException):
    """The process was told to end by SIGTERM; not an Exception, which others may catch."""


@contextmanager
def temporary_folder() -> Iterator[str]:
    """Yield the path of a new folder, which is deleted on exit, also if SIGTERM ends the process."""
    with terminated_cleanly(), tempfile.TemporaryDirectory(prefix="vft-") as folder:
        yield folder


@contextmanager
def terminated_cleanly() -> Iterator[None]:
    """Have SIGTERM end the block by an exception, at which the block cleans up, and then the process.

    CI, containers and batch systems end a process by SIGTERM, at which Python cleans up nothing.
    """
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if not is_ours:  # a block inside another one, or a program that has its own way to end
        yield
        return
    try:
        signal.signal(signal.SIGTERM, _terminate)
        yield
    except TerminatedError:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # until the block has cleaned up
    raise TerminatedError
