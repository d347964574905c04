"""The record of a plan: the requests to create a file or a job, each written down before it is sent.

One process at a time has the record. The last entry about a file or a job counts: `sending` without an id
means that the server may have created it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, get_args

from pytest_vft.errors import UsageError
from pytest_vft.locking import lock
from pytest_vft.regular_files import regular

FORMAT = "vft-record/1"

State = Literal["sending", "created", "refused", "gone"]


class Thing(NamedTuple):
    """A file or a job at the server of *address*.

    *key* is the name of the file at the server, or the hash of the plan.
    """

    kind: Literal["file", "job"]
    key: str
    address: str


class Entry(NamedTuple):
    """What was known of a thing at the time *at*; *id* is its id at the server once it is created.

    *ended* are the ids of jobs from the same plan that had ended when the request was sent.
    """

    at: datetime
    state: State
    id: str | None = None
    ended: Sequence[str] = ()

    @property
    def age(self) -> float:
        """The seconds since the entry was written."""
        return (datetime.now(UTC) - self.at).total_seconds()


class Record:
    """The last entry about each thing; without *file*, entries are in memory only."""

    def __init__(self, path: Path | None = None, file: BinaryIO | None = None) -> None:
        self.path = path
        self._file = file
        self._last: dict[Thing, Entry] = dict(_entries(path, file)) if path and file else {}

    def last(self, thing: Thing) -> Entry | None:
        """Return the last entry about *thing*, None without any."""
        return self._last.get(thing)

    def unsettled(self, thing: Thing) -> Entry | None:
        """Return the entry about *thing* if a request was sent and its outcome is not known."""
        entry = self.last(thing)
        return entry if entry is not None and entry.state == "sending" else None

    def created(self, thing: Thing) -> Entry | None:
        """Return the entry about *thing* if it was created."""
        entry = self.last(thing)
        return entry if entry is not None and entry.state == "created" else None

    def add(self, thing: Thing, state: State, *, id_: str | None = None, ended: Sequence[str] = ()) -> None:
        """Add an entry about *thing*, which is on the disk when this function returns. Raises UsageError."""
        entry = Entry(datetime.now(UTC), state, id_, tuple(ended))
        if self._file is not None:
            at = entry.at.isoformat(timespec="milliseconds")
            data = {"format": FORMAT, **thing._asdict(), **entry._asdict(), "at": at}
            with _explained(self.path, "run the command again, which looks for what was sent"):
                _append(self._file, json.dumps(data).encode() + b"\n")
        self._last[thing] = entry


@contextmanager
def open_record(path: Path, wait: Callable[[], None]) -> Iterator[Record]:
    """Yield the record at *path*, which no other process has meanwhile; it is created unless it exists.

    *wait* is called again and again while another process has the record; it may raise.
    Raises UsageError if the file cannot be written or locked, or is not a record.
    """
    path = path.resolve()
    with _explained(path, "nothing is created without a record. Give --plan=FILE in another folder"):
        file = open(path, "a+b", buffering=0, opener=regular if path.exists() else None)  # noqa: SIM115 - closed below
    with file:
        while not _locked(path, file):
            wait()
        yield Record(path, file)


def _locked(path: Path, file: BinaryIO) -> bool:
    with _explained(path, "nothing is created without a record. Give --plan=FILE on another disk"):
        if not lock(file):
            return False
        _save_name(path)
        return True


@contextmanager
def _explained(path: Path | None, what: str) -> Iterator[None]:
    """Turn OSError into a UsageError that ends with *what*."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{path}: the record cannot be written ({error.strerror}); {what}") from None


def _entries(path: Path, file: BinaryIO) -> Iterator[tuple[Thing, Entry]]:
    """Yield the entries of *file*, oldest first, and cut off an unfinished line.

    An entry is completely written before its request is sent, so nothing was sent for an unfinished line.
    """
    file.seek(0)
    content = file.read()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        file.truncate(end)
    for number, line in enumerate(content[:end].splitlines(), start=1):
        try:
            yield _entry(json.loads(line))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UsageError(
                f"{path}:{number}: is not an entry of a record ({FORMAT}); if the server has no job of this "
                "plan, delete the file"
            ) from None


def _entry(data: Mapping[str, Any]) -> tuple[Thing, Entry]:
    if data["format"] != FORMAT or data["state"] not in get_args(State):
        raise ValueError
    thing = Thing(data["kind"], data["key"], data["address"])
    return thing, Entry(datetime.fromisoformat(data["at"]), data["state"], data["id"], tuple(data["ended"]))


def _append(file: BinaryIO, line: bytes) -> None:
    while line:
        line = line[file.write(line) :]
    os.fsync(file.fileno())


def _save_name(path: Path) -> None:
    """Write the folder of *path* to the disk, so that a new file survives a power failure."""
    if os.name != "posix":
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
