"""A check as one call: lint() and its report."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_vft.checking.measuring import needed_measurers
from pytest_vft.checking.shard import ShardLinter, open_image_store
from pytest_vft.errors import UsageError, without_inner_frames
from pytest_vft.model import Depth, Finding, Report, Severity, Source
from pytest_vft.reading.entries import FileEntry
from pytest_vft.reading.remote import Watch
from pytest_vft.report.text import render_text
from pytest_vft.runs.combining import combine
from pytest_vft.runs.config import Config
from pytest_vft.runs.groups import find_groups
from pytest_vft.runs.notes import group_notes, origin_notes
from pytest_vft.runs.records import make_finding
from pytest_vft.runs.run import make_plan, run_all
from pytest_vft.runs.settings import Settings

if TYPE_CHECKING:
    from concurrent.futures import Executor

LintEntry = Callable[[FileEntry, Source], tuple[Finding, ...]]
RunAll = Callable[[Sequence[Settings]], list[Report]]
Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def run_groups(
    groups: Sequence[Settings], *, watch: Watch | None = None, executor: Executor | None = None
) -> Report:
    """Lint the files of each of *groups* with its own settings and return one report; see run_all().

    Raises UsageError also if there are no files.
    """
    if not any(settings.sources for settings in groups):
        raise UsageError("no files: give some, or list them under [tool.vft.data] (vft.toml: [data])")
    run: RunAll = partial(run_all, watch=watch, executor=executor)
    if any(map(_has_baseline, groups)):
        from pytest_vft.runs.baseline import run_with_baselines  # noqa: PLC0415 - few runs have one

        run = partial(run_with_baselines, run=run)
    reports = run(groups)
    origins = (note for report in reports for note in origin_notes(report.findings, report.files))
    return combine(reports, (*group_notes(groups), *origins))


def entry_linter(settings: Settings) -> LintEntry:
    """Return a function that returns the findings on one entry of a file of *settings*."""
    measurers = needed_measurers(settings.rules, detectors=settings.detectors.measurers)
    plan = replace(make_plan(settings, settings.rules), cache=None, measurers=measurers)
    linter = ShardLinter(plan, open_image_store(plan))
    by_id = {rule.id: rule for rule in settings.rules}

    def lint_entry(entry: FileEntry, source: Source) -> tuple[Finding, ...]:
        shard = entry.shard._replace(
            data_format=source.data_format, layout=source.layout, ignored=settings.ignored[source.path]
        )
        with warnings.catch_warnings(action="ignore"):
            totals = linter.lint_entry(shard, entry.raw, entry.parse())
        return tuple(
            make_finding(
                by_id[found.rule],
                by_id[found.rule].severity,
                source.path,
                found._replace(line=entry.line, pointer=entry.prefix + found.pointer),
            )
            for found in totals.findings
        )

    return lint_entry


def _has_baseline(settings: Settings) -> bool:
    return bool(settings.baseline or settings.config.baseline or settings.writes_baseline)


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
    sample: int | None = None,
    image_roots: Paths = (),
    baseline: str | os.PathLike[str] | None = None,
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
    example (0: no maximum), by default that of the provider; *sample* is the number of examples that are read
    of each file (0 or None: all). *image_roots* are folders of local images,
    besides the folder of each file. *baseline* is a file with known findings, which do not fail the report.
    Files are linted in this process, or by an
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
            "sample": sample,
            "image_root": strings(image_roots),
            "baseline": baseline,
            "jobs": 1,
        },
        strings(paths),
        validation=strings(validation),
        test=strings(test),
    )
    return run_groups(groups, executor=executor)


def strings(paths: Paths | Sequence[Paths]) -> list[str]:
    """Return *paths*, one or several, nested or not, as texts."""
    if isinstance(paths, str | os.PathLike):
        return [os.fspath(paths)]
    return [name for path in paths for name in strings(path)]


def assert_clean(report: Report) -> None:
    """Raise AssertionError with the report as text unless *report* is ok."""
    if not report.ok:
        raise AssertionError(render_text(report))
