"""Which files a run reads, and which split each of them is."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pytest_vft.errors import ConfigError, UsageError
from pytest_vft.model import Source, Split
from pytest_vft.runs.config import Config

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
    configured = _configured(config, wanted=not named)
    if not named:
        return configured
    splits: dict[str, Split] = {os.path.realpath(source.path): source.split for source in configured}
    return _distinct(
        Source(path, split or splits.get(os.path.realpath(path), "train"))
        for given, split in named
        for path in expand(given)
    )


def _distinct(sources: Iterable[Source]) -> tuple[Source, ...]:
    """Return *sources*, each file once. Raises UsageError for a file in two splits."""
    distinct: dict[str, Source] = {}
    for source in sources:
        first = distinct.setdefault(os.path.realpath(source.path), source)
        if first.split != source.split:
            raise UsageError(f"{source.path}: is given as {first.split} and as {source.split} split")
    return tuple(distinct.values())


def _configured(config: Config, *, wanted: bool) -> tuple[Source, ...]:
    """Return the files that *config* names; when they are not *wanted*, those of them that there are."""
    sources: list[Source] = []
    for split, patterns in config.data.items():
        for pattern in patterns:
            try:
                found = expand(pattern, str(config.folder))
            except UsageError as error:
                if wanted:
                    raise ConfigError(f"{config.path}: data.{split}: {error}") from None
                continue
            sources += [Source(_shown(path), split) for path in found]
    try:
        return _distinct(sources)
    except UsageError as error:
        raise ConfigError(f"{config.path}: data: {error}") from None


def _shown(path: str) -> str:
    """Return *path* relative to the current folder when it is below it."""
    found, here = Path(path), Path.cwd()
    return str(found.relative_to(here) if found.is_relative_to(here) else found)


def expand(given: str, folder: str = "") -> list[str]:
    """Return the files that *given* stands for, in *folder*: a file, a folder, or a glob, sorted.

    Folders are searched for *.jsonl and *.ndjson; hidden files and folders are left out.
    """
    path = os.path.join(folder, given)  # noqa: PTH118 - paths are kept as the user wrote them
    if os.path.isdir(path):  # noqa: PTH112 - as above
        found = sorted(_walk(path))
        if not found:
            raise UsageError(f"{given}: no {' or '.join(SUFFIXES)} file in this folder")
        return found
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 - as above
        raise UsageError(f"{given}: is no regular file; write what it yields to one")
    if os.path.lexists(path):  # a link to nothing is a finding, as is what cannot be read
        return [path]
    pattern = os.path.join(glob.escape(folder), given)  # noqa: PTH118 - as above
    found = sorted(name for name in glob.glob(pattern, recursive=True) if os.path.isfile(name))  # noqa: PTH113, PTH207 - as above
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
