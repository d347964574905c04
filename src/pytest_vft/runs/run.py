"""Checks, from settings to reports. Checks of the same files for several providers measure the files once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.columns import RuleSet, select_column, unite
from pytest_vft.checking.executors import shard_bytes_for
from pytest_vft.checking.lint import measure_files
from pytest_vft.checking.measuring import needs_pixels
from pytest_vft.checking.memory import RunCache
from pytest_vft.checking.merging import FileTotals
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.processes import processes, usable_cpus
from pytest_vft.checking.results import LintResult, judge_files
from pytest_vft.clock import now
from pytest_vft.errors import LintError
from pytest_vft.garbage import gc_seldom
from pytest_vft.model import Report, Tally
from pytest_vft.reading.image_store import KnownImages
from pytest_vft.reading.links import read_link
from pytest_vft.reading.object_paths import is_object
from pytest_vft.reading.remote import FetchResults, Remote, Watch
from pytest_vft.reading.sqlite import FOLDER
from pytest_vft.runs.fetcher import fetcher
from pytest_vft.runs.notes import counts_skips
from pytest_vft.runs.records import make_report
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.several import label, labelled

if TYPE_CHECKING:
    from concurrent.futures import Executor

_OF_SKIPS = frozenset({"skipped_examples", "predicted_skips"})  # facts that rules with a skip reason decide
_IN_BUCKETS = frozenset({"gemini", "bedrock"})  # data formats with images in object storage


class Check(NamedTuple):
    """The settings of a check, and the rules that it runs."""

    settings: Settings
    rules: tuple[Rule, ...]

    @property
    def judged(self) -> tuple[Rule, ...]:
        """The rules that are judged: not those on what images show that are ignored in all files."""
        ignoring = self.settings.ignored.distinct
        ignored = frozenset.intersection(*ignoring) if ignoring else frozenset()
        return tuple(rule for rule in self.rules if rule.id not in ignored or not needs_pixels(rule))


def run(
    settings: Settings,
    *,
    only: Collection[str] | None = None,
    watch: Watch | None = None,
    executor: Executor | None = None,
    known: KnownImages | None = None,
) -> Report:
    """Lint the sources of *settings* and return the report; see run_all()."""
    (report,) = run_all([settings], only=only, watch=watch, executor=executor, known=known)
    return report


def run_all(
    several: Sequence[Settings],
    *,
    only: Collection[str] | None = None,
    watch: Watch | None = None,
    executor: Executor | None = None,
    known: KnownImages | None = None,
) -> list[Report]:
    """Lint the sources of each of *several* settings and return the reports, in this order.

    Settings that differ only in the provider, and read the same files in the same formats, are checked in one
    pass. With *only*, no other rules than those with these ids, as in a report, and the rules that they
    depend on are run. Large files are linted by several processes, or by *executor*. *watch* is called after
    each shard of a file and after each URL. *known* are images that need not be measured again. Raises
    UsageError or ConfigError for invalid settings, LintError if a worker dies.
    """
    groups: list[list[int]] = []
    checks = []
    for number, settings in enumerate(several):
        settings.check()
        checks.append(Check(settings, _chosen(settings, only)))
        group = next((one for one in groups if _alike(several[one[0]], settings)), None)
        if group is None:
            groups.append([number])
        else:
            group.append(number)
    reports: dict[int, Report] = {}
    with gc_seldom():  # a tenth of the time of many files
        for group in groups:
            made = _measured([checks[number] for number in group], watch, executor, known)
            reports |= zip(group, made, strict=True)
    return [reports[number] for number in range(len(several))]


def run_with_totals(settings: Settings, *, watch: Watch | None = None) -> tuple[Report, list[FileTotals]]:
    """Lint the sources of *settings* and return the report and the totals of the files; see run_all()."""
    settings.check()
    totals: list[FileTotals] = []
    (report,) = _measured([Check(settings, settings.rules)], watch, totals=totals)
    return report, totals


def _alike(one: Settings, other: Settings) -> bool:
    """Return whether both settings, made from the same options, read the same files in the same way."""
    return (one.config.path, one.sources, one.image_roots) == (
        other.config.path,
        other.sources,
        other.image_roots,
    )


def _chosen(settings: Settings, only: Collection[str] | None) -> tuple[Rule, ...]:
    rules, suffix = settings.rules, label(settings)
    if only is None:
        return rules
    only = {id_.removesuffix(suffix) for id_ in only if id_.endswith(suffix)}
    counting = any(rule.id in only and _OF_SKIPS & rule.facts for rule in rules)
    return tuple(rule for rule in rules if rule.id in only or rule.stops or (counting and rule.skips))


def _measured(
    checks: Sequence[Check],
    watch: Watch | None,
    executor: Executor | None = None,
    known: KnownImages | None = None,
    totals: list[FileTotals] | None = None,
) -> list[Report]:
    """Return the reports of *checks*, which are alike; the totals of files are added to *totals*, if any."""
    settings = checks[0].settings
    fetched = FetchResults({})

    def fetch(urls: Iterable[str]) -> Mapping[str, Remote]:
        nonlocal fetched
        valid = [url for url in urls if is_object(url) or not read_link(url).has_expired(plan.now)]
        if valid:
            fetched = fetcher([check.settings for check in checks], plan.rules, watch).fetch(valid)
        return fetched.remotes

    sets = [RuleSet(check.judged, check.settings.image_tokens) for check in checks]
    union = unite(sets, settings.catalogue)
    plan = replace(
        make_plan(settings, union.rules),
        image_tokens=union.image_tokens,
        other_tokens=union.other_tokens,
        counters=union.counters,
    )
    asking = not settings.network.offline and any(rule.scope in ("image", "dataset") for rule in plan.rules)
    in_buckets = asking and any(source.data_format in _IN_BUCKETS for source in settings.sources)
    plan = replace(plan, buckets=in_buckets and find_spec("obstore") is not None)
    own_ids = {id_: own for column in union.columns for id_, own in column.items()}
    with ExitStack() as stack:
        store = stack.enter_context(closing(RunCache(plan.cache))) if plan.cache else None

        def workers(size: int) -> Executor | None:
            return executor or stack.enter_context(processes(settings.jobs or usable_cpus(), size))

        files = measure_files(
            settings.sources,
            plan,
            ignored=settings.ignored.renamed(own_ids),
            workers=workers,
            fetch=fetch if asking else None,
            remember=store.add if store else None,
            watch=watch,
            shard_bytes=shard_bytes_for(executor),
            known=known,
        )
        results: list[LintResult] = []
        for check, column in zip(checks, union.columns, strict=True):
            counter = check.settings.image_tokens
            own = replace(
                plan,
                rules=check.judged,
                image_tokens=counter,
                counts_skips=counts_skips(check.settings, {rule.id for rule in check.rules}),
            )
            chosen = files
            if len(checks) > 1:
                chosen = [select_column(file, plan, column, counter) for file in files]
            results.append(judge_files(settings.sources, chosen, own, keep=totals is not None))
    if totals is not None:
        totals += files
    del files, chosen  # reports need as much memory
    troubles = store.warnings if store else ()
    reports = [
        labelled(make_report(check.settings, check.rules, linted, fetched, troubles), label(check.settings))
        for check, linted in zip(checks, results, strict=True)
    ]
    for report in reports:
        _check_not_empty(report)
    return reports


def make_plan(settings: Settings, rules: tuple[Rule, ...]) -> LintPlan:
    """Return the plan of a check with *settings* by *rules*, which are bound."""
    config, full = settings.config, settings.depth != "header"
    return LintPlan(
        rules=rules,
        image_tokens=settings.image_tokens,
        full=full,
        bounded=settings.depth != "full",
        max_findings=config.max_findings if settings.max_findings is None else settings.max_findings,
        cache=config.folder / FOLDER if full and settings.network.cache else None,
        now=now(),
        image_roots=settings.image_roots,
        detectors=settings.detectors.measurers,
        sample=settings.sample,
        allow_private=settings.network.allow_private,
    )


def _check_not_empty(report: Report) -> None:
    """Raise LintError for a file without examples about which no rule has an error, ignored or not."""
    errors = [rule.id for rule in report.rules if rule.severity == "error"]
    for file in report.files:
        found = (file.tallies.get(id_, Tally()) for id_ in errors)
        if not file.examples and not file.stopped_by and not any(one.failed or one.ignored for one in found):
            words = "has no examples, so nothing was checked; leave the file out"
            if file.is_sample:
                words = "none of the lines drawn has an example, so nothing was checked; draw more"
            raise LintError(f"{file.path}: {words}")
