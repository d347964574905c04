"""`vft check`: check files and say what is wrong with them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pytest_vft.cli.options import add_run_options, read_settings
from pytest_vft.cli.parser import Commands, number, one_of, print_text
from pytest_vft.model import FORMATS
from pytest_vft.text import safe

# GitHub refuses a larger one
# (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits).
_LARGEST_SUMMARY = 1024 * 1024


def add(commands: Commands) -> None:
    """Add the command."""
    check = commands.add("check", "check files and say what is wrong with them", _check)
    check.add_argument("files", nargs="*", metavar="FILE", help="JSONL files, folders or globs (train split)")
    add_run_options(check)
    check.add_argument(
        "--format", **one_of(*FORMATS), default="text", help="of the report on stdout (default: text)"
    )
    check.add_argument(
        "--report", action="append", default=[], metavar="FORMAT:FILE", help="also write the report to a file"
    )
    check.add_argument(
        "--max-shown",
        type=number,
        default=10,
        metavar="N",
        help="findings shown a rule (0: all; default: 10)",
    )


def _check(arguments: argparse.Namespace) -> int:
    import time  # noqa: PLC0415 - `vft --help` needs none of it
    from dataclasses import replace  # noqa: PLC0415 - as above

    from pytest_vft.report.formats import parse_targets, render, write  # noqa: PLC0415 - as above
    from pytest_vft.report.progress import watching  # noqa: PLC0415 - as above
    from pytest_vft.runs.lint import run  # noqa: PLC0415 - as above
    from pytest_vft.runs.sources import find_sources  # noqa: PLC0415 - as above
    from pytest_vft.web.network import read_network  # noqa: PLC0415 - as above

    started = time.perf_counter()
    if arguments.base_url:
        print("vft: --base-url has no effect on a check", file=sys.stderr)
    targets = parse_targets(arguments.report)
    settings = read_settings(arguments)
    sources = find_sources(
        settings.config,
        [*arguments.files, *arguments.data],
        validation=arguments.validation_data,
        test=arguments.test_data,
    )
    network = read_network(
        offline=arguments.offline or None,
        allow_private=arguments.allow_private,
        proxy=arguments.proxy,
        cache=not arguments.no_cache,
    )
    with watching() as watch:
        report = run(
            replace(
                settings,
                sources=sources,
                depth=arguments.depth,
                fail_on=arguments.fail_on,
                require_checked=arguments.require_checked,
                network=network,
                jobs=arguments.jobs,
            ),
            watch=watch,
        )
    for target in targets:
        write(report, target, most_shown=arguments.max_shown)
    seconds = time.perf_counter() - started
    if arguments.format == "github":  # annotations are few, and nobody reads commands
        print_text(render(report, "text", most_shown=arguments.max_shown, seconds=seconds))
        _add_to_summary(render(report, "markdown", most_shown=arguments.max_shown, seconds=seconds))
    print_text(render(report, arguments.format, most_shown=arguments.max_shown, seconds=seconds))
    return 0 if report.ok else 1


def _add_to_summary(text: str) -> None:
    """Append *text* to the summary of this step of GitHub Actions, if there is one with room for it."""
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    try:
        with Path(name).open("ab") as file:
            if file.tell() + len(text.encode()) < _LARGEST_SUMMARY:
                file.write(text.encode())
    except OSError as error:  # the findings matter more
        print(f"vft: no step summary: {safe(name, None)}: {error.strerror}", file=sys.stderr)
