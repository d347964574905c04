"""The unfinished files of a folder, and the moment at which all of them appear.

Files are written below FOLDER/.vft-unfinished. When all are complete, one rename puts a journal there: from
then on the files belong to the folder, and whoever finds the journal moves them. So a process may be killed
at any point: before the journal exists nothing has changed, and after that the next run moves the rest.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from xxhash import xxh3_64_hexdigest

from pytest_vft.errors import UsageError
from pytest_vft.outputs.names import leads_inside
from pytest_vft.regular_files import read_bytes
from pytest_vft.writing import replacing

STAGING = ".vft-unfinished"


class PartRecord(NamedTuple):
    """A part of the output that is complete: its key, its files in the order of publishing, and *facts*.

    *facts* is what the command reports about the part, as JSON has it.
    """

    key: str
    files: tuple[str, ...]
    facts: Mapping[str, Any]


class Staging:
    """The unfinished files of *folder*, of which no other process writes any at the same time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.root = folder / STAGING
        self._files, self._parts, self._journal = (self.root / name for name in ("files", "parts", "journal"))
        self._targets: set[str] = set()  # folders that exist and are no links
        self._check_links()

    def _check_links(self) -> None:
        """Raise UsageError if there is a link, which a stranger may have left and which leads elsewhere."""
        for parent, folders, files in os.walk(self.root):
            for path in (self.root, *(Path(parent, name) for name in (*folders, *files))):
                if path.is_symlink():
                    raise UsageError(f"{path}: is a link; remove it")

    def path(self, name: str) -> Path:
        """Return the place of the unfinished file *name*; the folder of the file exists then."""
        path = self._files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def has(self, name: str) -> bool:
        """Return whether the unfinished file *name* exists."""
        return (self._files / name).is_file()

    def record(self, part: str) -> PartRecord | None:
        """Return the record of *part* if it is complete and its files are there."""
        try:
            record = _as_record(_load(self._place(part)))
        except (OSError, TypeError, ValueError):
            return None
        return record if all(map(self.has, record.files)) else None

    def complete(self, part: str, record: PartRecord) -> None:
        """Write the *record* of *part*, which is complete."""
        self._parts.mkdir(exist_ok=True)
        _dump(self._place(part), record)

    def _place(self, part: str) -> Path:
        return self._parts / xxh3_64_hexdigest(part.encode("utf-8", "surrogatepass"))

    def publish(self, parts: Mapping[str, PartRecord], stale: Iterable[str]) -> None:
        """Remove the files *stale* from the folder, and move the files of *parts* into it, in their order.

        Raises UsageError, and does nothing, if a link leads out of the folder.
        """
        for inner in {name.rpartition("/")[0] for record in parts.values() for name in record.files}:
            self._target(f"{inner}/")
        stale = list(stale)
        _dump(self._journal, {"parts": parts, "stale": stale})
        self._move(parts, stale)

    def roll_forward(self) -> Mapping[str, PartRecord]:
        """Move what the journal lists, and remove all unfinished files; return the parts by name.

        Without a journal nothing is published, moved or removed.
        Raises UsageError for a journal that vft did not write.
        """
        if not os.path.lexists(self._journal):
            return {}
        try:
            journal = _load(self._journal)
            parts = {part: _as_record(record) for part, record in journal["parts"].items()}
            stale = [name for name in journal["stale"] if leads_inside(name)]
        except (LookupError, TypeError, ValueError, AttributeError):
            raise UsageError(f"{self.root}: was not written by vft; remove this folder") from None
        self._move(parts, stale)
        return parts

    def _move(self, parts: Mapping[str, PartRecord], stale: Iterable[str]) -> None:
        """Remove the files *stale*, move the files of *parts* in their order, and remove what is left."""
        for name in stale:
            Path(self._target(name)).unlink(missing_ok=True)
        names = dict.fromkeys(name for record in parts.values() for name in record.files)
        moved = self._move_folders(names)
        for name in names:
            if name.rpartition("/")[0] in moved:
                continue
            with suppress(FileNotFoundError):  # moved before the process was killed
                os.replace(f"{self._files}/{name}", self._target(name))  # noqa: PTH105 - there may be a million
        self._clear()

    def _move_folders(self, names: Iterable[str]) -> set[str]:
        """Move the inner folders of *names* that have no other files, and return those that were moved.

        That is faster than file by file, and works unless the folder exists already with files.
        """
        by_folder: dict[str, set[str]] = {}
        for name in names:
            inner, _, file = name.rpartition("/")
            if inner:
                by_folder.setdefault(inner, set()).add(file)
        moved = set()
        for inner, files in by_folder.items():
            place = f"{self._files}/{inner}"
            with suppress(OSError):
                if set(os.listdir(place)) == files:  # noqa: PTH208 - only the names
                    os.rename(place, self._target(f"{inner}/").rstrip("/"))  # noqa: PTH104 - as below
                    moved.add(inner)
        return moved

    def discard(self) -> None:
        """Remove all unfinished files, and their folder.

        What a journal lists stays: it could not be moved, and the next run tries again.
        """
        if os.path.lexists(self._journal):
            return
        self._clear()
        shutil.rmtree(self.root, ignore_errors=True)

    def _clear(self) -> None:
        for folder in (self._parts, self._files):
            shutil.rmtree(folder, ignore_errors=True)
        self._journal.unlink(missing_ok=True)

    def _target(self, name: str) -> str:
        """Return the place of *name* in the folder. Raises UsageError if a link leads out of the folder."""
        inner = name.rpartition("/")[0]
        if inner not in self._targets:
            parent = self._folder / inner
            if inner and parent.is_symlink():
                raise UsageError(f"{parent}: is a link; expected a folder")
            parent.mkdir(parents=True, exist_ok=True)
            self._targets.add(inner)
        return f"{self._folder}/{name}"


def _load(path: Path) -> Any:
    return json.loads(read_bytes(path))


def _dump(path: Path, value: Any) -> None:
    with replacing(path) as file:
        file.write(json.dumps(value).encode())


def _as_record(value: Any) -> PartRecord:
    """Return *value*, read from JSON, as a record. Raises TypeError or ValueError if it is none."""
    key, files, facts = value
    if not (isinstance(key, str) and isinstance(facts, dict) and all(map(leads_inside, files))):
        raise ValueError(value)
    return PartRecord(key, tuple(files), facts)
