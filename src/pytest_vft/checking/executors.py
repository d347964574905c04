"""Linting of shards in this process or by any executor of concurrent.futures."""

from __future__ import annotations

import os
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.shard import ShardLinter
from pytest_vft.checking.software import describe_software, software_hash
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.checking.worker import (
    MissingFolder,
    OtherSize,
    OtherSoftware,
    SizedShard,
    UnreadableShard,
    file_bytes,
    lint_in_worker,
)
from pytest_vft.errors import LintError, VftError
from pytest_vft.reading.content_error import ContentError
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.object_paths import is_object
from pytest_vft.reading.shards import SHARD_BYTES, Shard, read_lines
from pytest_vft.text import count

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

# The error of a shard that cannot be read becomes a finding on its file.
ShardResult = ShardTotals | OSError
# Maps a number of bytes to the executor that lints them, None for this process.
Workers = Callable[[int], "Executor | None"]

# A task on another machine takes about 2 ms of the scheduler and this process: 1 TB is 15,000 tasks.
_REMOTE_SHARD_BYTES = 64 * 1024 * 1024
# Tasks, or four for each worker if that is more: results come early, and few are held in memory.
_IN_FLIGHT = 32
# Shards of a task; one takes as long as a message, about 2 ms (Dask on two cores, measured on 2026-11-25).
_MOST_SHARDS = 64


def shard_bytes_for(executor: Executor | None) -> int:
    """Return the bytes of a shard for *executor*, which may have the attribute is_remote."""
    return _REMOTE_SHARD_BYTES if _is_remote(executor) else SHARD_BYTES


def _is_remote(executor: Executor | None) -> bool:
    return getattr(executor, "is_remote", False)


class ExecutorError(Exception):
    """An executor has no result; the message, which follows the place of the shard, says why."""


class _Task(NamedTuple):
    """Shards that one call lints: in a worker if they are new, otherwise in this process."""

    shards: list[Shard]
    is_new: bool

    @property
    def place(self) -> str:
        """The first shard, and how many others there are."""
        others = len(self.shards) - 1
        return _place(self.shards[0]) + (f", or one of the next {count(others, 'shard')}" if others else "")


def lint_shards(
    shards: Sequence[Shard],
    plan: LintPlan,
    store: ImageStore,
    workers: Workers,
    *,
    task_bytes: int = SHARD_BYTES,
) -> Iterator[ShardResult]:
    """Yield the result of each of *shards*, in their order.

    Shards that are not in the cache are linted by *workers*, which have their own image stores, small ones
    in tasks of about *task_bytes*; all other shards in this process, with the images in *store*. Raises
    LintError, which names the shard, if an executor fails.
    """
    with closing(ShardLinter(plan, store)) as linter:
        new = [not linter.remembers(shard) for shard in shards]
        executor = workers(sum(shard.work for shard in compress(shards, new)))
        if executor is None:
            for shard in shards:
                yield _lint(linter, shard)
        else:
            yield from _lint_by(executor, _tasks(zip(shards, new, strict=True), task_bytes), plan, linter)


def _tasks(marked: Iterable[tuple[Shard, bool]], task_bytes: int) -> Iterator[_Task]:
    """Yield the shards of *marked*, each with whether it is new, in tasks: those that are new together."""
    shards: list[Shard] = []
    work = 0
    for shard, is_new in marked:
        work += shard.work
        if shards and (not is_new or work > task_bytes or len(shards) == _MOST_SHARDS):
            yield _Task(shards, is_new=True)
            shards, work = [], shard.work
        if is_new:
            shards.append(shard)
        else:
            yield _Task([shard], is_new=False)
            work = 0
    if shards:
        yield _Task(shards, is_new=True)


