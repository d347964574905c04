"""The files that a run reads, and their splits."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_vft.errors import ConfigError, UsageError
from pytest_vft.formats.dataset_info import DATASET_INFO, described_files
from pytest_vft.model import Source, Split
from pytest_vft.reading.compression import PACKED
from pytest_vft.reading.object_paths import is_object, is_url, without_password
from pytest_vft.runs.config import Config
from pytest_vft.runs.globs import by_length, find_files
from pytest_vft.text import either

_PLAIN = (".jsonl", ".ndjson")
SUFFIXES = tuple(end + packed for end in _PLAIN for packed in ("", *PACKED))

_SHOWN = 3  # files that a dataset_info.json describes

_WORD = re.compile(r"[^\W\d_]+")
_SPLIT_NAMES: Mapping[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev", "eval"),
    "test": ("test",),
}
_SPLIT = re.compile("|".join(name for names in _SPLIT_NAMES.values() for name in names))


class _Given(NamedTuple):
    """A source, and how it was given.

    *stated* says that its split is neither that of its name nor the default for a file in a folder, and
    *exact* that its file was given by its own path and not by a folder or glob.
    """

    source: Source
    stated: bool
    exact: bool


def find_sources(  # noqa: PLR0913 - all by keyword, each with a default
    config: Config,
    paths: Sequence[str] = (),
    *,
    data: Sequence[str] = (),
    train: Sequence[str] = (),
    validation: Sequence[str] = (),
    test: Sequence[str] = (),
    config_of: Callable[[str], Config] | None = None,
) -> tuple[Source, ...]:
    """Return the files in *paths*, in *data* and in the splits, or those of *config* if none are given.

    Each path is a file, a folder or a glob. A file of *paths* has the split that its configuration states,
    else the split of its name, else train. The same holds for *data*, but there a file that is given by
    its own path is train whatever its name. *config_of* returns the configuration of the file at a path,
    by default *config*. A stated split takes precedence over that of a name, and a file that is given by its
    own path over a folder or glob that holds it. Raises UsageError for a missing file and for a file in two
    splits.
    """
    if not (paths or data or train or validation or test):
        return _configured(config, must_exist=True)
    configured: dict[Path | None, Mapping[Hashable, Split]] = {}

    def given_as(path: str, *, exact: bool, is_train: bool) -> _Given:
        own = config_of(path) if config_of else config
        if own.path not in configured:
            sources = _configured(own, must_exist=False)
            configured[own.path] = {file_identity(one.path): one.split for one in sources}
        known = configured[own.path]
        split = (known.get(file_identity(path)) if known else None) or ("train" if is_train else None)
        named = None if split else split_of_name(path)
        source = Source(path, split or named or "train", split_from_name=named not in (None, "train"))
        stated = split is not None or (exact and not source.split_from_name)  # FILE alone means train
        return _Given(source, stated, exact)

    given = [given_as(path, exact=exact, is_train=False) for path, exact in _expanded(paths)]
    given += [given_as(path, exact=exact, is_train=exact) for path, exact in _expanded(data)]
    given += _in_split(train, "train")
    given += _in_split(validation, "validation")
    given += _in_split(test, "test")
    if len((*paths, *data, *train, *validation, *test)) == 1:  # of which expand() has each file once
        return tuple(one.source for one in given)
    return _distinct(given)


def split_of_name(path: str) -> Split | None:
    """Return the split that whole words of the file name at *path* name; None for no split or for several."""
    name = os.path.basename(path).lower()  # noqa: PTH119 - a Path takes five times the time
    if not _SPLIT.search(name):
        return None
    words = set(_WORD.findall(name))
    splits = [split for split, names in _SPLIT_NAMES.items() if words.intersection(names)]
    return splits[0] if len(splits) == 1 else None


def file_identity(path: str) -> Hashable:
    """Return a value that is the same for all paths of one file, through links as well."""
    if is_object(path):
        return path
    try:
        status = os.stat(path)  # noqa: PTH116 - a path as the user wrote it
    except OSError:
        status = None
    if status is None or not status.st_ino:  # no such file, or a file system without inodes
        return os.path.realpath(path)
    return status.st_dev, status.st_ino


def _in_split(names: Iterable[str], split: Split, folder: str = "") -> Iterator[_Given]:
    for path, exact in _expanded(names, folder):
        yield _Given(Source(path, split), stated=True, exact=exact)


def _distinct(given: Iterable[_Given]) -> tuple[Source, ...]:
    """Return the sources without repeated files. Raises UsageError for a file in two splits."""
    distinct: dict[Hashable, _Given] = {}
    for one in given:
        identity = file_identity(one.source.path)
        first = distinct.setdefault(identity, one)
        if one[1:] > first[1:]:
            distinct[identity] = one
        elif one[1:] == first[1:] and one.source.split != first.source.split:
            splits = f"{first.source.split} and as {one.source.split} split"
            raise UsageError(f"{one.source.path}: is given as {splits}")
    return tuple(one.source for one in distinct.values())


def _configured(config: Config, *, must_exist: bool) -> tuple[Source, ...]:
    """Return the files of *config*. Raises ConfigError for missing files if they *must_exist*."""
    given: list[_Given] = []
    for split, patterns in config.data.items():
        for pattern in patterns:
            try:
                found = list(_in_split([pattern], split, str(config.folder)))
            except UsageError as error:
                if must_exist:
                    raise ConfigError(f"{config.path}: data.{split}: {error}") from None
                continue
            given += [one._replace(source=Source(shown_path(one.source.path), split)) for one in found]
    try:
        return _distinct(given)
    except UsageError as error:
        raise ConfigError(f"{config.path}: data: {error}") from None


def shown_path(path: str) -> str:
    """Return *path*, relative to the current folder if it is inside it."""
    if is_object(path):
        return path
    found, here = Path(path), Path.cwd()
    return str(found.relative_to(here) if found.is_relative_to(here) else found)


def _expanded(names: Iterable[str], folder: str = "") -> Iterator[tuple[str, bool]]:
    """Yield the files of each of *names*, and whether a name is that of the file itself."""
    for name in names:
        paths = expand(name, folder)
        exact = paths == [name if is_object(name) else os.path.join(folder, name)]  # noqa: PTH118 - paths are kept as the user wrote them
        yield from ((path, exact) for path in paths)


def expand(given: str, folder: str = "") -> list[str]:
    """Return the files that *given* names in *folder*: a file, a folder, or a glob, sorted.

    A URL names an object, a folder that ends with /, or a glob. Folders are searched for *.jsonl and
    *.ndjson, compressed or not; hidden files and folders are left out.
    Raises UsageError if there are none.
    """
    if is_object(given):
        from pytest_vft.runs.object_sources import expand_objects  # noqa: PLC0415 - for object storage only

        return expand_objects(given, SUFFIXES)
    path = os.path.join(folder, given)  # noqa: PTH118 - as above
    if os.path.isdir(path):  # noqa: PTH112 - as above
        found = _shortest(_walk(path))
        if not found:
            raise UsageError(f"{given}: the folder has no {' or '.join(_PLAIN)} files")
        return found
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 - as above
        raise UsageError(f"{given}: is not a regular file; write its content to a file")
    if os.path.lexists(path):  # a broken link or unreadable file is a finding
        return _with_examples(given, [path])
    pattern = os.path.join(glob.escape(folder), given)  # noqa: PTH118 - as above
    found = _shortest(find_files(pattern))
    if not found:
        hint = "; objects are named s3://..., gs://... or az://..." if is_url(given) else ""
        raise UsageError(f"{without_password(given)}: no such file{hint}")
    return _with_examples(given, found)


def _with_examples(given: str, paths: Sequence[str]) -> list[str]:
    """Return *paths* without dataset_info.json, which describes other files.

    Raises UsageError, with these files, if nothing else was *given*.
    """
    kept = [path for path in paths if not path.endswith(DATASET_INFO) or described_files(path) is None]
    if not kept:
        files = described_files(paths[0]) or ["the file with the examples"]
        more = f" and {len(files) - _SHOWN:,} more" if len(files) > _SHOWN else ""
        raise UsageError(
            f"{given}: describes datasets and has no examples; give {either(files[:_SHOWN])}{more}"
        )
    return kept


def _shortest(paths: Iterable[str]) -> list[str]:
    """Return *paths* sorted, with the shortest path of each file that has several."""
    distinct: dict[Hashable, str] = {}
    for path in sorted(paths, key=by_length):
        distinct.setdefault(file_identity(path), path)
    return sorted(distinct.values())


def _walk(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield os.path.join(parent, name)  # noqa: PTH118 - as above
