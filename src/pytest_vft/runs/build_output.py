"""The outputs of a build: pieces by shard, which an interrupted run keeps, and the files made of them."""

from __future__ import annotations

import csv
import io
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pytest_vft.converting.entries import shard_entries
from pytest_vft.converting.files import open_lines
from pytest_vft.evaluation.truths import COLUMNS
from pytest_vft.model import Finding
from pytest_vft.outputs.aside import set_aside
from pytest_vft.outputs.folder import OutputFolder, OutputPart
from pytest_vft.outputs.origin import Origins, origins
from pytest_vft.reading.lines import parse_line
from pytest_vft.reading.shards import LongLine
from pytest_vft.report.labels import Label
from pytest_vft.runs.build_survey import Arrangement, TableSurvey
from pytest_vft.tables.columns import BadCellError, Column, Columns, as_text
from pytest_vft.tables.files import RowFile
from pytest_vft.tables.groups import GroupedRow
from pytest_vft.tables.plan import BuildPlan, RowsTask, WrittenRows
from pytest_vft.tables.spool import read_csv
from pytest_vft.tables.work import write_rows

if TYPE_CHECKING:
    from concurrent.futures import Executor

RULE = "build"  # in place of a rule in FILE.rej.csv
_PIECE = "pieces"
_COPIED = 1024 * 1024  # bytes


@dataclass(slots=True)
class BuildTotals:
    """What was written: numbers of examples by split, numbers by kind, and why rows were refused later.

    *refused* is by table and row.
    """

    examples: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    refused: dict[tuple[int, int], str] = field(default_factory=dict)
    images: dict[str, None] = field(default_factory=dict)
    side_files: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """Return these values as JSON has them; see from_facts()."""
        refused = [[*place, why] for place, why in self.refused.items()]
        return {name: getattr(self, name) for name in self.__slots__} | {"refused": refused, "images": {}}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> BuildTotals:
        """Return what was written with *facts*, which facts() returned and JSON has kept."""
        counters = {name: Counter(facts[name]) for name in ("examples", "losses", "changes")}
        refused = {(table, row): why for table, row, why in facts["refused"]}
        return cls(**{**facts, **counters, "refused": refused})


class Pieces:
    """The pieces of outputs: those of each shard of *surveys* in *folder*, with what was written of it.

    *key* is that of all that decides what is written.
    """

    def __init__(self, folder: OutputFolder, key: str, surveys: Sequence[TableSurvey]) -> None:
        self.key = key
        self.surveys = surveys
        self._folder = folder
        self._written: list[list[WrittenRows]] = []

    def write(
        self,
        plans: Sequence[BuildPlan],
        arrangement: Arrangement,
        executor: Executor | None,
        watch: Callable[[int], None],
    ) -> None:
        """Write the rows by *plans*, one for each table, except pieces that are complete already."""
        example = 0
        for number, (one, plan, codes) in enumerate(zip(self.surveys, plans, arrangement.codes, strict=True)):
            tasks: list[RowsTask] = []
            found: dict[int, WrittenRows] = {}
            for at, (shard, start, end) in enumerate(one.shards()):
                name = f"{_PIECE}/{number}-{at}"
                facts = self._folder.finished(name, self.key, kept=False)
                if facts is not None:
                    found[at] = WrittenRows.from_facts(facts)
                else:
                    place = str(self._folder.place(name))
                    tasks.append(RowsTask(shard, example, bytes(codes[start:end]), place))
                example += sum(examples_in(row) for row in one.rows[start:end])
            todo = [at for at in range(len(one.sizes)) if at not in found]
            for at, task, written in zip(todo, tasks, write_rows(tasks, plan, executor), strict=True):
                name = f"{_PIECE}/{number}-{at}"
                with self._folder.part(name, self.key, kept=False) as part:
                    part.facts |= written.facts()
                    part.add(f"{name}.{split}" for split in written.lines)
                found[at] = written
                watch(int((task.shard.end - task.shard.start) * (1 + one.table.share)))
            self._written.append([found[at] for at in range(len(one.sizes))])

    def total(self) -> BuildTotals:
        """Return the sums of all pieces."""
        total = BuildTotals()
        for number, (one, pieces) in enumerate(zip(self.surveys, self._written, strict=True)):
            for (_, start, _), piece in zip(one.shards(), pieces, strict=True):
                total.examples.update({split: len(rows) for split, rows in piece.lines.items()})
                total.losses.update(piece.losses)
                total.changes.update(piece.changes)
                total.refused |= {(number, start + at): why for at, why in piece.refused.items()}
                total.images |= dict.fromkeys(piece.images)
        return total

    def join(self, split: str, name: str, part: OutputPart) -> None:
        """Write the output *name* of *split*, and where its lines come from; its pieces are gone then."""
        with open_lines(part, name) as data, origins(part, name) as lines:
            for number, (one, pieces) in enumerate(zip(self.surveys, self._written, strict=True)):
                for at, ((_, start, _), piece) in enumerate(zip(one.shards(), pieces, strict=True)):
                    rows = piece.lines.get(split)
                    if rows:
                        self._append(self._folder.place(f"{_PIECE}/{number}-{at}.{split}"), data)
                        _add_origins(one.table, start, rows, lines)

    def truths(self) -> Iterator[tuple[str | None, Sequence[str]]]:
        """Yield id and accepted answers of each line of the test split."""
        for pieces in self._written:
            for piece in pieces:
                yield from piece.truths

    def _append(self, piece: Path, data: BinaryIO) -> None:
        with piece.open("rb") as file:
            shutil.copyfileobj(file, data, _COPIED)
        piece.unlink()


