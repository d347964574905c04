"""The folder that a command writes into: all its files appear when everything is written, or none does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from xxhash import xxh3_64_intdigest

from pytest_vft.errors import UsageError
from pytest_vft.locking import lock
from pytest_vft.outputs.names import SIDE_FILES, OutputTarget, existing, make_folder
from pytest_vft.outputs.staging import STAGING, PartRecord, Staging
from pytest_vft.reading.object_paths import is_pinned
from pytest_vft.regular_files import read_bytes


class FileState(NamedTuple):
    """What shows that a file was not changed: size, time of change in nanoseconds, device and inode."""

    size: int
    mtime_ns: int
    device: int
    inode: int


def file_state(path: str | Path) -> FileState | None:
    """Return the state of the file at *path*; None if there is no such file.

    That of an object in object storage is made of its ETag and URL.
    """
    if isinstance(path, str) and is_pinned(path):
        etag, url = (xxh3_64_intdigest(text.encode("utf-8", "surrogatepass")) for text in (path.etag, path))
        return FileState(path.size, etag, 0, url)
    try:
        found = os.stat(path)  # noqa: PTH116 - a path as the user wrote it
    except (OSError, ValueError):
        return None
    return FileState(found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino)


class OutputPart:
    """A part of the output that is being written: for example, all that is made of one input.

    *facts* is for the command, which finds them in the record of the part: values that JSON has. *files* are
    the names of the files that are complete.
    """

    def __init__(self, folder: Path, staging: Staging) -> None:
        self.facts: dict[str, Any] = {}
        self.files: list[str] = []
        self._folder = folder
        self._staging = staging

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Yield a binary file that becomes *name* in the folder."""
        with self._staging.path(name).open("wb") as file:
            yield file
        self.files.append(name)

    def place(self, name: str) -> Path:
        """Return the place of the unfinished file *name*, for another process to write; see add()."""
        return self._staging.path(name)

    def add(self, names: Iterable[str]) -> None:
        """Note that the files *names* are complete, each at its place()."""
        self.files.extend(names)

    def add_once(self, name: str, content: bytes) -> None:
        """Write *content* to *name*, which no other content has, unless it is in the folder already."""
        if _has_content(self._folder / name, content):
            return
        path = self._staging.path(name)
        if not _has_content(path, content):
            unfinished = self._staging.path(f"{name}.tmp")
            unfinished.write_bytes(content)
            unfinished.replace(path)
        self.files.append(name)


