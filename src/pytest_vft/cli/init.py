"""`vft init`: a first configuration, a hook and a workflow."""

from __future__ import annotations

import argparse

from pytest_vft.cli.output import print_text
from pytest_vft.report.start import render_addition, render_rest
from pytest_vft.runs.start import plan_start, write_addition


def init(arguments: argparse.Namespace) -> int:
    """Print what the project lacks, and write it with --write. Return the exit code."""
    start = plan_start(arguments.provider)
    for addition in start.additions:
        if arguments.write:
            write_addition(addition)
        print_text(render_addition(addition, written=arguments.write))
    print_text(render_rest(*start, written=arguments.write))
    return 0
