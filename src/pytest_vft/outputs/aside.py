"""Examples that are set aside: FILE.rej has them as they were, FILE.rej.csv why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, NamedTuple

from pytest_vft.errors import UsageError
from pytest_vft.formats.base import DataFormat
from pytest_vft.model import Finding
from pytest_vft.outputs.entries import EntryWriter
from pytest_vft.outputs.folder import OutputPart
from pytest_vft.outputs.names import REASONS, REJECTED
from pytest_vft.reading.entries import FileEntry
from pytest_vft.report.csv import COLUMNS, csv_text, finding_row
from pytest_vft.report.labels import Label, label_of


class DropLimit(NamedTuple):
    """Whether examples may be set aside, and at most how many in one run (None: any number)."""

    drop: bool = False
    most: int | None = None

    def allows(self, number: int) -> bool:
        """Return whether *number* examples may be set aside."""
        return not number or (self.drop and (self.most is None or number <= self.most))


def drop_limit(*, drop: bool, most: int | None) -> DropLimit:
    """Return the limit that --drop and --max-dropped state. Raises UsageError for *most* without *drop*."""
    if most is not None and not drop:
        raise UsageError("--max-dropped has no effect without --drop, which sets examples aside")
    return DropLimit(drop, most)


class Aside:
    """The examples of one input that are set aside; *number* is how many they are."""

    def __init__(self, part: OutputPart, name: str, *, in_array: bool, stack: ExitStack) -> None:
        self.number = 0
        self._part = part
        self._name = name
        self._in_array = in_array
        self._stack = stack
        self._examples: EntryWriter | None = None
        self._reasons: BinaryIO | None = None

    def add(self, entry: FileEntry, findings: Sequence[Finding], form: DataFormat) -> None:
        """Set *entry*, whose data format is *form*, aside because of *findings*, at least one."""
        self.add_entry(entry.pieces())
        self.add_reasons(findings, label_of(entry, form))

    def add_entry(self, pieces: Iterable[bytes]) -> None:
        """Write an entry as it was, given as *pieces*; add_reasons() says why."""
        if self._examples is None:
            file = self._stack.enter_context(self._part.open(self._name + REJECTED))
            self._examples = self._stack.enter_context(EntryWriter(file, in_array=self._in_array))
        self._examples.add(pieces)

    def add_reasons(self, findings: Sequence[Finding], label: Label) -> None:
        """Note *findings*, at least one, because of which an example with *label* is set aside."""
        if not findings:
            raise ValueError("an example is set aside without a reason")
        if self._reasons is None:
            self._reasons = self._stack.enter_context(self._part.open(self._name + REASONS))
            self._reasons.write(csv_text([COLUMNS]).encode())
        self._reasons.write(csv_text(finding_row(finding, label) for finding in findings).encode())
        self.number += 1


@contextmanager
def set_aside(part: OutputPart, name: str, *, in_array: bool = False) -> Iterator[Aside]:
    """Yield what is set aside of the input whose output is *name* in *part*.

    FILE.rej is JSON Lines or, *in_array*, a JSON array. No file is written if nothing is set aside.
    """
    with ExitStack() as stack:
        yield Aside(part, name, in_array=in_array, stack=stack)
