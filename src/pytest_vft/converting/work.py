"""Work on the shards of files: in this process, or in others with the results in order."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cache, reduce
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pytest_vft.checking.executors import naming
from pytest_vft.converting.plan import ConversionPlan, ShardConversion
from pytest_vft.converting.shard import ShardConverter, read_shard, survey_entries
from pytest_vft.converting.survey import ShardSurvey
from pytest_vft.errors import LintError
from pytest_vft.model import Source
from pytest_vft.reading.arrays import cut_array
from pytest_vft.reading.files import ARRAY, PARQUET, OpenedFile
from pytest_vft.reading.parquet import cut_rows
from pytest_vft.reading.shards import SHARD_BYTES, Shard, cut_shards
from pytest_vft.reading.whole import whole_shard

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

Task = TypeVar("Task")
Result = TypeVar("Result")

_IN_FLIGHT = 4  # shards for each process: those that are written in another format are held in memory


class CutFile(NamedTuple):
    """A file in shards; *starts* has the line of each element of an array."""

    source: Source
    shards: Sequence[Shard]
    starts: Sequence[int] | None = None

    @property
    def is_array(self) -> bool:
        """Whether the file is a JSON array."""
        return self.starts is not None

    @property
    def is_table(self) -> bool:
        """Whether the file is Parquet."""
        return any(shard.rows for shard in self.shards)

    def line(self, number: int) -> int:
        """Return the line of entry *number*, from 0."""
        return number + 1 if self.starts is None else self.starts[number]

    def place(self, number: int) -> str:
        """Return the place of entry *number*, from 0: "12" for a line, "#7" for an element."""
        return f"#{number}" if self.is_array else str(number + 1)


def cut_file(source: Source, opened: OpenedFile, shard_bytes: int = SHARD_BYTES) -> CutFile:
    """Return the file of *source* in shards of about *shard_bytes*. Raises OSError if it cannot be read."""
    if opened.container == ARRAY:
        cut = cut_array(source.path, source.split, opened, shard_bytes)
        return CutFile(source, cut.shards, cut.starts)
    if opened.container == PARQUET:
        return CutFile(source, cut_rows(source.path, source.split, shard_bytes))
    path, split, start, end, *_ = whole = whole_shard(source.path, source.split, opened)
    return CutFile(source, [whole] if whole.compression else cut_shards(path, split, start, end, shard_bytes))


def survey_file(file: CutFile, executor: Executor | None) -> ShardSurvey:
    """Return the survey of *file*."""
    surveys = in_order(_survey, pickle.dumps(file.source), file.shards, executor, _same)
    return reduce(ShardSurvey.joined, surveys, ShardSurvey())


def survey_start(file: CutFile, executor: Executor | None) -> ShardSurvey:
    """Return the survey of the first shard of *file*, or of all shards if it has URLs."""
    start = survey_file(file._replace(shards=file.shards[:1]), None)
    return survey_file(file, executor) if start.urls and len(file.shards) > 1 else start


def convert_shards(
    file: CutFile, plan: ConversionPlan, executor: Executor | None
) -> Iterator[ShardConversion]:
    """Yield each shard of *file* in its new format. Raises LintError if a worker dies, OSError."""
    if executor is not None:
        yield from in_order(_convert, pickle.dumps(plan), file.shards, executor, _same)
        return
    with closing(ShardConverter(plan)) as converter:
        yield from map(converter.convert, file.shards)


def in_order(
    function: Callable[[bytes, Task], Result],
    settings: bytes,
    tasks: Iterable[Task],
    executor: Executor | None,
    shard_of: Callable[[Task], Shard],
) -> Iterator[Result]:
    """Yield the result of *function* for each of *tasks*, a few of which are worked on at a time.

    *shard_of* returns the shard that is named if a worker dies. Raises LintError then, and OSError.
    """
    if executor is None:
        for task in tasks:
            yield function(settings, task)
        return
    waiting: deque[tuple[Task, Future[Result]]] = deque()
    window = _IN_FLIGHT * getattr(executor, "_max_workers", 1)
    coming = iter(tasks)
    try:
        while True:
            for task in coming:
                waiting.append((task, executor.submit(function, settings, task)))
                if len(waiting) == window:
                    break
            if not waiting:
                return
            task, future = waiting.popleft()
            yield _result(shard_of(task), future)
    finally:
        for _, future in waiting:
            future.cancel()


def _same(shard: Shard) -> Shard:
    return shard


def _result(shard: Shard, future: Future[Result]) -> Result:
    try:
        with naming(shard):
            return future.result()
    except LintError as error:
        if isinstance(error.__cause__, OSError):  # a full disk, for example
            raise error.__cause__ from None
        raise


def _survey(settings: bytes, shard: Shard) -> ShardSurvey:
    return survey_entries(read_shard(_loaded(settings), shard))


def _convert(settings: bytes, shard: Shard) -> ShardConversion:
    return _converter(settings).convert(shard)


@cache
def _converter(settings: bytes) -> ShardConverter:
    """Return the converter of a worker for a pickled plan."""
    return ShardConverter(_loaded(settings))


def _loaded(settings: bytes) -> Any:
    return pickle.loads(settings)  # noqa: S301 - pickled above, for a worker of this process
