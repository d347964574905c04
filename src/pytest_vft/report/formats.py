"""The output formats by name, and reports written to files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from pytest_vft.errors import UsageError
from pytest_vft.model import Report
from pytest_vft.options import FORMATS
from pytest_vft.report.text import MOST_SHOWN
from pytest_vft.text import nearest
from pytest_vft.writing import write_text

# Of these people read all they asked for, and how long it took.
_FOR_PEOPLE = ("text", "markdown")


class Target(NamedTuple):
    """A file that a report is written to."""

    format: str
    path: Path


def parse_targets(given: Sequence[str]) -> list[Target]:
    """Return the targets that FORMAT:FILE texts stand for. Raises UsageError."""
    targets = []
    for text in given:
        name, colon, path = text.partition(":")
        if name not in FORMATS:
            raise UsageError(
                f"no report format {name!r}{nearest(name, FORMATS)}; there are {', '.join(FORMATS)}"
            )
        if not colon or not path:
            raise UsageError(f"report {text!r}: want FORMAT:FILE, as in {name}:report.{name}")
        targets.append(Target(name, Path(path)))
    return targets


def render(
    report: Report, format_name: str, *, most_shown: int = MOST_SHOWN, seconds: float | None = None
) -> str:
    """Return *report* in the format of that name, by the module of that name: a run needs one or two."""
    renderer = getattr(import_module(f"pytest_vft.report.{format_name}"), f"render_{format_name}")
    options = {"most_shown": most_shown, "seconds": seconds} if format_name in _FOR_PEOPLE else {}
    text: str = renderer(report, **options)
    return text


def write(report: Report, target: Target, *, most_shown: int = MOST_SHOWN) -> None:
    """Write *report* to *target*. Raises UsageError when that cannot be done."""
    write_target(target, render(report, target.format, most_shown=most_shown))


def write_target(target: Target, text: str) -> None:
    """Write *text* to *target*, completely or not at all. Raises UsageError when that cannot be done."""
    try:
        target.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(target.path, text)
    except OSError as error:
        raise UsageError(f"{target.path}: {error.strerror}") from None
