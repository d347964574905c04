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
from pytest_vft.checking.measuring import needed_measurers
from pytest_vft.checking.memory import RunCache
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.processes import processes, usable_cpus
from pytest_vft.checking.shard import ShardLinter, open_image_store
from pytest_vft.clock import now
from pytest_vft.errors import LintError, UsageError, without_inner_frames
from pytest_vft.model import Depth, Finding, Report, Severity, Tally, UnsettledUrl
from pytest_vft.reading.links import masked, read_link
from pytest_vft.reading.remote import FetchResults, Remote, Watch
from pytest_vft.reading.shards import Shard
from pytest_vft.reading.sqlite import FOLDER
from pytest_vft.report.text import render_text
from pytest_vft.runs.combining import combine
from pytest_vft.runs.config import Config
from pytest_vft.runs.fetcher import fetcher
from pytest_vft.runs.groups import find_groups
from pytest_vft.runs.notes import (
    allowed_notes,
    comparison_notes,
    description_notes,
    group_notes,
    length_notes,
    media_notes,
    name_notes,
    network_notes,
    split_notes,
)
from pytest_vft.runs.records import make_finding, rule_result, rule_texts
from pytest_vft.runs.settings import Settings

if TYPE_CHECKING:
    from concurrent.futures import Executor

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
        if valid:
            fetched = fetcher(settings, rules, watch).fetch(valid)
        return fetched.remotes

    plan = _plan(settings, rules)
    asking = not settings.network.offline and any(rule.scope in ("image", "dataset") for rule in rules)
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
    groups: Sequence[Settings], *, watch: Watch | None = None, executor: Executor | None = None
) -> Report:
    """Lint the files of each of *groups* with its own settings and return one report; see run().

    Raises UsageError also if there are no files.
    """
    if not any(settings.sources for settings in groups):
        raise UsageError("no files: give some, or list them under [tool.vft.data]")
    reports = [run(settings, watch=watch, executor=executor) for settings in groups]
    return combine(reports, group_notes(groups))


def run_line(settings: Settings, shard: Shard, line: int, prefix: str = "") -> tuple[Finding, ...]:
    """Return the findings on *shard*, which is line *line* of its file, or the element at *prefix* there."""
    measurers = needed_measurers(settings.rules)
    plan = replace(_plan(settings, settings.rules), cache=None, measurers=measurers)
    linter = ShardLinter(plan, open_image_store(plan))
    by_id = {rule.id: rule for rule in settings.rules}
    shard = shard._replace(ignored=settings.ignored[shard.path])
    with warnings.catch_warnings(action="ignore"):
        totals = linter.lint(shard)
    return tuple(
        make_finding(
            by_id[found.rule],
            by_id[found.rule].severity,
            shard.path,
            found._replace(line=line, pointer=prefix + found.pointer),
        )
        for found in totals.findings
    )


def _plan(settings: Settings, rules: tuple[Rule, ...]) -> LintPlan:
    config, full = settings.config, settings.depth != "header"
    return LintPlan(
        rules=rules,
        image_tokens=settings.provider.image_tokens(settings.model),
        full=full,
        bounded=settings.depth != "full",
        max_findings=config.max_findings if settings.max_findings is None else settings.max_findings,
        cache=config.folder / FOLDER if full and settings.network.cache else None,
        now=now(),
        image_roots=settings.image_roots,
    )


