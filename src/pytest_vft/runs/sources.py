"""The files that a run reads, and their splits."""

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
    """Return the files in *paths* and in the splits, or those of the configuration if none are given.

    Each path is a file, a folder or a glob. A file of *paths* has the split that the configuration
    gives it, else train. Raises UsageError for a missing file and for a file in two splits.
    """
    given: list[tuple[str, Split | None]] = [(path, None) for path in paths]
    given += [(path, "train") for path in train]
    given += [(path, "validation") for path in validation]
    given += [(path, "test") for path in test]
    configured = _configured(config, must_exist=not given)
    if not given:
        return configured
    splits: dict[str, Split] = {os.path.realpath(source.path): source.split for source in configured}
    return _distinct(
        Source(path, split or splits.get(os.path.realpath(path), "train"))
        for name, split in given
        for path in expand(name)
    )


def _distinct(sources: Iterable[Source]) -> tuple[Source, ...]:
    """Return *sources* without repeated files. Raises UsageError for a file in two splits."""
    distinct: dict[str, Source] = {}
    for source in sources:
        first = distinct.setdefault(os.path.realpath(source.path), source)
        if first.split != source.split:
            raise UsageError(f"{source.path}: is given as {first.split} and as {source.split} split")
    return tuple(distinct.values())


def _configured(config: Config, *, must_exist: bool) -> tuple[Source, ...]:
    """Return the files of *config*. Raises ConfigError for missing files if they *must_exist*."""
    sources: list[Source] = []
    for split, patterns in config.data.items():
        for pattern in patterns:
            try:
                found = expand(pattern, str(config.folder))
            except UsageError as error:
                if must_exist:
                    raise ConfigError(f"{config.path}: data.{split}: {error}") from None
                continue
            sources += [Source(_shown(path), split) for path in found]
    try:
        return _distinct(sources)
    except UsageError as error:
        raise ConfigError(f"{config.path}: data: {error}") from None


def _shown(path: str) -> str:
    """Return *path*, relative to the current folder if it is inside it."""
    found, here = Path(path), Path.cwd()
    return str(found.relative_to(here) if found.is_relative_to(here) else found)


def expand(given: str, folder: str = "") -> list[str]:
    """Return the files that *given* names in *folder*: a file, a folder, or a glob, sorted.

    Folders are searched for *.jsonl and *.ndjson; hidden files and folders are left out.
    Raises UsageError if there are none.
    """
    path = os.path.join(folder, given)  # noqa: PTH118 - paths are kept as the user wrote them
    if os.path.isdir(path):  # noqa: PTH112 - as above
        found = sorted(_walk(path))
        if not found:
            raise UsageError(f"{given}: the folder has no {' or '.join(SUFFIXES)} files")
        return found
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 - as above
        raise UsageError(f"{given}: is not a regular file; write its content to a file")
    if os.path.lexists(path):  # a broken link or unreadable file is a finding
        return [path]
    pattern = os.path.join(glob.escape(folder), given)  # noqa: PTH118 - as above
    found = sorted(name for name in glob.glob(pattern, recursive=True) if os.path.isfile(name))  # noqa: PTH113, PTH207 - as above
    if not found:
        raise UsageError(f"{given}: no such file")
    return found


def _walk(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(parent, name)  # noqa: PTH118 - as above
