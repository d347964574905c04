"""`vft build`: make training, validation and test files from a table and its images."""

from __future__ import annotations

import argparse

from pytest_vft.cli.output import print_text, text_width
from pytest_vft.naming import naming_for
from pytest_vft.report.build import render_build
from pytest_vft.report.layout import Display
from pytest_vft.report.progress import watching
from pytest_vft.runs.build import run_build, table_paths
from pytest_vft.runs.build_request import read_build_request


def build(arguments: argparse.Namespace) -> int:
    """Build a dataset and print what was done; return the exit code."""
    with naming_for("command"):
        request = read_build_request(vars(arguments))
        with watching() as watch:
            result = run_build(request, table_paths(arguments.files), watch=watch)
    print_text(render_build(result, Display(width=text_width())))
    return 0 if result.ok else 1
