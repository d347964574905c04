"""Worker processes: their number, start and end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vft.reading.shards import SHARD_BYTES

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from pytest_vft.checking.cluster import ClusterExecutor, Tell

# Two forked processes cost about 80 ms, and 128 MiB take at least 160 ms to lint: above, two processes
# are never slower than one (measured on 2026-11-22). A spawned process costs 300 ms.
_LEAST_FORKED = 128 * 1024 * 1024
_LEAST_SPAWNED = 512 * 1024 * 1024
_THREADS = Path("/proc/self/task")
_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use, by its affinity and the limit of its container."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:  # "200000 100000" means two, "max 100000" all (https://docs.kernel.org/admin-guide/cgroup-v2.html)
        quota, period = _CPU_LIMIT.read_text(encoding="ascii").split()
        return max(1, min(cpus, int(quota) // int(period)))
    except (OSError, ValueError):
        return cpus


@contextmanager
def processes(jobs: int, size: int) -> Iterator[Executor | None]:
    """Yield an executor of up to *jobs* processes; None if *size* bytes are linted faster without.

    The processes end on exit; after an exception or Ctrl-C, they are killed.
    """
    jobs = min(jobs, size // SHARD_BYTES)
    if jobs <= 1 or size < _LEAST_FORKED:
        yield None
        return
    from multiprocessing import get_context, parent_process  # noqa: PLC0415 - 20 ms, for large files only

    # Fork only where that is safe: a lock that a thread of any library holds is never released in the child
    # (https://docs.python.org/3/library/os.html#os.fork).
    forks = sys.platform == "linux" and len(list(_THREADS.iterdir())) == 1
    if parent_process() or (not forks and size < _LEAST_SPAWNED):
        yield None
        return
    from pytest_vft.checking.pool import WorkerPool  # noqa: PLC0415 - as above

    pool = WorkerPool(jobs, get_context("fork" if forks else "spawn"))
    try:
        yield pool
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


def cluster(name: str | None, tell: Tell | None = None) -> AbstractContextManager[ClusterExecutor | None]:
    """Return the context of the executor of the cluster *name*; that of None for None. See open_cluster()."""
    if name is None:
        return nullcontext()
    from pytest_vft.checking.cluster import open_cluster  # noqa: PLC0415 - for clusters only

    return open_cluster(name, os.environ, tell)
