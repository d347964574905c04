"""A file whose examples are shown."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pybase64

from pytest_vft.errors import UsageError
from pytest_vft.formats.base import Chat, DataFormat, ImagePart, KeyPath, pointer
from pytest_vft.formats.registry import URLS_ONLY, load_format
from pytest_vft.model import Finding, Source
from pytest_vft.reading.entries import FileEntry, read_entries
from pytest_vft.reading.files import ARRAY, OpenedFile, open_file
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.images import measure_image
from pytest_vft.reading.local_images import LocalImages, image_roots
from pytest_vft.reading.shards import LongLine
from pytest_vft.report.example import ExampleView, ShownImage
from pytest_vft.runs.data_formats import with_data_formats
from pytest_vft.runs.lint import LintEntry, entry_linter
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.sources import find_sources
from pytest_vft.text import count


@dataclass(frozen=True)
class ExampleFile:
    """A file that can be read, with the settings that apply to it."""

    settings: Settings
    source: Source
    opened: OpenedFile

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.source.path

    @property
    def in_array(self) -> bool:
        """Whether the entries are elements of a JSON array, and not lines."""
        return self.opened.container == ARRAY

    def entries(self) -> Iterator[FileEntry]:
        """Yield the entries of the file. Raises OSError if it cannot be read."""
        return read_entries(self.path, self.source.split, self.opened)

    def view(self, entry: FileEntry, findings: Sequence[Finding] | None = None) -> ExampleView:
        """Return *entry* with its images and *findings*, by default those of rules on the entry alone.

        Raises UsageError if it is too long to be read.
        """
        raw, source = entry.raw, self.source
        if isinstance(raw, LongLine):
            long = count(raw.bytes, "byte")
            raise UsageError(f"{self.path}: line {entry.line:,} has {long}, too many to show")
        raw = raw.removesuffix(b"\n")
        example = entry.parse().value
        data_format = load_format(source.data_format, source.layout)
        chat = data_format.read(example)
        if findings is None:
            findings = self._lint_entry(entry, source)
        folders = image_roots(self.path, self.settings.image_roots)
        with closing(LocalImages(folders, ImageStore(full=True), bounded=False)) as files:
            images = dict(_images(data_format, example, chat, files, entry.prefix))
        return ExampleView(
            path=self.path,
            line=entry.line,
            element=entry.position,
            split=source.split,
            bytes=len(raw),
            start=raw[:1_000].decode(errors="replace"),
            chat=chat,
            places=[
                entry.prefix + pointer(data_format.place(example, ("messages", position)))
                for position in range(chat.total + chat.alternatives)
            ],
            images=images,
            findings=tuple(findings),
            has_wider_rules=any(rule.scope in ("file", "dataset") for rule in self.settings.rules),
        )

    @cached_property
    def _lint_entry(self) -> LintEntry:
        return entry_linter(self.settings)


def open_examples(path: str, settings: Settings) -> ExampleFile:
    """Return the file at *path*. Raises UsageError if it is not one file that can be read."""
    if Path(path).is_dir():
        raise UsageError(f"{path}: is a folder; expected a file and a line, as in train.jsonl:12")
    source, *others = find_sources(settings.config, [path])
    if others:
        raise UsageError(f"{path}: is {count(len(others) + 1, 'file')}; give one")
    (settings,) = with_data_formats(replace(settings, sources=(source,)))
    (source,) = settings.sources
    opened = open_file(source.path)
    if not opened.is_read:
        raise UsageError(f"{source.path}: {opened.error or f'is {opened.container}; expected JSON Lines'}")
    return ExampleFile(settings, source, opened)


def _images(
    data_format: DataFormat, example: Any, chat: Chat, files: LocalImages, prefix: str
) -> Iterator[tuple[KeyPath, ShownImage]]:
    images = ((message.position, image) for message in chat.messages for image in message.images)
    for number, (position, image) in enumerate(images, 1):
        path = ("messages", position, "content", image.part)
        data = files.read(image.reference) if image.local else None
        shown = _shown(number, image, prefix + pointer(data_format.place(example, path)), data)
        yield path, shown._replace(has_detail=data_format.name in URLS_ONLY)


def _shown(number: int, image: ImagePart, place: str, data: bytes | None) -> ShownImage:
    measured = None
    if not image.local and image.reference[:5].lower() == "data:":
        with suppress(ValueError):
            data = pybase64.b64decode(image.reference.partition(",")[2], validate=True)
    if data is not None:
        with warnings.catch_warnings(action="ignore"):  # our rules report the same more precisely
            measured = measure_image(data, full=True)
    return ShownImage(number, place, image.reference, image.detail, data, measured)
