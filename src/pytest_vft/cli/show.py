"""`vft show`: one example for human eyes."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytest_vft.cli.options import add_run_options, read_settings
from pytest_vft.cli.parser import Commands, print_text
from pytest_vft.errors import UsageError
from pytest_vft.text import safe


def add(commands: Commands) -> None:
    """Add the command."""
    show = commands.add("show", "show one example for human eyes", _show)
    show.add_argument("place", metavar="FILE:LINE")
    show.add_argument("--save", metavar="DIR", type=Path, help="write its images into this folder")
    add_run_options(show, files=False)


def _show(arguments: argparse.Namespace) -> int:
    from pytest_vft.report.example import render_example  # noqa: PLC0415 - `vft --help` needs none of it
    from pytest_vft.runs.view import read_example, save_images  # noqa: PLC0415 - as above

    path, _, line = arguments.place.rpartition(":")
    if not path or not line.isdecimal() or int(line) < 1:
        raise UsageError(f"{arguments.place}: want FILE:LINE, as in train.jsonl:12")
    view = read_example(path, int(line), read_settings(arguments))
    print_text(render_example(view))
    if arguments.save:
        for saved in save_images(view, arguments.save):
            print_text(f"{safe(saved, None)}\n")
    return 0
