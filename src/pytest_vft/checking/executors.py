"""Where shards are linted: here, one after the other, or by any executor of concurrent.futures."""

from __future__ import annotations

import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from pytest_vft.checking.shard import LintPlan, ShardLinter
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.errors import LintError
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.shards import Shard

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

# A shard that can no longer be read gives the error: it is a finding on its file.
ShardResult = ShardTotals | OSError
# From a number of bytes to what lints them; None: they are linted here.
Workers = Callable[[int], "Executor | None"]


def lint_shards(
    shards: Sequence[Shard], plan: LintPlan, store: ImageStore, workers: Workers
) -> Iterator[ShardResult]:
    """Yield what each of *shards* comes to by *plan*, in their order.

    Those that nobody remembers are linted by *workers*, which have an store of their own; all others
    here, with the images that *store* knows already. Raises LintError when a worker dies.
    """
    linter = ShardLinter(plan, store)
    new = {shard for shard in shards if not linter.remembers(shard)}
    executor = workers(sum(shard.end - shard.start for shard in new))
    if executor is None:
        return (_lint(linter, shard) for shard in shards)
    return _lint_by(executor, new, shards, plan, linter)


def _lint_by(
    executor: Executor, new: AbstractSet[Shard], shards: Sequence[Shard], plan: LintPlan, linter: ShardLinter
) -> Iterator[ShardResult]:
    import pickle  # noqa: PLC0415 - for large files only
    from concurrent.futures import BrokenExecutor  # noqa: PLC0415 - as above

    pickled = pickle.dumps(plan)
    waiting: deque[tuple[Shard, Future[ShardResult] | None]] = deque()
    try:
        for shard in shards:
            future = executor.submit(_lint_there, pickled, shard) if shard in new else None
            waiting.append((shard, future))
        while waiting:
            shard, future = waiting.popleft()
            yield future.result() if future else _lint(linter, shard)
    except BrokenExecutor as error:
        place = f"{shard.path}: bytes {shard.start:,} to {shard.end:,}, or what was linted beside them"
        raise LintError(
            f"{place}: a worker process ended, killed or out of memory; --jobs=1 needs the least"
        ) from error
    finally:
        for _, future in waiting:
            if future:
                future.cancel()


_worker = threading.local()


def _lint_there(plan: bytes, shard: Shard) -> ShardResult:
    """Lint *shard* by a pickled plan, which a worker unpacks once."""
    import pickle  # noqa: PLC0415 - as above

    if getattr(_worker, "plan", None) != plan:
        unpacked: LintPlan = pickle.loads(plan)  # noqa: S301 - made by lint_shards() for this worker
        _worker.linter = ShardLinter(unpacked, unpacked.image_store())
        _worker.plan = plan
    if threading.current_thread() is not threading.main_thread():
        return _lint(_worker.linter, shard)
    with warnings.catch_warnings(action="ignore"):
        return _lint(_worker.linter, shard)


def _lint(linter: ShardLinter, shard: Shard) -> ShardResult:
    try:
        return linter.lint(shard)
    except OSError as error:
        return error