def examples_in(row: GroupedRow | str | None) -> int:
    """Return by how many a row moves the number of the next example: a row that is refused by one."""
    if isinstance(row, GroupedRow):
        return row.examples
    return 0 if row is None else 1


def _add_origins(table: RowFile, start: int, rows: Sequence[int], lines: Origins) -> None:
    for row in rows:
        lines.add(table.path, table.place(start + row))


def write_truths(part: OutputPart, name: str, truths: Iterator[tuple[str | None, Sequence[str]]]) -> None:
    """Write *name*: line, id and accepted answers of the test split, an answer a row, as they are."""
    with part.open(name) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        table = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        table.writerow(COLUMNS)
        for line, (id_, answers) in enumerate(truths, 1):
            table.writerows((line, "" if id_ is None else id_, answer) for answer in answers)
        text.detach()


def write_rejected(
    part: OutputPart, name: str, survey: TableSurvey, refused: Mapping[int, str], columns: Columns
) -> None:
    """Set the rows *refused* of the table of *survey* aside in *name* with .rej: as they were, and why."""
    table = survey.table
    with set_aside(part, name, in_array=table.cut.is_array) as aside:
        texts = _csv_rows(table, refused)
        for shard, start, end in survey.shards():
            if refused.keys().isdisjoint(range(start, end)):
                continue
            for number, entry in enumerate(shard_entries(shard), start):
                if number not in refused:
                    continue
                if texts is not None:
                    aside.add_entry([next(texts)])
                elif not isinstance(entry.raw, LongLine):
                    aside.add_entry([entry.raw])
                finding = Finding(
                    rule=RULE,
                    severity="error",
                    path=table.path,
                    line=table.line(number),
                    pointer="",
                    message=refused[number],
                    advice="",
                )
                aside.add_reasons([finding], _label(entry.raw, columns))


def _csv_rows(table: RowFile, refused: Mapping[int, str]) -> Iterator[bytes] | None:
    """Return the rows *refused* of a CSV file as they are written, the first after the names of columns."""
    if table.lines is None:
        return None
    rows = read_csv(table.path)
    names = next(rows).text
    texts = [row.text for number, row in enumerate(rows) if number in refused]
    return iter([(names + text if not at else text).encode() for at, text in enumerate(texts)])


def _label(raw: bytes | LongLine, columns: Columns) -> Label:
    row = parse_line(raw).value
    if not isinstance(row, dict):
        return Label()
    found = [_value(columns.id, row), _value(columns.question, row), _value(columns.image, row)]
    id_, question, image = ("" if value is None else as_text(value) for value in found)
    return Label(id_, question, {"": "" if image.startswith("{") else image})


def _value(column: Column | None, row: Mapping[str, Any]) -> Any:
    try:
        return None if column is None else column.values(row, 0)
    except BadCellError:
        return None
