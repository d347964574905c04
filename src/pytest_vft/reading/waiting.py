"""Calls in threads of their own, so that Ctrl-C ends the wait: obstore does not listen to signals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")


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
    return started(call).result()
