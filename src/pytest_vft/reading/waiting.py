"""Calls in threads of their own, so that Ctrl-C ends the wait: obstore does not listen to signals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

_T = TypeVar("_T")
_PAUSE = 0.2  # seconds


def started(call: Callable[[], _T]) -> Future[_T]:
    """Return the future of *call*, in a thread that does not keep the process from ending."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def waited(call: Callable[[], _T]) -> _T:
    """Return the result of *call*; Ctrl-C, which only the main thread gets, ends the wait."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    return result_of(started(call))


def result_of(future: Future[_T]) -> _T:
    """Return the result of *future*.

    A thread of obstore may get the signal of Ctrl-C, which then does not wake this one: hence the pauses.
    """
    while not wait([future], _PAUSE).done:
        pass
    return future.result()
