"""`vft check`: check files and report what is wrong."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pytest_vft.checking.processes import cluster
from pytest_vft.cli.output import print_text, text_width
from pytest_vft.cli.stdin import stdin_as_file, with_stdin
from pytest_vft.errors import LintError, UsageError
from pytest_vft.model import Report, RuleResult
from pytest_vft.report.formats import FOR_PEOPLE, parse_targets, render, write
from pytest_vft.report.layout import Display
from pytest_vft.report.progress import tell_wait, watching
from pytest_vft.runs.groups import find_groups
from pytest_vft.runs.lint import run_groups
from pytest_vft.runs.run import run
from pytest_vft.runs.settings import Settings, read_settings
from pytest_vft.runs.several import label, split_id
from pytest_vft.text import count, safe

# Bytes of a step summary that GitHub accepts
# (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits).
_MAX_SUMMARY = 1024 * 1024
_FINDINGS_ONLY = ("csv", "gitlab")  # formats without a place for what was not checked


class _Selection(NamedTuple):
    """The files to check with their settings; *nothing* is why there are none, *unchanged* those left out."""

    groups: Sequence[Settings]
    nothing: str | None = None
    unchanged: int = 0


def check(arguments: argparse.Namespace) -> int:
    """Check files, print and write the report; return the exit code."""
    if arguments.base_url:
        print("vft: --base-url has no effect on a check", file=sys.stderr)
    if arguments.statistics and arguments.format != "text":
        raise UsageError(f"--statistics prints text; expected no --format={arguments.format}")
    if arguments.write_baseline and arguments.format != "text":
        raise UsageError(f"--write-baseline prints text; expected no --format={arguments.format}")
    targets = parse_targets(arguments.report or ())
    with stdin_as_file(arguments) as stdin:
        selection = _select(arguments)
        checked = _run(selection, arguments.cluster, quiet=arguments.quiet)
        report = with_stdin(checked, stdin) if stdin else checked
    for target in targets:
        write(report, target, _display(arguments))
    if selection.nothing is not None:
        print(f"vft: {safe(selection.nothing, None)}: nothing to check", file=sys.stderr)
        if arguments.format not in FOR_PEOPLE:  # programs read a report also if nothing was checked
            print_text(render(report, arguments.format), styled=False)
        return 0
    _check_selected(selection.groups, checked)
    if arguments.write_baseline:
        from pytest_vft.report.baseline import written_lines  # noqa: PLC0415 - for --write-baseline only
        from pytest_vft.runs.baseline import write_baselines  # noqa: PLC0415 - as above

        lines = written_lines(write_baselines(selection.groups, report))
        if report.ok:
            print_text("".join(f"{line}\n" for line in lines))
            return 0
        report = replace(report, notes=(*report.notes, *lines))
    _print(report, arguments)
    return 0 if report.ok or arguments.exit_zero else 1


def _print(report: Report, arguments: argparse.Namespace) -> None:
    display = _display(arguments)._replace(width=text_width(), quiet=arguments.quiet)
    if arguments.statistics:
        from pytest_vft.report.statistics import render_statistics  # noqa: PLC0415 - for --statistics only

        print_text(render_statistics(report, display))
        return
    if arguments.format == "github":  # the log shows the text, because GitHub shows few annotations
        print_text(render(report, "text", display))
        _add_to_summary(render(report, "markdown", Display(arguments.max_shown)))
    print_text(render(report, arguments.format, display), styled=arguments.format in FOR_PEOPLE)
    if arguments.format in _FINDINGS_ONLY and not arguments.quiet:
        from pytest_vft.report.text import unchecked_lines  # noqa: PLC0415 - for these formats only

        for line in unchecked_lines(report):
            print(f"vft: {line}", file=sys.stderr)


def _display(arguments: argparse.Namespace) -> Display:
    return Display(arguments.max_shown, images=not arguments.no_images, good_examples=arguments.good_examples)


def _select(arguments: argparse.Namespace) -> _Selection:
    """Return the files of *arguments*, else those of the configuration; with --since only changed files."""
    options, files = vars(arguments), arguments.files
    splits = {
        "data": arguments.data or (),
        "validation": arguments.validation_data or (),
        "test": arguments.test_data or (),
    }
    given = bool(files) or any(splits.values())
    if arguments.explicit and not given:
        return _Selection((read_settings(options),), "no files after --")
    if arguments.since is None:
        return _Selection(find_groups(options, files, **splits))
    from pytest_vft.runs import changes  # noqa: PLC0415 - for --since only

    changed = changes.changed_files(arguments.since)
    groups = find_groups(options, files, **splits)
    found = sum(len(settings.sources) for settings in groups)
    if not given and not found:
        new = changes.datasets(changed)
        chosen = find_groups(options, new) if new else ()
    else:
        named = [*files, *(path for paths in splits.values() for path in paths)]
        chosen = changes.only_changed(groups, [*changed, *changes.unknown_to_git(named)])
    if not chosen:
        return _Selection((read_settings(options),), f"no dataset has changed since {arguments.since}")
    kept = sum(len(settings.sources) for settings in chosen)
    return _Selection(chosen, unchanged=max(found - kept, 0))


def _run(selection: _Selection, cluster_name: str | None, *, quiet: bool) -> Report:
    if selection.nothing is not None:
        return run(selection.groups[0])
    with (
        cluster(cluster_name, None if quiet else tell_wait) as executor,
        nullcontext() if quiet else watching() as watch,
    ):
        report = run_groups(selection.groups, watch=watch, executor=executor)
        if executor and not quiet:
            again = executor.count_repeated()
            repeated = f"; {again:,} of them repeated after a worker was lost" if again else ""
            tasks = count(executor.tasks, "task")
            print(f"vft: {tasks} on the cluster at {executor.address}{repeated}", file=sys.stderr)
    if not selection.unchanged:
        return report
    note = f"{count(selection.unchanged, 'file')} not checked: no change since the revision of --since"
    return replace(report, notes=(*report.notes, note))


def _check_selected(groups: Sequence[Settings], report: Report) -> None:
    """Raise LintError if rules are selected by id and had nothing to check.

    Rules on the dataset judge only content that recurs, so having nothing to judge is a result, unless
    nothing could be judged.
    """
    scopes = {rule.id: rule.scope for settings in groups for rule in settings.rules}
    chosen = scopes.keys() & {id_ for settings in groups for id_ in settings.select or ()}
    selected = [rule for rule in report.rules if split_id(rule.id)[0] in chosen]
    named = [rule for rule in selected if scopes[split_id(rule.id)[0]] != "dataset"]
    if not named and all(rule.tally.unknown for rule in selected):
        named = selected
    if named and not any(_has_judged(rule, groups, report) for rule in named):
        from pytest_vft.report.text import unknown_parts  # noqa: PLC0415 - for a run that fails here

        reasons: dict[str, list[str]] = {}
        for rule in named:
            for _, why in unknown_parts(report, rule):
                reasons.setdefault(why, []).append(rule.id)
        if reasons:
            words = "; ".join(f"{', '.join(ids)}: {why}" for why, ids in reasons.items())
            raise LintError(f"nothing was checked by {words}")
        ids = ", ".join(rule.id for rule in named)
        of_images = {rule.id for settings in groups for rule in settings.rules if "format" in rule.when}
        if report.urls and any(rule.reason is None and split_id(rule.id)[0] in of_images for rule in named):
            urls = count(report.urls, "URL")
            raise LintError(f"nothing was checked by {ids}: no image could be read from {urls}")
        raise LintError(f"nothing was checked: the files have nothing for {ids}, or the rules are ignored")


def _has_judged(rule: RuleResult, groups: Sequence[Settings], report: Report) -> bool:
    """Return whether *rule* could judge anything in a file in which it is not ignored."""
    if rule.reason is None or rule.id in report.dataset:
        return rule.tally.checked > 0
    id_, suffix = split_id(rule.id)
    ignored = [settings.ignored for settings in groups if label(settings) == suffix]
    return any(
        file.path in one and id_ not in one[file.path] and file.tallies[rule.id].checked
        for one in ignored
        for file in report.files
        if rule.id in file.tallies
    )


def _add_to_summary(text: str) -> None:
    """Append *text* to the summary of the GitHub Actions step, if there is a summary with enough room."""
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    try:
        with Path(name).open("ab") as file:
            if file.tell() + len(text.encode()) < _MAX_SUMMARY:
                file.write(text.encode())
    except OSError as error:  # no reason to fail the check
        print(f"vft: no step summary: {safe(name, None)}: {error.strerror}", file=sys.stderr)
