"""Repair of the entries of a file, in their order, by this process or by an executor."""

from __future__ import annotations

import pickle
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pytest_vft.errors import LintError
from pytest_vft.fixing.entries import EntryRepairer
from pytest_vft.fixing.needs import FileNeeds
from pytest_vft.fixing.plan import EntryRepair, EntryTask, RepairPlan
from pytest_vft.line_ranges import LineRanges
from pytest_vft.reading.entries import FileEntry

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

_BATCH = 1024 * 1024  # bytes of entries that a worker repairs together
_MOST_TASKS = 32  # entries of a batch, whose images may be files
_IN_FLIGHT = 8  # batches


class EntryOutcome(NamedTuple):
    """An entry with its number, from 1; *removed* is the rule whose repair removes it.

    *repair* is None for an entry that is copied.
    """

    number: int
    entry: FileEntry
    removed: str | None = None
    repair: EntryRepair | None = None


# An outcome, and the task whose result is its repair.
_Item = tuple[EntryOutcome, EntryTask | None]


def repair_entries(
    plan: RepairPlan, needs: FileNeeds, entries: Iterable[FileEntry], executor: Executor | None
) -> Iterator[EntryOutcome]:
    """Yield the outcome of each of *entries*, those of a whole file, in order.

    Raises OSError if the file cannot be read, LintError if *executor* fails.
    """
    if executor is None:
        with closing(EntryRepairer(plan)) as repairer, warnings.catch_warnings(action="ignore"):
            for outcome, task in _items(needs, entries):
                yield outcome._replace(repair=repairer.repair(task)) if task else outcome
        return
    pickled = pickle.dumps(plan)
    waiting: deque[tuple[Sequence[_Item], Future[list[EntryRepair]]]] = deque()
    for batch in _batches(_items(needs, entries)):
        tasks = [task for _, task in batch if task]
        waiting.append((batch, executor.submit(_repair_in_worker, pickled, tasks)))
        if len(waiting) == _IN_FLIGHT:
            yield from _finished(*waiting.popleft())
    while waiting:
        yield from _finished(*waiting.popleft())


def _items(needs: FileNeeds, entries: Iterable[FileEntry]) -> Iterator[_Item]:
    """Yield what is to be done with each of *entries*."""
    repaired, aside = _Cursor(needs.entries), _Cursor(needs.aside)
    blank = {rule: _Cursor(lines) for rule, lines in needs.blank.items()}
    removed, unweighted = needs.repeats.removed, needs.repeats.unweighted
    for number, entry in enumerate(entries, 1):
        rule = next((rule for rule, lines in blank.items() if lines.has(number)), removed.get(number))
        answers = tuple(unweighted.get(number, ()))
        is_task = repaired.has(number) | aside.has(number) or answers
        task = EntryTask(entry, answers) if is_task and rule is None else None
        yield EntryOutcome(number, entry, rule), task


class _Cursor:
    """Tells whether numbers, which ascend, are in *ranges*."""

    def __init__(self, ranges: LineRanges) -> None:
        self._coming = iter(ranges)
        self._first, self._last = next(self._coming, (0, 0))

    def has(self, number: int) -> bool:
        while self._last and number > self._last:
            self._first, self._last = next(self._coming, (0, 0))
        return self._first <= number <= self._last


def _batches(items: Iterable[_Item]) -> Iterator[Sequence[_Item]]:
    """Yield *items* in batches of about 1 MiB, or of 32 tasks."""
    batch: list[_Item] = []
    size = tasks = 0
    for item in items:
        batch.append(item)
        size += len(item[0].entry.raw)
        tasks += item[1] is not None
        if size >= _BATCH or tasks == _MOST_TASKS:
            yield batch
            batch, size, tasks = [], 0, 0
    if batch:
        yield batch


def _finished(batch: Sequence[_Item], future: Future[list[EntryRepair]]) -> Iterator[EntryOutcome]:
    """Yield the outcomes of *batch*, whose repairs are the result of *future*."""
    try:
        repairs = iter(future.result())
    except OSError:
        raise
    except Exception as error:
        entry = batch[0][0].entry
        raise LintError(
            f"{entry.shard.path}: a worker failed near line {entry.line:,} ({type(error).__name__}); "
            "--jobs=1 uses the least memory"
        ) from error
    for outcome, task in batch:
        yield outcome._replace(repair=next(repairs)) if task else outcome


_worker = threading.local()


def _repair_in_worker(plan: bytes, tasks: Sequence[EntryTask]) -> list[EntryRepair]:
    """Return the repairs of *tasks* by a pickled plan, which a worker unpickles once."""
    if getattr(_worker, "plan", None) != plan:
        unpickled: RepairPlan = pickle.loads(plan)  # noqa: S301 - pickled by repair_entries()
        _worker.repairer = EntryRepairer(unpickled)
        _worker.plan = plan
    repairer: EntryRepairer = _worker.repairer
    with warnings.catch_warnings(action="ignore"):
        return [repairer.repair(task) for task in tasks]
