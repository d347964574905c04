"""Report formats by name, and reports written to files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from pytest_vft.errors import UsageError
from pytest_vft.model import Report
from pytest_vft.options import FORMATS
from pytest_vft.reading.object_paths import is_url, without_password
from pytest_vft.report.layout import DEFAULT, Display
from pytest_vft.text import nearest
from pytest_vft.writing import write_text

FOR_PEOPLE = ("text", "concise", "markdown")  # formats for terminals and comments
_WITH_DISPLAY = (*FOR_PEOPLE, "html")


class Target(NamedTuple):
    """A report format and the file to write."""

    format: str
    path: Path


def parse_targets(given: Sequence[str]) -> list[Target]:
    """Return the targets of the texts FORMAT:FILE. Raises UsageError."""
    targets = []
    for text in given:
        name, colon, path = text.partition(":")
        if name not in FORMATS:
            known = ", ".join(FORMATS)
            raise UsageError(
                f"unknown report format {name!r}{nearest(name, FORMATS)}; expected one of {known}"
            )
        if not colon or not path:
            raise UsageError(f"report {text!r}: expected FORMAT:FILE, as in {name}:report.{name}")
        if is_url(path):
            raise UsageError(
                f"report {without_password(text)!r}: is a URL; expected a file on this machine, to be copied"
            )
        targets.append(Target(name, Path(path)))
    paths = [os.path.realpath(target.path) for target in targets]
    for target, path in zip(targets, paths, strict=True):
        if paths.count(path) > 1:
            raise UsageError(f"{target.path}: two reports to one file; expected a file for each")
    return targets


def render(report: Report, format_name: str, display: Display = DEFAULT) -> str:
    """Return *report* in the format *format_name*, whose module is imported only now."""
    renderer = getattr(import_module(f"pytest_vft.report.{format_name}"), f"render_{format_name}")
    text: str = renderer(report, display) if format_name in _WITH_DISPLAY else renderer(report)
    return text


def write(report: Report, target: Target, display: Display = DEFAULT) -> None:
    """Write *report* to *target*. Raises UsageError if the file cannot be written or is one of the report."""
    if target.format == "html":
        from pytest_vft.report.html.check import check_page  # noqa: PLC0415 - for this format only
        from pytest_vft.report.html.page import write_page  # noqa: PLC0415 - jinja2 takes 40 ms to import

        write_page(check_page(report, display), target.path, [file.path for file in report.files])
        return
    text = render(report, target.format, display)
    write_target(target, text, [file.path for file in report.files])


def write_target(target: Target, text: str, inputs: Iterable[str]) -> None:
    """Write *text* to *target* atomically, and create missing folders.

    Raises UsageError if the file cannot be written, or is one of *inputs*, the files that the text is about.
    """
    folder = target.path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{target.path}: the folder {folder} cannot be created: {error.strerror}") from None
    try:
        write_text(target.path, text, inputs=inputs)
    except OSError as error:
        raise UsageError(f"{target.path}: {error.strerror}") from None
