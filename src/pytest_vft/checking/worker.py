"""What a worker does: it lints the shards of one task by a plan."""

from __future__ import annotations

import os
import pickle
import threading
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.shard import ShardLinter, open_image_store
from pytest_vft.checking.software import describe_software, software_hash
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.reading.opening import file_status
from pytest_vft.reading.shards import Shard


class UnreadableShard(NamedTuple):
    """The error of a worker that could not read a shard, and the worker's host."""

    error: OSError
    host: str


class SizedShard(NamedTuple):
    """A shard and the bytes of its file, None if these are not compared."""

    shard: Shard
    file_bytes: int | None


class OtherSize(NamedTuple):
    """The result of a shard whose file has *found* bytes instead of *expected*, and the worker's host."""

    result: ShardTotals | UnreadableShard | Exception
    expected: int
    found: int
    host: str


class OtherSoftware(NamedTuple):
    """The software of a worker that would give other results, in words, and the worker's host."""

    software: str
    host: str


class MissingFolder(NamedTuple):
    """A folder of local images that a worker does not have, and the worker's host."""

    path: str
    host: str


# The result of a shard: an exception is that of the linter.
WorkerResult = ShardTotals | UnreadableShard | Exception | OtherSize

_worker = threading.local()


def lint_in_worker(
    software: bytes, plan: bytes, shards: bytes
) -> list[WorkerResult] | OtherSoftware | MissingFolder:
    """Return the results of *shards*, pickled SizedShards, by a pickled *plan*, which is unpickled once.

    Nothing is unpickled by a worker whose software_hash() is not *software*.
    """
    if software != software_hash():
        return OtherSoftware(describe_software(), _host())
    if getattr(_worker, "plan", None) != plan:
        unpickled: LintPlan = pickle.loads(plan)  # noqa: S301 - pickled by lint_shards() for this worker
        store = open_image_store(unpickled)
        if not unpickled.reads_cache:
            store.close()  # it finds nothing in the cache, and notes what is new
        _worker.linter = ShardLinter(unpickled, store)
        _worker.missing = next((root for root in unpickled.image_roots if not _is_folder(root)), None)
        _worker.plan = plan
    if _worker.missing is not None:  # each of its images would be reported as missing
        return MissingFolder(_worker.missing, _host())
    work: Sequence[SizedShard] = pickle.loads(shards)  # noqa: S301 - as above
    if threading.current_thread() is not threading.main_thread():
        return [_lint(_worker.linter, *one) for one in work]
    with warnings.catch_warnings(action="ignore"):
        return [_lint(_worker.linter, *one) for one in work]


def file_bytes(path: str) -> int | None:
    """Return the bytes of the file at *path*; None for objects, and if it is not there."""
    found = file_status(path)
    return found and found.st_size


def _lint(linter: ShardLinter, shard: Shard, expected: int | None) -> WorkerResult:
    found = file_bytes(shard.path)
    result = _result(linter, shard)
    if found is None or expected is None or found == expected:
        return result
    return OtherSize(result, expected, found, _host())


def _result(linter: ShardLinter, shard: Shard) -> ShardTotals | UnreadableShard | Exception:
    try:
        return linter.lint(shard)
    except OSError as error:
        return UnreadableShard(error, _host())
    except Exception as error:  # noqa: BLE001 - raised again where the shard is named
        return error


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - of any length


def _host() -> str:
    import socket  # noqa: PLC0415 - 5 ms, for a failure only

    return socket.gethostname()