def _lint_by(
    executor: Executor, tasks: Iterator[_Task], plan: LintPlan, linter: ShardLinter
) -> Iterator[ShardResult]:
    """Yield the result of each shard of *tasks*; those that are new are linted by *executor*."""
    software, folder = software_hash(), os.getcwd()  # noqa: PTH109 - as text
    pickled = pickle.dumps(replace(plan, reads_cache=not _is_remote(executor)))

    def submit(task: _Task) -> Future[Any]:
        # Joined, not normalised: "link/.." is not the current folder.
        there = [
            SizedShard(
                shard if is_object(shard.path) else shard._replace(path=os.path.join(folder, shard.path)),  # noqa: PTH118
                file_bytes(shard.path),
            )
            for shard in task.shards
        ]
        with _naming(task.place):
            return executor.submit(lint_in_worker, software, pickled, pickle.dumps(there))

    waiting: deque[tuple[_Task, Future[Any] | None]] = deque()
    try:
        while True:
            # The number of workers is not public, and may change.
            window = max(_IN_FLIGHT, 4 * getattr(executor, "_max_workers", 0))
            while len(waiting) < window and (task := next(tasks, None)):
                waiting.append((task, submit(task) if task.is_new else None))
            if not waiting:
                return
            task, future = waiting.popleft()
            if future is None:
                yield from (_lint(linter, shard) for shard in task.shards)
            else:
                yield from _results(task, future)
    finally:
        for _, future in waiting:
            if future:
                future.cancel()


def _results(task: _Task, future: Future[Any]) -> Iterator[ShardResult]:
    """Yield the result of each shard of *task*. Raises LintError if the executor or a worker failed."""
    with _naming(task.place):
        results: object = future.result()
    if isinstance(results, OtherSoftware):
        raise LintError(
            f"the worker on {results.host} has other software, which may give other results: "
            f"{results.software}; here: {describe_software()}; "
            "install the same software and start the workers again"
        )
    if isinstance(results, MissingFolder):
        raise LintError(
            f"the worker on {results.host} does not have the folder {results.path}; "
            "workers must have local images at the same paths"
        )
    if not isinstance(results, list) or len(results) != len(task.shards):
        kind = type(results).__name__
        raise LintError(f"{task.place}: the executor failed: its result is of type {kind}")
    for shard, result in zip(task.shards, results, strict=True):
        yield _result(shard, result)


def _result(shard: Shard, result: object) -> ShardResult:
    if isinstance(result, OtherSize):
        _check_same_file(shard, result)
        result = result.result
    if isinstance(result, ShardTotals):
        return result
    if isinstance(result, UnreadableShard):
        if isinstance(result.error, ContentError):
            return result.error
        _check_readable_here(shard, result)
        return result.error
    with naming(shard):
        raise result if isinstance(result, Exception) else TypeError(type(result).__name__)


def _check_same_file(shard: Shard, there: OtherSize) -> None:
    """Raise LintError if a worker read another file than this process would, and not one that has changed."""
    here = file_bytes(shard.path)
    if here == there.expected:
        raise LintError(
            f"{shard.path}: has {there.found:,} bytes for the worker on {there.host}, and {here:,} here; "
            "workers must have the same files at the same paths"
        )


def _check_readable_here(shard: Shard, there: UnreadableShard) -> None:
    """Raise LintError if this process can read *shard*, which a worker could not read."""
    try:
        next(read_lines(shard), None)
    except OSError:
        return
    step = (
        "each worker needs its own access to object storage"
        if is_object(shard.path)
        else "workers must have the files at the same paths"
    )
    raise LintError(
        f"{_place(shard)}: the worker on {there.host} cannot read the file: {there.error.strerror}; {step}"
    ) from there.error


def naming(shard: Shard) -> AbstractContextManager[None]:
    """Raise a LintError that names *shard* for any exception of an executor."""
    return _naming(_place(shard))


@contextmanager
def _naming(place: str) -> Iterator[None]:
    try:
        yield
    except VftError:
        raise
    except (Exception, SystemExit) as error:
        from concurrent.futures import BrokenExecutor  # noqa: PLC0415 - 10 ms; for failures only

        if isinstance(error, BrokenExecutor):
            raise LintError(
                f"{place}, or a shard beside it: a worker process was killed, out of memory or "
                "unable to start; --jobs=1 uses the least memory"
            ) from error
        if isinstance(error, ExecutorError):
            raise LintError(f"{place}: {error}") from error
        if isinstance(error, MemoryError):
            raise LintError(f"{place}: out of memory; --jobs=1 uses the least memory") from error
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise LintError(f"{place}: the executor failed: {words}") from error


def _place(shard: Shard) -> str:
    if shard.compression:
        return shard.path
    return f"{shard.path}: bytes {shard.start:,} to {shard.end:,}"


def _lint(linter: ShardLinter, shard: Shard) -> ShardResult:
    try:
        return linter.lint(shard)
    except OSError as error:
        return error
    except MemoryError:
        raise LintError(f"{_place(shard)}: out of memory") from None
