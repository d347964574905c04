"""`vft check`: check files and report what is wrong."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_vft.cli.output import print_text, text_width
from pytest_vft.errors import LintError
from pytest_vft.model import Report
from pytest_vft.report.formats import parse_targets, render, write
from pytest_vft.report.layout import Display
from pytest_vft.report.progress import watching
from pytest_vft.runs.groups import find_groups
from pytest_vft.runs.lint import run_groups
from pytest_vft.runs.settings import Settings
from pytest_vft.text import safe

# Bytes of a step summary that GitHub accepts
# (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits).
_MAX_SUMMARY = 1024 * 1024


def check(arguments: argparse.Namespace) -> int:
    """Check files, print and write the report; return the exit code."""
    if arguments.base_url:
        print("vft: --base-url has no effect on a check", file=sys.stderr)
    targets = parse_targets(arguments.report or ())
    groups = find_groups(
        vars(arguments),
        arguments.files,
        data=arguments.data or (),
        validation=arguments.validation_data or (),
        test=arguments.test_data or (),
    )
    with watching() as watch:
        report = run_groups(groups, watch=watch)
    display = Display(arguments.max_shown)
    for target in targets:
        write(report, target, display)
    _check_selected(groups, report)
    if arguments.format == "github":  # the log shows the text, because GitHub shows few annotations
        print_text(render(report, "text", display))
        _add_to_summary(render(report, "markdown", display))
    print_text(render(report, arguments.format, display._replace(width=text_width())))
    return 0 if report.ok else 1


def _check_selected(groups: Sequence[Settings], report: Report) -> None:
    """Raise LintError if rules are selected by id and had nothing to check.

    Rules on the dataset judge only content that recurs, so having nothing to judge is a result.
    """
    rules = {rule.id for settings in groups for rule in settings.rules if rule.scope != "dataset"}
    chosen = rules & {id_ for settings in groups for id_ in settings.select or ()}
    named = [rule for rule in report.rules if rule.id in chosen]
    if named and not any(rule.tally.checked and rule.reason is None for rule in named):
        ids = ", ".join(rule.id for rule in named)
        raise LintError(f"nothing was checked: the files have nothing for {ids}, or the rules are ignored")


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
