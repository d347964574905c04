"""A check, from settings to report."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.lint import LintResult, lint_files
from pytest_vft.checking.memory import RunCache
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.processes import processes, usable_cpus
from pytest_vft.checking.shard import ShardLinter, open_image_store
from pytest_vft.checking.totals import ShardFinding
from pytest_vft.clock import now
from pytest_vft.errors import LintError
from pytest_vft.model import Depth, Finding, Report, RuleResult, Severity, Tally
from pytest_vft.reading.links import read_link
from pytest_vft.reading.remote import Fetcher, FetchResults, Remote, Watch
from pytest_vft.reading.shards import Shard
from pytest_vft.reading.sqlite import FOLDER
from pytest_vft.report.text import render_text
from pytest_vft.runs.combining import combine
from pytest_vft.runs.config import Config
from pytest_vft.runs.groups import find_groups
from pytest_vft.runs.notes import allowed_notes, group_notes, name_notes, network_notes, split_notes
from pytest_vft.runs.settings import Settings

if TYPE_CHECKING:
    from concurrent.futures import Executor

MAX_FETCHED = 10_485_760  # bytes of an image, if no rule limits a fetch

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def run(
    settings: Settings,
    *,
    only: Collection[str] | None = None,
    watch: Watch | None = None,
    executor: Executor | None = None,
) -> Report:
    """Lint the sources of *settings* and return the report.

    With *only*, no other rules than those with these ids and the rules that they depend on are run.
    Large files are linted by several processes, or by *executor*. *watch* is called after each shard of a
    file and after each URL. Raises UsageError or ConfigError for invalid settings, LintError if a worker
    dies.
    """
    settings.check()
    rules = settings.rules
    if only is not None:
        counting = any(rule.id in only and "skipped_examples" in rule.require for rule in rules)
        rules = tuple(r for r in rules if r.id in only or r.stops or (counting and r.skips))
    fetched = FetchResults({})

    def fetch(urls: Iterable[str]) -> Mapping[str, Remote]:
        nonlocal fetched
        valid = [url for url in urls if not read_link(url).has_expired(plan.now)]
        fetched = _fetcher(settings, watch).fetch(valid)
        return fetched.remotes

    plan = _plan(settings, rules)
    asking = not settings.network.offline and any(rule.scope == "image" for rule in rules)
    with ExitStack() as stack:
        store = stack.enter_context(closing(RunCache(plan.cache))) if plan.cache else None

        def workers(size: int) -> Executor | None:
            return executor or stack.enter_context(processes(settings.jobs or usable_cpus(), size))

        linted = lint_files(
            settings.sources,
            plan,
            ignored=settings.ignored,
            workers=workers,
            fetch=fetch if asking else None,
            remember=store.add if store else None,
            watch=watch,
        )
    report = _report(settings, rules, linted, fetched, store.warnings if store else ())
    _check_not_empty(report)
    return report


def _check_not_empty(report: Report) -> None:
    """Raise LintError for a file without examples about which no rule has an error, ignored or not."""
    errors = [rule.id for rule in report.rules if rule.severity == "error"]
    for file in report.files:
        found = (file.tallies.get(id_, Tally()) for id_ in errors)
        if not file.examples and not file.stopped_by and not any(one.failed or one.ignored for one in found):
            raise LintError(f"{file.path}: has no examples, so nothing was checked; leave the file out")


def run_groups(
    groups: Sequence[Settings],
    *,
    only: Collection[str] | None = None,
    watch: Watch | None = None,
    executor: Executor | None = None,
) -> Report:
    """Lint the files of each of *groups* with its own settings and return one report; see run()."""
    reports = [run(settings, only=only, watch=watch, executor=executor) for settings in groups]
    return combine(reports, group_notes(groups))


def _fetcher(settings: Settings, watch: Watch | None) -> Fetcher:
    from pytest_vft.web.fetching import make_fetcher  # noqa: PLC0415 - aiohttp takes 0.2 s to import

    bounds = [rule.params[rule.bounds_fetch] for rule in settings.bound.values() if rule.bounds_fetch]
    return make_fetcher(
        settings.network,
        folder=settings.config.folder,
        max_bytes=max(bounds, default=MAX_FETCHED),
        full=settings.depth == "full",
        watch=watch,
    )


def run_line(settings: Settings, shard: Shard, line: int) -> tuple[Finding, ...]:
    """Return the findings on *shard*, which is line *line* of its file."""
    plan = replace(_plan(settings, settings.rules), cache=None)
    linter = ShardLinter(plan, open_image_store(plan))
    by_id = {rule.id: rule for rule in settings.rules}
    shard = shard._replace(ignored=settings.ignored[shard.path])
    with warnings.catch_warnings(action="ignore"):
        totals = linter.lint(shard)
    return tuple(
        _finding(by_id[found.rule], by_id[found.rule].severity, shard.path, found._replace(line=line))
        for found in totals.findings
    )


def _plan(settings: Settings, rules: tuple[Rule, ...]) -> LintPlan:
    full = settings.depth != "header"
    return LintPlan(
        rules=rules,
        image_tokens=settings.provider.describe(settings.model).image_tokens,
        full=full,
        bounded=settings.depth != "full",
        max_findings=settings.config.max_findings,
        cache=settings.config.folder / FOLDER if full and settings.network.cache else None,
        now=now(),
    )


def _finding(rule: Rule, severity: Severity, path: str, found: ShardFinding) -> Finding:
    return Finding(
        rule=rule.id,
        severity=severity,
        path=path,
        line=found.line,
        pointer=found.pointer,
        message=found.message,
        advice=rule.advice,
        image=found.image,
        skips=rule.skips,
        example=found.example,
    )


def _report(
    settings: Settings,
    rules: Sequence[Rule],
    linted: LintResult,
    fetched: FetchResults,
    troubles: Iterable[str],
) -> Report:
    results = tuple(_rule_result(settings, rule, linted) for rule in rules)
    severities = {result.id: result.severity for result in results}
    by_id = {rule.id: rule for rule in rules}
    closes = settings.provider.closes
    model = settings.provider.describe(settings.model)
    return Report(
        provider=settings.provider.id,
        provider_name=settings.provider.name,
        closes=closes.isoformat() if closes else None,
        model=settings.model,
        depth=settings.depth,
        offline=settings.network.offline,
        fail_on=settings.fail_on,
        require_checked=settings.require_checked,
        files=linted.files,
        rules=results,
        findings=tuple(
            _finding(by_id[found.rule], severities[found.rule], path, found)
            for path, found in linted.findings
        ),
        dataset=linted.dataset,
        notes=(
            *name_notes(settings.sources),
            *allowed_notes(results),
            *split_notes(linted.files),
            *troubles,
            *network_notes(settings.network, fetched),
        ),
        unsettled=sum(remote.reachable is None for remote in fetched.remotes.values()),
        cost=linted.cost and linted.cost._replace(price=model.price, price_date=model.price_date),
    )


def _rule_result(settings: Settings, rule: Rule, linted: LintResult) -> RuleResult:
    by_file = (file.tallies.get(rule.id, Tally()) for file in linted.files)
    tally = sum(by_file, linted.dataset.get(rule.id, Tally()))
    allowed = settings.config.allow.get(rule.id)
    tolerated = allowed is not None and tally.failed <= allowed
    ignored = (reasons[rule.id] for reasons in settings.reasons_by_file.values() if rule.id in reasons)
    return RuleResult(
        id=rule.id,
        subject=rule.subject,
        severity="warning" if tolerated else rule.severity,
        tally=tally,
        truncated=linted.dropped.get(rule.id, 0),
        undecoded=linted.undecoded.get(rule.id, 0),
        allowed=allowed,
        reason="; ".join(dict.fromkeys(ignored)) or None,
        summary=rule.summary,
        why=rule.why,
        advice=rule.advice,
        source=rule.source,
    )


def lint(  # noqa: PLR0913 - all by keyword, each with a default
    *paths: str | os.PathLike[str],
    validation: Paths = (),
    test: Paths = (),
    provider: str | os.PathLike[str] | None = None,
    model: str | None = None,
    select: str | Sequence[str] | None = None,
    ignore: str | Sequence[str] = (),
    depth: Depth = "auto",
    fail_on: Severity = "error",
    require_checked: bool = False,
    offline: bool | None = None,
    allow_private: bool = False,
    proxy: str | None = None,
    cache: bool = True,
    config: Config | str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
) -> Report:
    """Lint files and return the report.

    *paths* are files, folders or globs; their split is that of the configuration, else that of the file
    name, else train. Without any files, those of the configuration are linted. *config* is a
    configuration or the path of one; None uses the nearest one of each file. *offline* fetches no URLs, by
    default if VFT_OFFLINE is set; *allow_private* allows URLs at private addresses; *proxy* is None or
    "env"; without *cache* nothing is saved in .vft_cache. Files are linted in this process, or by an
    *executor* of concurrent.futures whose workers find the files at the same paths.
    Raises UsageError, ConfigError or RuleFileError for invalid arguments and files, and LintError if a
    worker dies; never for data.
    """
    groups = find_groups(
        {
            "config": config,
            "provider": provider,
            "model": model,
            "select": select,
            "ignore": ignore,
            "depth": depth,
            "fail_on": fail_on,
            "require_checked": require_checked,
            "offline": offline,
            "allow_private": allow_private,
            "proxy": proxy,
            "no_cache": not cache,
            "jobs": 1,
        },
        _strings(paths),
        validation=_strings(validation),
        test=_strings(test),
    )
    return run_groups(groups, executor=executor)


def _strings(paths: Paths) -> list[str]:
    listed = [paths] if isinstance(paths, str | os.PathLike) else paths
    return [os.fspath(path) for path in listed]


def assert_clean(report: Report) -> None:
    """Raise AssertionError with the report as text unless *report* is ok."""
    if not report.ok:
        raise AssertionError(render_text(report))
