"""`vft show`: one example with its findings."""

from __future__ import annotations

import argparse
import os

from pytest_vft.cli.output import print_text
from pytest_vft.cli.parser import MOST_DIGITS
from pytest_vft.errors import UsageError
from pytest_vft.report.example import render_example
from pytest_vft.runs.settings import read_settings
from pytest_vft.runs.view import read_example, save_images
from pytest_vft.text import safe


def show(arguments: argparse.Namespace) -> int:
    """Print one example; write its images with --save. Return the exit code."""
    path, _, given = arguments.place.rpartition(":")
    number = given.removeprefix("#")
    is_line = number == given
    if not path or not number.isdecimal() or len(number) > MOST_DIGITS or int(number) < is_line:
        what = "is a folder; " if os.path.isdir(arguments.place) else ""  # noqa: PTH112 - of any length
        expected = "FILE:LINE, as in train.jsonl:12" if is_line else "FILE:#INDEX, as in train.json:#12"
        raise UsageError(f"{arguments.place}: {what}expected {expected}")
    line, element = (int(number), None) if is_line else (None, int(number))
    view = read_example(path, line, read_settings(vars(arguments), path=path), element)
    print_text(render_example(view))
    if arguments.save:
        for saved in save_images(view, arguments.save):
            print_text(f"{safe(saved, None)}\n")
    return 0
