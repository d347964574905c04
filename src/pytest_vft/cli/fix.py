"""`vft fix`: repair what a check finds."""

from __future__ import annotations

import argparse
from contextlib import nullcontext

from pytest_vft.cli.output import print_text, text_width
from pytest_vft.fixing.files import EntryOutcome
from pytest_vft.outputs.aside import drop_limit
from pytest_vft.report.fix import changed_lines, render_fix
from pytest_vft.report.progress import watching
from pytest_vft.runs.fix import run_fix
from pytest_vft.runs.fix_jobs import FileJob, FixOptions
from pytest_vft.runs.groups import find_groups


def fix(arguments: argparse.Namespace) -> int:
    """Repair files, or print what would be repaired; return the exit code."""
    options = FixOptions(
        out=arguments.out,
        in_place=arguments.in_place,
        unsafe=arguments.unsafe,
        force=arguments.force,
        limit=drop_limit(drop=arguments.drop, most=arguments.max_dropped),
    )
    groups = find_groups(
        vars(arguments),
        arguments.files,
        data=arguments.data or (),
        validation=arguments.validation_data or (),
        test=arguments.test_data or (),
    )

    def tell(job: FileJob, outcome: EntryOutcome) -> None:
        for line in changed_lines(job.path, outcome, job.needs.byte_order_mark):
            print_text(f"{line}\n", styled=False)

    with nullcontext() if arguments.quiet else watching() as watch:
        result = run_fix(groups, options, tell=tell if arguments.diff else None, watch=watch)
    if not (arguments.quiet and result.is_clean):
        print_text(render_fix(result, drop=arguments.drop, width=text_width()))
    return 0 if result.is_clean else 1
