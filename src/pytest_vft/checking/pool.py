"""Worker processes that share nothing but a lock, so that one may be killed at any time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from queue import SimpleQueue
from typing import Any

from pytest_vft.reading.decoder_memory import take_turns

_Call = tuple[Callable[..., Any], tuple[Any, ...]]
_Task = tuple[Future[Any], _Call]


class WorkerPool(Executor):
    """An executor of *jobs* processes, each with a pipe and a thread of its own.

    The workers of a ProcessPoolExecutor write to one pipe: if one is killed in the middle of a result, the
    reader waits forever. Here the pipe of a killed worker ends, and the pool is broken: all its workers are
    killed, since one of them may wait for a lock of the first, and each future raises BrokenExecutor.
    """

    def __init__(self, jobs: int, context: BaseContext) -> None:
        self._max_workers = jobs
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        # For images that are decoded one at a time. Without a reference the lock would be gone before a new
        # process opens it by its name.
        self._turn = turn = context.Lock()
        pipes, self._workers = [], []
        for _ in range(jobs):  # before any thread starts: a fork copies locks that other threads hold
            ours, theirs = context.Pipe()
            worker = context.Process(target=_work, args=(theirs, turn), daemon=True)  # type: ignore[attr-defined]
            worker.start()
            theirs.close()  # so that the pipe ends with the worker
            pipes.append(ours)
            self._workers.append(worker)
        self._threads = [threading.Thread(target=self._serve, args=(pipe,), daemon=True) for pipe in pipes]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **_: Any) -> Future[Any]:
        """Return the future of fn(*args)."""
        future: Future[Any] = Future()
        self._tasks.put((future, (fn, args)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - as in Executor
        """End the workers when all tasks are done; with *cancel_futures*, now."""
        if cancel_futures:
            self._kill()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        for worker in self._workers:
            worker.join()

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()  # workers only read and answer, so nothing is left half done

    def _serve(self, pipe: Connection) -> None:
        """Hand tasks to one worker until there are no more."""
        with pipe:
            while task := self._tasks.get():
                future, call = task
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    pipe.send(call)
                    result, error = pipe.recv()
                except (EOFError, OSError):  # also for later tasks, since the worker does not come back
                    self._kill()
                    future.set_exception(BrokenExecutor("a worker was killed"))
                except Exception as raised:  # noqa: BLE001 - what cannot be pickled raises any exception
                    future.set_exception(raised)
                else:
                    future.set_exception(error) if error else future.set_result(result)
            with suppress(OSError):
                pipe.send(None)


def _work(pipe: Connection, turn: Any) -> None:
    """Answer calls until there are no more. Ctrl-C is left to the parent, and the worker ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not that of the parent, which cleans up
    take_turns(turn)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while call := pipe.recv():
        function, arguments = call
        try:
            answer: tuple[Any, Exception | None] = function(*arguments), None
        except Exception as error:  # noqa: BLE001 - the parent names the shard
            answer = None, error
        try:
            pipe.send(answer)
        except Exception as error:  # noqa: BLE001 - what cannot be pickled raises any exception
            pipe.send((None, RuntimeError(str(error))))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
