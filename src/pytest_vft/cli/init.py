"""`vft init`: a first configuration, a hook and a workflow."""

from __future__ import annotations

import argparse

from pytest_vft.cli.output import print_text
from pytest_vft.report.start import render_start
from pytest_vft.runs.start import plan_start, write_start


def init(arguments: argparse.Namespace) -> int:
    """Print what the project lacks, and write it with --write. Return the exit code."""
    start = plan_start(arguments.provider)
    if arguments.write:
        write_start(start)
    print_text(render_start(start.additions, start.others, written=arguments.write))
    return 0
