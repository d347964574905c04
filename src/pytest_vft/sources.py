"""Which files a run reads, and which split each of them is."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pytest_vft.config import Config
from pytest_vft.errors import UsageError
from pytest_vft.model import Source, Split

SUFFIXES = (".jsonl", ".ndjson")


def find_sources(
    config: Config,
    paths: Sequence[str] = (),
    *,
    train: Sequence[str] = (),
    validation: Sequence[str] = (),
    test: Sequence[str] = (),
) -> tuple[Source, ...]:
    """Return the files to read; those that the configuration names when none is given.

    Each of *paths* is a file, a folder or a glob. What is given without a split has the one that
    the configuration names for it, else train.
    Raises UsageError for what does not exist, and for a file in two splits.
    """
    named: list[tuple[str, Split | None]] = [(path, None) for path in paths]
    named += [(path, "train") for path in train]
    named += [(path, "validation") for path in validation]
    named += [(path, "test") for path in test]
    configured = {os.path.realpath(source.path): source.split for source in _configured(config)}
    if not named:
        return tuple(_configured(config))
    sources: dict[str, Source] = {}
    for given, split in named:
        for path in expand(given):
            real = os.path.realpath(path)
            source = Source(path, split or configured.get(real, "train"))
            first = sources.setdefault(real, source)
            if first.split != source.split:
                raise UsageError(f"{path}: is given as {first.split} and as {source.split} split")
    return tuple(sources.values())


def _configured(config: Config) -> Iterator[Source]:
    for split, patterns in config.data.items():
        for pattern in patterns:
            for path in expand(_shown(config.folder / pattern)):
                yield Source(path, split)


def _shown(path: Path) -> str:
    """Return *path* relative to the current folder when it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def expand(given: str) -> list[str]:
    """Return the files that *given* stands for: a file, a folder, or a glob, sorted.

    Folders are searched for *.jsonl and *.ndjson; hidden files and folders are left out.
    """
    if os.path.isdir(given):  # noqa: PTH112 - paths are kept as the user wrote them
        found = sorted(_walk(given))
        if not found:
            raise UsageError(f"{given}: no {' or '.join(SUFFIXES)} file in this folder")
        return found
    if os.path.lexists(given):
        return [given]
    found = sorted(path for path in glob.glob(given, recursive=True) if os.path.isfile(path))  # noqa: PTH113, PTH207 - as above
    if not found:
        raise UsageError(f"{given}: no such file")
    return found


def _walk(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = _visible(folders)
        for name in _visible(files):
            if name.lower().endswith(SUFFIXES):
                yield os.path.join(parent, name)  # noqa: PTH118 - as above


def _visible(names: Iterable[str]) -> list[str]:
    return [name for name in names if not name.startswith(".")]
