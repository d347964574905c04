"""One example of a file, with its images and findings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pytest_vft.errors import UsageError
from pytest_vft.reading.entries import FileEntry
from pytest_vft.reading.shards import LongLine
from pytest_vft.report.example import ExampleView, render_example
from pytest_vft.runs.config import Config
from pytest_vft.runs.example_file import open_examples
from pytest_vft.runs.settings import Settings, read_settings
from pytest_vft.text import count
from pytest_vft.writing import replacing

_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tiff"}


def read_example(path: str, line: int | None, settings: Settings, element: int | None = None) -> ExampleView:
    """Return the example on *line*, from 1, of the file at *path*, or *element*, from 0, of a JSON array.

    Raises UsageError if there is none.
    """
    _check(path, line, element)
    file = open_examples(path, settings)
    if element is None:
        entry = (_element_on if file.in_array else _line)(file.path, file.entries(), line or 0)
    elif file.in_array:
        entry = _element(file.path, file.entries(), element)
    else:
        raise UsageError(f"{file.path}: is not a JSON array; expected FILE:LINE, as in train.jsonl:12")
    return file.view(entry)


def _check(path: str, line: int | None, element: int | None) -> None:
    if element is not None:
        if line is not None:
            raise UsageError(f"{path}: line and element are given; expected one")
        if type(element) is not int or element < 0:
            raise UsageError(f"element is {element!r}; expected a whole number of at least 0")
    elif type(line) is not int:
        raise UsageError(f"line is {line!r}; expected a whole number")
    elif line < 1:
        raise UsageError(f"{path}: no line {line:,}; lines are numbered from 1")


def _line(path: str, entries: Iterable[FileEntry], line: int) -> FileEntry:
    """Return the entry on *line*. Raises UsageError if there is none."""
    last = 0
    for entry in entries:
        if entry.line == line:
            return entry
        last = entry.line
    raise UsageError(f"{path}: no line {line:,}; the file has {count(last, 'line')}")


def _element(path: str, entries: Iterable[FileEntry], index: int) -> FileEntry:
    """Return the element number *index*, from 0. Raises UsageError if there is none."""
    number = 0
    for number, entry in enumerate(entries, 1):  # noqa: B007 - the number of elements
        if entry.position == index:
            return entry
    raise UsageError(f"{path}: no element #{index:,}; the array has {count(number, 'element')}, from #0")


def _element_on(path: str, entries: Iterable[FileEntry], line: int) -> FileEntry:
    """Return the element that starts on *line*, else the one that contains *line*.

    Raises UsageError if there is none, or if several start there.
    """
    before = first = last = None
    for entry in entries:
        if entry.line > line:
            break
        if entry.line < line:
            before = entry
        else:
            first = first or entry
            last = entry.position
    if first and first.position != last:
        span = f"#{first.position} to #{last}"
        raise UsageError(
            f"{path}: line {line:,} has the elements {span}; name one, as in {path}:#{first.position}"
        )
    found = first or before
    if found is None or not (found is first or _reaches(found, line)):
        raise UsageError(f"{path}: no element on line {line:,}")
    return found


def _reaches(entry: FileEntry, line: int) -> bool:
    """Return whether *entry*, which starts before *line*, contains it."""
    return isinstance(entry.raw, LongLine) or line <= entry.line + entry.raw.count(b"\n")


def show(  # noqa: PLR0913 - all by keyword, each with a default
    path: str | os.PathLike[str],
    line: int | None = None,
    *,
    element: int | None = None,
    data_format: str | None = None,
    provider: str | os.PathLike[str] | None = None,
    model: str | None = None,
    select: str | Sequence[str] | None = None,
    extend_select: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    image_roots: Sequence[str | os.PathLike[str]] = (),
    config: Config | str | os.PathLike[str] | None = None,
) -> str:
    """Return line *line*, from 1, of the file at *path* as text: its messages, images and findings.

    In a JSON array this is the element on the line, or element number *element*, from 0. The other
    arguments are those of lint(). The text has no control characters.
    Raises UsageError if the file does not have the line or the element, ConfigError or RuleFileError.
    """
    named = {
        "data_format": data_format,
        "provider": provider,
        "model": model,
        "select": select,
        "extend_select": extend_select,
        "ignore": ignore,
        "image_root": [os.fspath(root) for root in image_roots],
        "config": config,
    }
    path = os.fspath(path)
    return render_example(read_example(path, line, read_settings(named, path=path), element))


def save_images(view: ExampleView, folder: Path) -> Iterator[Path]:
    """Write the images of *view* unchanged into *folder*, and yield their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for shown in view.images.values():
        if shown.data is not None and shown.measured is not None:
            suffix = _SUFFIXES.get(shown.measured.format, ".bin")
            number = view.line if view.element is None else view.element
            path = folder / f"{Path(view.path).stem}-{number}-{shown.number}{suffix}"
            with replacing(path) as file:
                file.write(shown.data)
            yield path
