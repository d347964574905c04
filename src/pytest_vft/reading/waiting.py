"""Calls in threads of their own, so that Ctrl-C ends the wait: obstore does not listen to signals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

_T = TypeVar("_T")
_Item = TypeVar("_Item")
_PAUSE = 0.2  # seconds


def started(call: Callable[[], _T]) -> Future[_T]:
    """Return the future of *call*, in a thread that does not keep the process from ending."""
    future: Future[_T] = Future()
    threading.Thread(target=_settle, args=(future, call), daemon=True).start()
    return future


def at_once(call: Callable[[_Item], _T], items: Iterable[_Item], number: int) -> Iterator[_T]:
    """Yield the results of *call* for each of *items*, in their order; *number* of them run at the same time.

    Ctrl-C ends the wait. Calls that have not started by the end of the iteration never do.
    """
    todo: SimpleQueue[tuple[Future[_T], Callable[[], _T]]] = SimpleQueue()
    futures = []
    for item in items:
        futures.append(Future[_T]())
        todo.put((futures[-1], partial(call, item)))
    for _ in range(min(number, len(futures))):
        threading.Thread(target=_work, args=(todo,), daemon=True).start()
    try:
        yield from map(result_of, futures)
    finally:
        for _ in _taken(todo):
            pass


def _work(todo: SimpleQueue[tuple[Future[_T], Callable[[], _T]]]) -> None:
    for future, call in _taken(todo):
        _settle(future, call)


def _taken(queue: SimpleQueue[_T]) -> Iterator[_T]:
    """Yield what is in *queue*, which others take from as well, until it is empty."""
    while True:
        try:
            yield queue.get_nowait()
        except Empty:
            return


def _settle(future: Future[_T], call: Callable[[], _T]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
        future.set_exception(error)


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
