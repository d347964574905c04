"""Linting of shards in this process or by any executor of concurrent.futures."""

from __future__ import annotations

import pickle
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.shard import ShardLinter, open_image_store
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.errors import LintError, VftError
from pytest_vft.reading.content_error import ContentError
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.shards import Shard, read_lines

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

# The error of a shard that cannot be read becomes a finding on its file.
ShardResult = ShardTotals | OSError
# Maps a number of bytes to the executor that lints them, None for this process.
Workers = Callable[[int], "Executor | None"]

# Shards, or four for each worker if that is more: results come early, and few are held in memory.
_IN_FLIGHT = 32


class UnreadableShard(NamedTuple):
    """The error of a worker that could not read a shard, and the worker's host."""

    error: OSError
    host: str


def lint_shards(
    shards: Sequence[Shard], plan: LintPlan, store: ImageStore, workers: Workers
) -> Iterator[ShardResult]:
    """Yield the result of each of *shards*, in their order.

    Shards that are not in the cache are linted by *workers*, which have their own image stores; all other
    shards in this process, with the images in *store*. Raises LintError, which names the shard, if an
    executor fails.
    """
    with closing(ShardLinter(plan, store)) as linter:
        marked = [(shard, not linter.remembers(shard)) for shard in shards]
        executor = workers(sum(shard.work for shard, is_new in marked if is_new))
        if executor is None:
            for shard in shards:
                yield _lint(linter, shard)
        else:
            yield from _lint_by(executor, marked, plan, linter)


def _lint_by(
    executor: Executor, shards: Sequence[tuple[Shard, bool]], plan: LintPlan, linter: ShardLinter
) -> Iterator[ShardResult]:
    """Yield the result of each of *shards*; shards marked as new are linted by *executor*."""
    pickled = pickle.dumps(plan)
    # The number of workers is not public.
    window = max(_IN_FLIGHT, 4 * getattr(executor, "_max_workers", 0))
    waiting: deque[tuple[Shard, Future[ShardTotals | UnreadableShard] | None]] = deque()
    coming = iter(shards)
    try:
        while True:
            for shard, is_new in coming:
                with naming(shard):
                    future = executor.submit(_lint_in_worker, pickled, shard) if is_new else None
                waiting.append((shard, future))
                if len(waiting) == window:
                    break
            if not waiting:
                return
            shard, future = waiting.popleft()
            yield _result(future, shard) if future else _lint(linter, shard)
    finally:
        for _, future in waiting:
            if future:
                future.cancel()


def _result(future: Future[ShardTotals | UnreadableShard], shard: Shard) -> ShardResult:
    with naming(shard):
        result: object = future.result()
    if isinstance(result, UnreadableShard):
        if isinstance(result.error, ContentError):
            return result.error
        try:
            next(read_lines(shard), None)
        except OSError:
            return result.error  # the file cannot be read here either
        raise LintError(
            f"{_place(shard)}: the worker on {result.host} cannot read the file: {result.error.strerror}; "
            "workers must have the files at the same paths"
        ) from result.error
    if not isinstance(result, ShardTotals):
        kind = type(result).__name__
        raise LintError(f"{_place(shard)}: the executor failed: its result is of type {kind}")
    return result


@contextmanager
def naming(shard: Shard) -> Iterator[None]:
    """Raise a LintError that names *shard* for any exception of an executor."""
    try:
        yield
    except VftError:
        raise
    except (Exception, SystemExit) as error:
        from concurrent.futures import BrokenExecutor  # noqa: PLC0415 - 10 ms; for failures only

        if isinstance(error, BrokenExecutor):
            raise LintError(
                f"{_place(shard)}, or a shard beside it: a worker process was killed, out of memory or "
                "unable to start; --jobs=1 uses the least memory"
            ) from error
        if isinstance(error, MemoryError):
            raise LintError(f"{_place(shard)}: out of memory; --jobs=1 uses the least memory") from error
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise LintError(f"{_place(shard)}: the executor failed: {words}") from error


def _place(shard: Shard) -> str:
    if shard.compression:
        return shard.path
    return f"{shard.path}: bytes {shard.start:,} to {shard.end:,}"


_worker = threading.local()


def _lint_in_worker(plan: bytes, shard: Shard) -> ShardTotals | UnreadableShard:
    """Return the totals of *shard* by a pickled plan, which a worker unpickles once."""
    if getattr(_worker, "plan", None) != plan:
        unpickled: LintPlan = pickle.loads(plan)  # noqa: S301 - pickled by _lint_by() for this worker
        _worker.linter = ShardLinter(unpickled, open_image_store(unpickled))
        _worker.plan = plan
    linter: ShardLinter = _worker.linter
    try:
        if threading.current_thread() is not threading.main_thread():
            return linter.lint(shard)
        with warnings.catch_warnings(action="ignore"):
            return linter.lint(shard)
    except OSError as error:
        import socket  # noqa: PLC0415 - 5 ms, for a failure only

        return UnreadableShard(error, socket.gethostname())


def _lint(linter: ShardLinter, shard: Shard) -> ShardResult:
    try:
        return linter.lint(shard)
    except OSError as error:
        return error
    except MemoryError:
        raise LintError(f"{_place(shard)}: out of memory") from None
