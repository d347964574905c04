"""The files of a run that are repaired: what is to be done in each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.measuring import needed_measurers
from pytest_vft.checking.merging import FileTotals
from pytest_vft.checking.processes import processes, usable_cpus
from pytest_vft.errors import UsageError
from pytest_vft.fixing.files import EntryOutcome, repair_entries
from pytest_vft.fixing.needs import FileNeeds, file_needs
from pytest_vft.fixing.plan import Repaired, RepairPlan
from pytest_vft.fixing.repeats import find_repeats
from pytest_vft.fixing.result import FileTally
from pytest_vft.model import Finding, Report
from pytest_vft.outputs.aside import DropLimit
from pytest_vft.reading.entries import FileEntry, read_entries
from pytest_vft.reading.remote import Watch
from pytest_vft.runs.records import make_finding
from pytest_vft.runs.run import make_plan, run_with_totals
from pytest_vft.runs.settings import Settings

if TYPE_CHECKING:
    from concurrent.futures import Executor

# The work of a repair, in bytes that are checked in the same time: decoding and encoding of an image takes
# 30 to 100 times as long as its check at header depth.
_WORK = 32


@dataclass(frozen=True, kw_only=True)
class FixOptions:
    """Where the repaired files are written, *out* or in place, and what is done; neither is a preview."""

    out: Path | None = None
    in_place: bool = False
    unsafe: bool = False
    force: bool = False
    limit: DropLimit = field(default_factory=DropLimit)

    def __post_init__(self) -> None:
        """Raise UsageError for options that exclude each other."""
        if self.out is not None and self.in_place:
            raise UsageError("--out and --in-place: expected one of them")

    @property
    def writes(self) -> bool:
        """Whether files are written."""
        return self.out is not None or self.in_place


class FileJob(NamedTuple):
    """A file with its settings and totals before the repair, and what is to be repaired.

    *failing* are the rules for which an entry is set aside; *repeated* are findings on the dataset by line
    and element.
    """

    settings: Settings
    file: FileTotals
    needs: FileNeeds
    plan: RepairPlan
    failing: frozenset[str]
    rules: Mapping[str, Rule]
    repeated: Mapping[tuple[int | None, int | None], Sequence[Finding]]

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.file.source.path

    def entries(self) -> Iterator[FileEntry]:
        """Yield the entries of the file; none if it is not read."""
        opened = self.file.opened
        if opened.is_read:
            yield from read_entries(self.path, self.file.source.split, opened)


# Is called with a file and each of its entries that is changed, removed or set aside.
Tell = Callable[["FileJob", EntryOutcome], None]


def file_jobs(settings: Settings, options: FixOptions, watch: Watch | None) -> tuple[Report, list[FileJob]]:
    """Check the sources of *settings*; return the report, and the job of each file."""
    report, totals = run_with_totals(settings, watch=watch)
    measurers = needed_measurers(settings.rules, settings.sources, detectors=settings.detectors.measurers)
    lint = replace(make_plan(settings, settings.rules), measurers=measurers)
    failing = frozenset(rule.id for rule in report.rules if report.fails(rule)) if options.limit.drop else ()
    repeats = find_repeats(totals, lint) if options.unsafe else {}
    rules = {rule.id: rule for rule in settings.rules}
    jobs = []
    for file in totals:
        path = file.source.path
        needs = file_needs(file, settings.rules, repeats.get(path), unsafe=options.unsafe, failing=failing)
        plan = RepairPlan(
            lint=lint,
            source=file.source,
            ignored=file.ignored,
            unsafe=options.unsafe,
            judge=options.limit.drop or not options.writes,
        )
        repeated: defaultdict[tuple[int | None, int | None], list[Finding]] = defaultdict(list)
        for one in report.findings:
            rule = rules[one.rule]
            removed = options.unsafe and rule.unsafe  # which repairs of content that recurs are
            if one.path == path and one.rule in failing and rule.scope == "dataset" and not removed:
                repeated[one.line, one.element].append(one)
        jobs.append(FileJob(settings, file, needs, plan, frozenset(failing), rules, repeated))
    return report, jobs


def outcomes(job: FileJob, stack: ExitStack) -> Iterator[EntryOutcome]:
    """Yield the outcome of each entry of *job*, by several processes if that is faster."""
    jobs = job.settings.jobs or usable_cpus()
    executor: Executor | None = stack.enter_context(processes(jobs, job.needs.size * _WORK))
    return repair_entries(job.plan, job.needs, job.entries(), executor)


def count_mark(job: FileJob, tally: FileTally) -> None:
    """Count the removal of a byte-order mark."""
    if job.needs.byte_order_mark:
        tally.repaired[Repaired(job.needs.byte_order_mark, "", "removed")] += 1


def is_set_aside(job: FileJob, outcome: EntryOutcome) -> bool:
    """Return whether *outcome* is set aside if that is allowed: it fails the run after its repair."""
    return bool(outcome.repair) and not outcome.removed and any(findings_left(job, outcome))


def findings_left(job: FileJob, outcome: EntryOutcome) -> Iterator[Finding]:
    """Yield the findings for which *outcome* is set aside: those that fail the run after the repair."""
    entry, repair = outcome.entry, outcome.repair
    for found in repair.findings if repair else ():
        if found.rule in job.failing:
            rule = job.rules[found.rule]
            placed = found._replace(
                line=entry.line, pointer=entry.prefix + found.pointer, element=entry.position
            )
            yield make_finding(rule, rule.severity, job.path, placed)
    yield from job.repeated.get((entry.line, entry.position), ())
