"""Where the outputs of files are written, and under which names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pytest_vft.errors import UsageError
from pytest_vft.reading.compression import PACKED
from pytest_vft.reading.object_paths import is_object

REJECTED = ".rej"  # follows the name of a file: the examples that were set aside
REASONS = ".rej.csv"  # why they were set aside
ORIGIN = ".origin.csv"  # where each line comes from
SIDE_FILES = (REJECTED, REASONS, ORIGIN)


class OutputTarget(NamedTuple):
    """A folder to write into, and the name there of the output of each input; *in_place* replaces inputs.

    *inputs* are files that are read, and *others* outputs, of which none belongs to one input.
    """

    folder: Path
    names: Mapping[str, str]
    in_place: bool = False
    inputs: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of all outputs."""
        return (*self.names.values(), *self.others)


def output_targets(
    paths: Iterable[str], out: Path | None, suffixes: Mapping[str, str] | None = None
) -> list[OutputTarget]:
    """Return where the outputs of *paths* are written: into *out*, or in place if that is None.

    In *out*, a name ends with what *suffixes* have for its path, if anything. In place, the file that a link
    leads to is replaced, and its side files are beside it. Raises UsageError for two outputs with the same
    name, also if only their case differs, for a file with the name of a side file of another one, and for an
    object, which is not changed in place.
    """
    if out is not None:
        return [OutputTarget(out, _distinct({path: _name(path, suffixes or {}) for path in paths}))]
    paths = list(paths)
    check_in_place(paths)
    folders: dict[str, dict[str, str]] = {}
    for path in paths:
        folder, name = os.path.split(os.path.realpath(path))
        folders.setdefault(folder, {})[path] = name
    return [OutputTarget(Path(folder), _distinct(names), True) for folder, names in folders.items()]


def check_in_place(paths: Iterable[str]) -> None:
    """Raise UsageError if one of *paths* is an object, which is not changed in place."""
    for path in paths:
        if is_object(path):
            raise UsageError(f"{path}: is in object storage, where nothing is changed; --out writes copies")


def make_folder(folder: Path) -> None:
    """Create *folder* and those above it. Raises UsageError that names what is in the way."""
    try:
        _check_way(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
        raise UsageError(
            f"{folder.parent}: cannot be written to: {reason}; make it writable, or give another folder"
        ) from error


def _check_way(folder: Path) -> None:
    """Raise UsageError for a file in place of *folder* or of one above it, or a link that leads nowhere."""
    for path in (folder, *folder.parents):
        if path.is_dir():
            return
        if path.is_symlink() and not path.exists():
            raise UsageError(f"{path}: is a link to {path.readlink()}, which leads nowhere; remove the link")
        if path.exists():
            raise UsageError(f"{path}: is a file; expected a folder")


def url_of(out: Path) -> str:
    """Return *out* as it was written if it was a URL, whose second slash a path does not have."""
    return re.sub(r"^(s3|gs|az):(/|$)", r"\1://", out.as_posix())


def _name(path: str, suffixes: Mapping[str, str]) -> str:
    name = os.path.basename(path)  # noqa: PTH119 - a path as the user wrote it
    if path not in suffixes:
        return name
    stem, end = os.path.splitext(name)  # noqa: PTH122 - as above
    if end.lower() in PACKED:
        stem = os.path.splitext(stem)[0]  # noqa: PTH122 - as above
    return stem + suffixes[path]


def _distinct(names: Mapping[str, str]) -> Mapping[str, str]:
    """Return *names*, by path, if no two files have the same name."""
    taken: dict[str, str] = {}
    for path, name in names.items():
        for written in (name, *(name + suffix for suffix in SIDE_FILES)):
            other = taken.setdefault(written.casefold(), path)
            if other != path:
                raise UsageError(
                    f"{other} and {path}: both would be written to {written}; "
                    "use another folder for one of them"
                )
    return names


def leads_inside(name: str) -> bool:
    """Return whether *name*, with slashes, is that of a file in its folder or in a folder there."""
    return {"", ".", ".."}.isdisjoint(name.split("/"))  # an absolute path starts with ""


def existing(folder: Path, names: Iterable[str]) -> list[str]:
    """Return those of *names*, with slashes, that exist in *folder*, links that lead nowhere included."""
    by_folder: dict[str, list[str]] = {}  # most of a million names are in one folder, which may be missing
    for name in names:
        by_folder.setdefault(name.rpartition("/")[0], []).append(name)
    there = (inside for inner, inside in by_folder.items() if os.path.lexists(folder / inner))
    return [name for inside in there for name in inside if os.path.lexists(f"{folder}/{name}")]


def origins_path(path: str) -> str:
    """Return where the origins of the lines of the file at *path* are, if they are known."""
    return path + ORIGIN