class OutputFolder:
    """The folder of *target* while parts are written that appear there together; see output_folder().

    Without *force* an existing file is an error; in place, inputs are replaced, but nothing else.
    """

    def __init__(self, target: OutputTarget, staging: Staging, *, force: bool) -> None:
        self._target = target
        self._staging = staging
        self._force = force and not target.in_place
        self._published = staging.roll_forward()
        self._parts: dict[str, PartRecord] = {}
        self._extended: set[str] = set()
        self._states = {path: file_state(path) for path in (*target.names, *target.inputs)}
        known = {name for record in self._published.values() for name in record.files}
        names = [name for name in target.outputs if name not in known]
        if target.in_place:
            self._check_writable()
        else:
            self._check_not_inputs()
            self._check_new([*names, *(f"{name}{suffix}" for name in names for suffix in SIDE_FILES)])

    @property
    def path(self) -> Path:
        """The path of the folder."""
        return self._target.folder

    @property
    def names(self) -> Mapping[str, str]:
        """The names of the outputs by the paths of the inputs."""
        return self._target.names

    @property
    def files(self) -> Iterator[str]:
        """The names of the files of all parts."""
        return (name for record in self._parts.values() for name in record.files)

    def extend(self, names: Iterable[str]) -> None:
        """Note that the new files *names* keep what existing files of these names have besides."""
        self._extended.update(names)

    def finished(self, part: str, key: str, *, kept: bool = True) -> Mapping[str, Any] | None:
        """Return the facts of *part* if an interrupted run completed it with the same *key*, else None.

        See part() for *kept*.
        """
        record = self._published.get(part) or self._staging.record(part)
        if record is None or record.key != key:
            return None
        if kept:
            self._parts[part] = record
        return record.facts

    @contextmanager
    def part(self, part: str, key: str, *, kept: bool = True) -> Iterator[OutputPart]:
        """Yield *part*, to be written; it is complete if the block ends without an exception.

        A part that is not *kept* is material for others, and its files do not appear in the folder.
        """
        written = OutputPart(self.path, self._staging)
        yield written
        data = set(self._target.outputs)
        files = sorted(dict.fromkeys(written.files), key=data.__contains__)  # data appears last
        record = PartRecord(key, tuple(files), written.facts)
        if kept:
            self._parts[part] = record
        self._staging.complete(part, record)

    def place(self, name: str) -> Path:
        """Return the place of the unfinished file *name*, for a part that is not written yet."""
        return self._staging.path(name)

    def publish(self) -> None:
        """Let the files of all parts appear, and remove older side files of the same data.

        Raises UsageError, and nothing is written, for a file that exists already, or if an input has changed.
        """
        new = {part: one for part, one in self._parts.items() if self._published.get(part) != one}
        files = {name for record in new.values() for name in record.files}
        for path, state in self._states.items():
            if file_state(path) != state:
                raise UsageError(f"{path}: has changed since it was read; nothing was written, so run again")
        if self._target.in_place:
            replaced = files.intersection(self.names.values())
            self._check_new(sorted(files - replaced))
            for name in replaced:
                _take_after(self._staging.path(name), self.path / name)
            self._staging.publish(new, ())
            return
        self._check_new(sorted(files))
        written = files.intersection(self._target.outputs)
        beside = {f"{name}{suffix}" for name in written for suffix in SIDE_FILES}
        self._staging.publish(new, sorted(beside - files))

    def _check_new(self, names: Sequence[str]) -> None:
        """Raise UsageError if one of *names* exists, unless files may be replaced, or is a folder."""
        found = [self.path / name for name in existing(self.path, names)]
        for path in found:
            if path.is_dir():
                raise UsageError(f"{path}: is a folder; expected a file, or nothing")
        if found and not self._force:
            more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
            step = "move it to another place first" if self._target.in_place else "--force replaces it"
            if self._extended.issuperset(path.name for path in found):
                step = "--force adds to it, and keeps what it has of other files"
            raise UsageError(f"{found[0]}: exists already{more}; {step}")

    def _check_not_inputs(self) -> None:
        """Raise UsageError if an output is an input, through links as well."""
        inputs = {state[2:]: path for path, state in self._states.items() if state}
        for name in self._target.outputs:
            state = file_state(self.path / name)
            if state and state[2:] in inputs:
                raise UsageError(f"{inputs[state[2:]]}: this file is read; write to another folder")

    def _check_writable(self) -> None:
        """Raise UsageError for an input that is read-only, although a new file could take its place."""
        for path in self.names:
            if not os.access(path, os.W_OK):
                raise UsageError(f"{path}: is read-only; make it writable, or write to another folder")


def finish_interrupted(folder: Path, *, discard: bool = False) -> None:
    """Let all files appear in *folder* if an interrupted run has begun to, unless another process does so.

    If *discard*, other unfinished files are removed as well.
    """
    if not (folder / STAGING).is_dir():
        return
    staging = Staging(folder)
    with (staging.root / "lock").open("ab") as file:
        if lock(file):
            staging.roll_forward()
            if discard:
                staging.discard()


@contextmanager
def output_folder(target: OutputTarget, *, force: bool = False) -> Iterator[OutputFolder]:
    """Yield the folder of *target*, which is created if it is missing, locked for this process.

    Before that, what an interrupted run has published is completed. Unless publish() is called in the block,
    nothing is written. A process that is killed, or interrupted with Ctrl-C, leaves the parts that are
    complete, and the next run can take them with finished(); after another exception nothing is left.
    Raises UsageError if an output is an input or exists already, unless *force* is given, and if another
    process writes into the folder or the folder cannot be made; OSError if a file cannot be written.
    """
    folder = target.folder
    missing = [one for one in (folder, *folder.parents) if not os.path.exists(one)]  # noqa: PTH110 - of any length
    staging = Staging(folder)
    make_folder(staging.root)
    with (staging.root / "lock").open("ab") as file:
        if not (lock(file) and os.path.samestat(os.fstat(file.fileno()), Path(file.name).stat())):
            raise UsageError(f"{folder}: another process writes into this folder; wait until it ends")
        try:
            yield OutputFolder(target, staging, force=force)
        except Exception:
            staging.discard()
            raise
        else:
            staging.discard()
        finally:
            for one in missing:
                with suppress(OSError):  # it has files
                    one.rmdir()


def _has_content(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and read_bytes(path) == content
    except OSError:
        return False


def _take_after(path: Path, original: Path) -> None:
    """Give the file at *path* mode and owner of *original*, and have the disk store its content.

    It is about to take the place of the only copy.
    """
    status = original.stat()
    path.chmod(status.st_mode & 0o7777)
    if hasattr(os, "chown"):
        with suppress(PermissionError):
            os.chown(path, status.st_uid, status.st_gid)
    with path.open("rb+") as file:
        os.fsync(file.fileno())
