"""One example of a file, with its images and findings."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pybase64

from pytest_vft.errors import UsageError
from pytest_vft.formats.base import Chat, DataFormat, ImagePart, KeyPath, pointer
from pytest_vft.formats.registry import load_format
from pytest_vft.reading.files import BYTE_ORDER_MARK, open_file
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.images import measure_image
from pytest_vft.reading.lines import parse_line
from pytest_vft.reading.local_images import LocalImages, image_roots
from pytest_vft.reading.shards import LongLine, Shard, read_lines
from pytest_vft.report.example import ExampleView, ShownImage, render_example
from pytest_vft.runs.config import Config
from pytest_vft.runs.data_formats import with_data_formats
from pytest_vft.runs.lint import run_line
from pytest_vft.runs.settings import Settings, read_settings
from pytest_vft.runs.sources import find_sources
from pytest_vft.text import count
from pytest_vft.writing import replacing

_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tiff"}


def read_example(path: str, line: int, settings: Settings) -> ExampleView:
    """Return line *line*, from 1, of the file at *path*. Raises UsageError if there is none."""
    if type(line) is not int:
        raise UsageError(f"line is {line!r}; expected a whole number")
    if line < 1:
        raise UsageError(f"{path}: no line {line:,}; lines are numbered from 1")
    if Path(path).is_dir():
        raise UsageError(f"{path}: is a folder; expected a file and a line, as in train.jsonl:12")
    source, *others = find_sources(settings.config, [path])
    if others:
        raise UsageError(f"{path}: is {count(len(others) + 1, 'file')}; give one")
    (settings,) = with_data_formats(replace(settings, sources=(source,)))
    (source,) = settings.sources
    path = source.path
    opened = open_file(path)
    if opened.error or opened.container != "JSONL":
        raise UsageError(f"{path}: {opened.error or f'is {opened.container}; expected JSON Lines'}")
    start = len(BYTE_ORDER_MARK) if opened.byte_order_mark else 0
    before = 0
    lines = read_lines(Shard(path, source.split, start, opened.bytes))
    for passed in islice(lines, min(line - 1, sys.maxsize)):
        before += 1
        start += passed.bytes if isinstance(passed, LongLine) else len(passed)
    if start >= opened.bytes:
        raise UsageError(f"{path}: no line {line:,}; the file has {count(before, 'line')}")
    raw = next(lines, b"")
    if isinstance(raw, LongLine):
        raise UsageError(f"{path}: line {line:,} has {count(raw.bytes, 'byte')}, too many to show")
    end = start + len(raw)  # with the newline: without it, a blank line is no line
    raw = raw.removesuffix(b"\n")
    example = parse_line(raw).value
    data_format = load_format(source.data_format, source.layout)
    chat = data_format.read(example)
    shard = Shard(path, source.split, start, end, source.data_format, layout=source.layout)
    folders = image_roots(path, settings.image_roots)
    with closing(LocalImages(folders, ImageStore(full=True), bounded=False)) as files:
        images = dict(_images(data_format, example, chat, files))
    return ExampleView(
        path=path,
        line=line,
        split=source.split,
        bytes=len(raw),
        start=raw[:1_000].decode(errors="replace"),
        chat=chat,
        places=[
            pointer(data_format.place(example, ("messages", position)))
            for position in range(chat.total + chat.alternatives)
        ],
        images=images,
        findings=run_line(settings, shard, line),
        has_wider_rules=any(rule.scope in ("file", "dataset") for rule in settings.rules),
    )


def _images(
    data_format: DataFormat, example: Any, chat: Chat, files: LocalImages
) -> Iterator[tuple[KeyPath, ShownImage]]:
    images = ((message.position, image) for message in chat.messages for image in message.images)
    for number, (position, image) in enumerate(images, 1):
        path = ("messages", position, "content", image.part)
        data = files.read(image.reference) if image.local else None
        yield path, _shown(number, image, pointer(data_format.place(example, path)), data)


def _shown(number: int, image: ImagePart, place: str, data: bytes | None) -> ShownImage:
    measured = None
    if not image.local and image.reference[:5].lower() == "data:":
        with suppress(ValueError):
            data = pybase64.b64decode(image.reference.partition(",")[2], validate=True)
    if data is not None:
        with warnings.catch_warnings(action="ignore"):  # our rules report the same more precisely
            measured = measure_image(data, full=True)
    return ShownImage(number, place, image.reference, image.detail, data, measured)


def show(  # noqa: PLR0913 - all by keyword, each with a default
    path: str | os.PathLike[str],
    line: int,
    *,
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

    The other arguments are those of lint(). The text has no control characters.
    Raises UsageError if the file does not have the line, ConfigError or RuleFileError.
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
    return render_example(read_example(path, line, read_settings(named, path=path)))


def save_images(view: ExampleView, folder: Path) -> Iterator[Path]:
    """Write the images of *view* unchanged into *folder*, and yield their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for shown in view.images.values():
        if shown.data is not None and shown.measured is not None:
            suffix = _SUFFIXES.get(shown.measured.format, ".bin")
            path = folder / f"{Path(view.path).stem}-{view.line}-{shown.number}{suffix}"
            with replacing(path) as file:
                file.write(shown.data)
            yield path
