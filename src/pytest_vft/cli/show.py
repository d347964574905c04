"""`vft show`: examples with their findings, as text or as a page."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_vft.cli.arguments import MOST_DIGITS
from pytest_vft.cli.output import print_text
from pytest_vft.errors import UsageError
from pytest_vft.report.example import ExampleView, render_example
from pytest_vft.report.formats import parse_targets
from pytest_vft.runs.settings import Settings, read_settings
from pytest_vft.runs.view import read_example, save_images
from pytest_vft.text import safe

if TYPE_CHECKING:
    from pytest_vft.runs.example_file import ExampleFile

_NUMBERS = re.compile(rf"(#?)(\d{{1,{MOST_DIGITS}}})(?:-#?(\d{{1,{MOST_DIGITS}}}))?", re.ASCII)


class _Place(NamedTuple):
    """The argument: a file with the numbers of examples; without numbers for a file alone."""

    path: str
    first: int | None = None
    last: int | None = None
    are_elements: bool = False


def show(arguments: argparse.Namespace) -> int:
    """Print examples, or write a page with --report; write their images with --save. Return the exit code."""
    place = _read_place(arguments)
    settings = read_settings(vars(arguments), path=place.path)
    if place.last is None and place.first is not None and not arguments.sample and not arguments.report:
        line, element = (None, place.first) if place.are_elements else (place.first, None)
        _print(read_example(place.path, line, settings, element), arguments.save)
        return 0
    _show_several(place, settings, arguments)
    return 0


def _read_place(arguments: argparse.Namespace) -> _Place:
    text = arguments.place
    path, _, given = text.rpartition(":")
    numbers = _NUMBERS.fullmatch(given)
    if path and numbers:
        mark, first, last = numbers.groups()
        are_elements = bool(mark)
        if int(first) >= (not are_elements) and (last is None or int(last) >= int(first)):
            return _Place(path, int(first), int(last) if last else None, are_elements)
    elif arguments.select or arguments.sample:
        return _Place(text)
    what = "is a folder; " if os.path.isdir(text) else ""  # noqa: PTH112 - of any length
    in_array = given.startswith("#")
    expected = "FILE:#INDEX, as in train.json:#12" if in_array else "FILE:LINE, as in train.jsonl:12"
    several = "" if what or ":" in text else "; a file alone needs --select or --sample"
    raise UsageError(f"{text}: {what}expected {expected}{several}")


def _print(view: ExampleView, folder: Path | None) -> None:
    print_text(render_example(view))
    for saved in save_images(view, folder) if folder else ():
        print_text(f"{safe(saved, None)}\n")


def _show_several(place: _Place, settings: Settings, arguments: argparse.Namespace) -> None:
    """Print the examples of a range, a sample, or those on which the selected rules fail."""
    from pytest_vft.runs import examples as chosen  # noqa: PLC0415 - for several examples only
    from pytest_vft.runs.example_file import open_examples  # noqa: PLC0415 - as above

    file = open_examples(place.path, settings)
    choice = None
    if place.first is not None:
        last = place.first if place.last is None else place.last
        choice = chosen.in_extent(file, chosen.Extent(place.first, last, place.are_elements))
    elif arguments.select:
        choice = chosen.failing(file)
    if choice is None or arguments.sample:
        choice = chosen.sampled(file, choice, arguments.sample)
    if not choice.findings:
        print_text(f"{safe(file.path, None)}: the selected rules fail on no example\n")
        return
    left_out = chosen.left_out_words(choice)
    views = chosen.views(file, choice)
    if arguments.report:
        _write_page(file, views, left_out, arguments)
        return
    for number, view in enumerate(views):
        print_text("\n" if number else "")
        _print(view, arguments.save)
    print_text(f"\n{left_out}\n" if left_out else "")


def _write_page(
    file: ExampleFile, views: Iterable[ExampleView], left_out: str, arguments: argparse.Namespace
) -> None:
    from pytest_vft.report.html.page import write_page  # noqa: PLC0415 - jinja2 takes 40 ms to import
    from pytest_vft.report.html.show import ShownFile, examples_page  # noqa: PLC0415 - as above

    source = file.source
    path = source.path
    shown = ShownFile(path, source.split, source.data_format, source.layout, file.settings.image_roots)
    page = examples_page(shown, views, left_out, images=not arguments.no_images)
    for target in parse_targets(arguments.report):
        if target.format != "html":
            raise UsageError(f"--report={target.format}: examples are shown as a page; expected html:FILE")
        write_page(page, target.path, [source.path])
        print_text(f"{page.values['sentence']}: {safe(target.path, None)}\n")
