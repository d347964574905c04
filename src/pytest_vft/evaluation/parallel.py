"""Requests to a server, several at a time and at an even pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_parallel(work: Iterable[T], do: Callable[[T], R], concurrency: int) -> Iterator[tuple[T, R]]:
    """Yield each item of *work* with the result of *do*, as they complete, *concurrency* at a time.

    Items are taken from *work* only when they can start. The first item is done alone, since a refused key
    or an unknown model is an error of all items. Exceptions of *do* are raised here.
    """
    at_once = 1
    pending: dict[Future[R], T] = {}
    waiting = iter(work)
    with ThreadPoolExecutor(concurrency, thread_name_prefix="vft-eval") as pool:
        while True:
            while len(pending) < at_once and (taken := next(waiting, pool)) is not pool:
                one: T = taken  # type: ignore[assignment]  # the pool only marks the end
                pending[pool.submit(do, one)] = one
            if not pending:
                return
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                yield pending.pop(future), future.result()
            at_once = concurrency


def paced(work: Iterable[T], per_minute: float | None) -> Iterator[T]:
    """Yield *work* at an even pace of at most *per_minute* items a minute, without a limit if None."""
    due = time.monotonic()
    for one in work:
        if per_minute is not None:
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic() - 60 / per_minute) + 60 / per_minute
        yield one