def _report(
    settings: Settings,
    rules: Sequence[Rule],
    linted: LintResult,
    fetched: FetchResults,
    troubles: Iterable[str],
) -> Report:
    results = tuple(rule_result(settings, rule, linted) for rule in rules)
    severities = {result.id: result.severity for result in results}
    by_id = {rule.id: rule for rule in rules}
    texts = {
        rule.id: rule_texts(rule, result, linted.folders.get(rule.id, ""))
        for rule, result in zip(rules, results, strict=True)
    }
    closes = settings.provider.closes
    model = settings.provider.describe(settings.model)
    return Report(
        provider=settings.provider.id,
        provider_name=settings.provider.name,
        by_data_format=settings.by_data_format and any(file.data_format != "openai" for file in linted.files),
        closes=closes.isoformat() if closes else None,
        model=settings.model,
        depth=settings.depth,
        offline=settings.network.offline,
        fail_on=settings.fail_on,
        require_checked=settings.require_checked,
        files=linted.files,
        rules=results,
        findings=tuple(
            make_finding(by_id[found.rule], severities[found.rule], path, found, texts[found.rule])
            for path, found in linted.findings
        ),
        dataset=linted.dataset,
        notes=(
            *name_notes(settings.sources),
            *description_notes(settings),
            *allowed_notes(results),
            *split_notes(linted.files),
            *media_notes(linted.files),
            *comparison_notes(linted),
            *length_notes(settings, results),
            *troubles,
            *network_notes(settings.network, fetched),
        ),
        urls=linted.urls,
        unsettled=tuple(
            UnsettledUrl(masked(url), fetched.remotes[url].cause or "unknown", tuple(places))
            for url, places in linted.unsettled.items()
        ),
        cost=linted.cost and linted.cost._replace(price=model.price, price_date=model.price_date),
    )


@without_inner_frames
def lint(  # noqa: PLR0913 - all by keyword, each with a default
    *paths: Paths,
    validation: Paths = (),
    test: Paths = (),
    data_format: str | None = None,
    provider: str | os.PathLike[str] | None = None,
    model: str | None = None,
    select: str | Sequence[str] | None = None,
    extend_select: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    depth: Depth = "auto",
    fail_on: Severity = "error",
    require_checked: bool = False,
    offline: bool | None = None,
    allow_private: bool = False,
    proxy: str | None = None,
    url_budget: int | None = None,
    cache: bool = True,
    max_findings: int | None = None,
    max_tokens: int | None = None,
    image_roots: Paths = (),
    config: Config | str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
) -> Report:
    """Lint files and return the report.

    *paths* are files, folders or globs; their split is that of the configuration, else that of the file
    name, else train. Without any files, those of the configuration are linted. *data_format* is by default
    that of the first examples of each file, and *provider* that of the data format. *config* is a
    configuration or the path of one; None uses the nearest one of each file. *offline* fetches no URLs, by
    default if VFT_OFFLINE is set; *allow_private* allows URLs at private addresses; *proxy* is None or
    "env"; *url_budget* is the time for all URLs in seconds, 0 for unlimited, by default 1,800; without
    *cache* nothing is saved in .vft_cache. *max_findings* is the number of findings that are kept for each
    rule and file (0: all), by default that of the configuration; *max_tokens* is the maximum of tokens of an
    example (0: no maximum), by default that of the provider. *image_roots* are folders of local images,
    besides the folder of each file. Files are linted in this process, or by an
    *executor* of concurrent.futures whose workers find the files at the same paths.
    Raises UsageError, ConfigError or RuleFileError for invalid arguments and files, and LintError if a
    worker dies; never for data.
    """
    groups = find_groups(
        {
            "config": config,
            "data_format": data_format,
            "provider": provider,
            "model": model,
            "select": select,
            "extend_select": extend_select,
            "ignore": ignore,
            "depth": depth,
            "fail_on": fail_on,
            "require_checked": require_checked,
            "offline": offline,
            "allow_private": allow_private,
            "proxy": proxy,
            "url_budget": url_budget,
            "no_cache": not cache,
            "max_findings": max_findings,
            "max_tokens": max_tokens,
            "image_root": _strings(image_roots),
            "jobs": 1,
        },
        _strings(paths),
        validation=_strings(validation),
        test=_strings(test),
    )
    return run_groups(groups, executor=executor)


def _strings(paths: Paths | Sequence[Paths]) -> list[str]:
    if isinstance(paths, str | os.PathLike):
        return [os.fspath(paths)]
    return [name for path in paths for name in _strings(path)]


def assert_clean(report: Report) -> None:
    """Raise AssertionError with the report as text unless *report* is ok."""
    if not report.ok:
        raise AssertionError(render_text(report))
