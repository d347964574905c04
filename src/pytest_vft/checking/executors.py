"""Where shards are linted: in this process, one after the other, or by any executor of concurrent.futures."""

from __future__ import annotations

import pickle
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.shard import ShardLinter, open_image_store
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.errors import LintError, VftError
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.shards import Shard, read_lines

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

# A shard that can no longer be read yields the error, which becomes a finding on its file.
ShardResult = ShardTotals | OSError
# From a number of bytes to the executor that lints them, None to lint them in this process.
Workers = Callable[[int], "Executor | None"]

_IN_FLIGHT = (
    32  # shards, or four for each worker, if that is more: results come early, and few wait in memory
)


class UnreadableShard(NamedTuple):
    """The error of a worker that could not read a shard, and the worker's host."""

    error: OSError
    host: str


def lint_shards(
    shards: Sequence[Shard], plan: LintPlan, store: ImageStore, workers: Workers
) -> Iterator[ShardResult]:
    """Yield the result of each of *shards*, in their order.

    Shards that are not in the cache are linted by *workers*, which have image stores of their own; all
    others in this process, with the images in *store*. Raises LintError, which names the shard, when
    an executor fails.
    """
    with closing(ShardLinter(plan, store)) as linter:
        new = [not linter.remembers(shard) for shard in shards]
        size = sum(shard.end - shard.start for shard, is_new in zip(shards, new, strict=True) if is_new)
        executor = workers(size)
        if executor is None:
            for shard in shards:
                yield _lint(linter, shard)
        else:
            yield from _lint_by(executor, list(zip(shards, new, strict=True)), plan, linter)


def _lint_by(
    executor: Executor, shards: Sequence[tuple[Shard, bool]], plan: LintPlan, linter: ShardLinter
) -> Iterator[ShardResult]:
    """Yield the result of each of *shards*; those marked as new are linted by *executor*."""
    pickled = pickle.dumps(plan)
    # No public attribute tells the number of workers.
    window = max(_IN_FLIGHT, 4 * getattr(executor, "_max_workers", 0))
    waiting: deque[tuple[Shard, Future[ShardTotals | UnreadableShard] | None]] = deque()
    coming = iter(shards)
    try:
        while True:
            for shard, is_new in coming:
                waiting.append((shard, _submit(executor, pickled, shard) if is_new else None))
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


def _submit(executor: Executor, plan: bytes, shard: Shard) -> Future[ShardTotals | UnreadableShard]:
    try:
        return executor.submit(_lint_in_worker, plan, shard)
    except Exception as error:
        raise _failure(shard, error) from error


def _result(future: Future[ShardTotals | UnreadableShard], shard: Shard) -> ShardResult:
    try:
        result = future.result()
    except VftError:
        raise
    except Exception as error:
        raise _failure(shard, error) from error
    if isinstance(result, UnreadableShard):
        try:
            next(read_lines(shard), None)
        except OSError:
            return result.error  # nor can it be read here any more
        raise LintError(
            f"{_place(shard)}: the worker on {result.host} cannot read the file: {result.error.strerror}; "
            "workers must find files at the same paths"
        ) from result.error
    return result


def _failure(shard: Shard, error: Exception) -> LintError:
    from concurrent.futures import BrokenExecutor  # noqa: PLC0415 - 10 ms, and an executor is there already

    if isinstance(error, BrokenExecutor):
        return LintError(
            f"{_place(shard)}, or a shard linted beside it: a worker process ended, killed or out of memory; "
            "--jobs=1 needs the least memory"
        )
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return LintError(f"{_place(shard)}: the executor failed: {words}")


def _place(shard: Shard) -> str:
    return f"{shard.path}: bytes {shard.start:,} to {shard.end:,}"


_worker = threading.local()


def _lint_in_worker(plan: bytes, shard: Shard) -> ShardTotals | UnreadableShard:
    """Lint *shard* by a pickled plan, which a worker unpickles once."""
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
