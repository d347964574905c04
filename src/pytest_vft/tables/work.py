"""Work on the shards of tables: in this process, or in others with the results in order."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pytest_vft.converting.work import in_order
from pytest_vft.reading.shards import Shard
from pytest_vft.tables.files import RowFile
from pytest_vft.tables.plan import BuildPlan, RowsTask, SurveyedRows, WrittenRows
from pytest_vft.tables.shard import RowWriter
from pytest_vft.tables.survey import RowSurveyor

if TYPE_CHECKING:
    from concurrent.futures import Executor

_TABLES_AT_ONCE = 2  # of which a worker has shards


def survey_table(table: RowFile, plan: BuildPlan, executor: Executor | None) -> Iterator[SurveyedRows]:
    """Yield the rows of each shard of *table*. Raises LintError if a worker dies, OSError."""
    if executor is not None:
        yield from in_order(_survey, pickle.dumps(plan), table.cut.shards, executor, lambda shard: shard)
        return
    with closing(RowSurveyor(plan)) as surveyor:
        yield from map(surveyor.survey, table.cut.shards)


def write_rows(
    tasks: Iterable[RowsTask], plan: BuildPlan, executor: Executor | None
) -> Iterator[WrittenRows]:
    """Yield what was written of each of *tasks*. Raises LintError if a worker dies, OSError."""
    if executor is not None:
        yield from in_order(_write, pickle.dumps(plan), tasks, executor, lambda task: task.shard)
        return
    with closing(RowWriter(plan)) as writer:
        yield from map(writer.write, tasks)


def _survey(settings: bytes, shard: Shard) -> SurveyedRows:
    return _surveyor(settings).survey(shard)


def _write(settings: bytes, task: RowsTask) -> WrittenRows:
    return _writer(settings).write(task)


@lru_cache(_TABLES_AT_ONCE)
def _surveyor(settings: bytes) -> RowSurveyor:
    """Return the surveyor of a worker for a pickled plan."""
    return RowSurveyor(_loaded(settings))


@lru_cache(_TABLES_AT_ONCE)
def _writer(settings: bytes) -> RowWriter:
    """Return the writer of a worker for a pickled plan."""
    return RowWriter(_loaded(settings))


def _loaded(settings: bytes) -> Any:
    return pickle.loads(settings)  # noqa: S301 - pickled above, for a worker of this process
