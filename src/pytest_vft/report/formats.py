"""The output formats by name, and reports written to files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_vft.errors import UsageError
from pytest_vft.model import FORMATS, Report
from pytest_vft.report.github import render_github
from pytest_vft.report.gitlab import render_gitlab
from pytest_vft.report.json import render_json
from pytest_vft.report.markdown import render_markdown
from pytest_vft.report.sarif import render_sarif
from pytest_vft.report.text import MOST_SHOWN, render_text
from pytest_vft.text import nearest

# Of the others people read all they asked for, and how long it took.
_FOR_PROGRAMS: Mapping[str, Callable[[Report], str]] = {
    "json": render_json,
    "github": render_github,
    "sarif": render_sarif,
    "gitlab": render_gitlab,
}


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
    """Return *report* in the format of that name."""
    if format_name in _FOR_PROGRAMS:
        return _FOR_PROGRAMS[format_name](report)
    render_for_people = render_markdown if format_name == "markdown" else render_text
    return render_for_people(report, most_shown=most_shown, seconds=seconds)


def write(report: Report, target: Target, *, most_shown: int = MOST_SHOWN) -> None:
    """Write *report* to *target*. Raises UsageError when that cannot be done."""
    try:
        target.path.parent.mkdir(parents=True, exist_ok=True)
        text = render(report, target.format, most_shown=most_shown)
        target.path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target.path}: {error.strerror}") from None
