"""`vft convert`: write files so that a provider or trainer takes them."""

from __future__ import annotations

import argparse

from pytest_vft.cli.output import print_text, text_width
from pytest_vft.report.conversion import render_conversion
from pytest_vft.report.layout import Display
from pytest_vft.report.progress import watching
from pytest_vft.runs.conversion_request import read_request
from pytest_vft.runs.convert import run_conversion


def convert(arguments: argparse.Namespace) -> int:
    """Convert files and print what was done; return the exit code."""
    request = read_request(vars(arguments), arguments.files)
    with watching() as watch:
        result = run_conversion(request, watch)
    print_text(render_conversion(result, Display(width=text_width())))
    return 0 if result.ok else 1
