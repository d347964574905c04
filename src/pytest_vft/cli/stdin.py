"""Standard input in place of a file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pytest_vft.errors import UsageError, VftError
from pytest_vft.model import Report
from pytest_vft.runs.config import load_config

STDIN = "-"
_NAMES = ("files", "data", "validation_data", "test_data")


@contextmanager
def stdin_as_file(arguments: argparse.Namespace) -> Iterator[str | None]:
    """Yield the path of a copy of standard input, which replaces "-" in *arguments*; None if there is no "-".

    The configuration of the current folder applies then.
    """
    given = [path for name in _NAMES for path in getattr(arguments, name) or ()]
    if STDIN not in given:
        yield None
        return
    if arguments.baseline or arguments.write_baseline:
        raise UsageError("- has no baseline, which names files; write standard input to a file")
    if given.count(STDIN) > 1:
        raise UsageError("- is given more than once; standard input can be read once")
    import shutil  # noqa: PLC0415 - for standard input only

    from pytest_vft.temporary import temporary_folder  # noqa: PLC0415 - as above

    with temporary_folder() as folder:
        copy = str(Path(folder, STDIN))
        with Path(copy).open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        for name in _NAMES:
            paths = getattr(arguments, name) or ()
            setattr(arguments, name, [copy if path == STDIN else path for path in paths])
        arguments.config = arguments.config or load_config()
        try:
            yield copy
        except VftError as error:
            raise type(error)(str(error).replace(copy, STDIN)) from error


def with_stdin(report: Report, copy: str) -> Report:
    """Return *report* with "-" in place of the path *copy*."""

    def shown(path: str) -> str:
        return STDIN if path == copy else path

    return replace(
        report,
        files=tuple(file._replace(path=shown(file.path)) for file in report.files),
        findings=tuple(replace(finding, path=shown(finding.path)) for finding in report.findings),
        notes=tuple(note.replace(copy, STDIN) for note in report.notes),
        unsettled=tuple(
            one._replace(places=tuple((shown(path), line) for path, line in one.places))
            for one in report.unsettled
        ),
    )
