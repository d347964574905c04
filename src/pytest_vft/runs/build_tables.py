"""A build in a folder: tables, survey, splits, pieces and files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from xxhash import xxh3_128

from pytest_vft.checking.processes import processes, usable_cpus
from pytest_vft.converting.entries import Payloads, ShardEntry, shard_entries
from pytest_vft.converting.files import PARQUET_SUFFIX
from pytest_vft.converting.images import ImagePlacer
from pytest_vft.evaluation.truths import TRUTHS
from pytest_vft.formats.base import ImagePart
from pytest_vft.formats.conversation import ChatTurn, NotConvertedError
from pytest_vft.model import Split
from pytest_vft.outputs.folder import OutputFolder, output_folder
from pytest_vft.outputs.keys import part_key
from pytest_vft.outputs.names import OutputTarget
from pytest_vft.reading.remote import Watch, counted
from pytest_vft.report.build import BuiltDataset
from pytest_vft.runs.build_output import BuildTotals, Pieces, examples_in, write_rejected, write_truths
from pytest_vft.runs.build_plans import (
    BuildFolders,
    BuildForm,
    BuildSetup,
    find_columns,
    find_form,
    make_build_plan,
)
from pytest_vft.runs.build_request import BuildRequest
from pytest_vft.runs.build_result import build_result, input_names
from pytest_vft.runs.build_survey import Arrangement, TableSurvey, arrange, refuse_repeated_ids, survey
from pytest_vft.runs.conversion_bodies import fetch_bodies
from pytest_vft.runs.side_files import side_files
from pytest_vft.tables.columns import Columns
from pytest_vft.tables.files import RowFile, cut_by_work, first_rows
from pytest_vft.tables.jpegs import as_jpeg
from pytest_vft.tables.rows import RowExample, read_row
from pytest_vft.tables.shard import TEST, RowWriter
from pytest_vft.tables.survey import row_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

_DATA = "data"  # the part of the output that is published


def build_tables(
    request: BuildRequest, tables: Sequence[RowFile], watch: Watch | None = None
) -> BuiltDataset:
    """Build examples of the rows of *tables*; the result is not checked.

    Raises UsageError, ConfigError, LintError if a worker dies, and OSError.
    """
    rows = [first_rows(table) for table in tables]
    columns = find_columns(request, [row for some in rows for row in some], tables[0].path)
    roots = request.settings.image_roots
    tables = [
        cut_by_work(table, columns.image, some, roots) for table, some in zip(tables, rows, strict=True)
    ]
    work = sum(table.work for table in tables)
    with ExitStack() as stack:
        temporary = stack.enter_context(TemporaryDirectory(prefix="vft-"))
        executor = stack.enter_context(processes(request.settings.jobs or usable_cpus(), work))
        count = counted(watch, 2 * work)
        guessed = find_form(request, tables, ())
        ends = PARQUET_SUFFIX if guessed.is_parquet else ".jsonl"
        names = {split: f"{split}{ends}" for split in request.splits}
        target = OutputTarget(
            request.out,
            {},
            inputs=tuple(table.path for table in tables if not table.is_encoded),
            others=tuple(names.values()),
        )
        folder = stack.enter_context(output_folder(target, force=request.force))
        build = _Build(request, tables, columns, folder, executor)
        surveys, setup = build.survey(guessed, temporary, watch, count)
        return build.write(surveys, setup, names, count)


class _Build:
    """A build of *tables* in *folder*."""

    def __init__(
        self,
        request: BuildRequest,
        tables: Sequence[RowFile],
        columns: Columns,
        folder: OutputFolder,
        executor: Executor | None,
    ) -> None:
        self._request = request
        self._tables = tables
        self._columns = columns
        self._folder = folder
        self._executor = executor

    def survey(
        self, form: BuildForm, temporary: str, watch: Watch | None, count: Callable[[int], None]
    ) -> tuple[list[TableSurvey], BuildSetup]:
        """Return the surveys of all tables, and their setup.

        There is a second survey if images are to be fetched, or are in buckets of which another form decides
        what is read; what becomes of other images is not for a survey.
        """
        request = self._request
        staged, out = str(self._folder.place("images/x").parents[1]), str(self._folder.path)
        folders = BuildFolders(staged=staged, out=out)
        while True:
            setup = BuildSetup(request, self._columns, form, folders)
            surveys = [
                survey(table, make_build_plan(setup, table), self._executor, count) for table in self._tables
            ]
            transports = {kind for one in surveys for kind in one.transports}
            found = find_form(request, self._tables, transports)
            urls = {url for one in surveys for url in one.urls} if found.images != "keep" else set()
            is_known = found == form or transports <= {"file", "data"}
            if is_known and (not urls or folders.bodies is not None):
                return surveys, replace(setup, form=found)
            form, bodies = found, fetch_bodies(request.settings, urls, temporary, watch)
            folders = BuildFolders(staged=staged, out=out, bodies=temporary, causes=bodies.causes)

    def write(
        self,
        surveys: Sequence[TableSurvey],
        setup: BuildSetup,
        names: Mapping[Split, str],
        count: Callable[[int], None],
    ) -> BuiltDataset:
        """Write the rows of *surveys* to the files *names*, and return what was done."""
        request = self._request
        refuse_repeated_ids(surveys)
        refused = _refused(surveys)
        if not request.limit.allows(len(refused)):
            return build_result(setup, surveys, names, BuildTotals(refused=refused), None)
        arrangement, shots = self._arranged(surveys, setup)
        refused = _refused(surveys)
        plans = [make_build_plan(setup, table, shots) for table in self._tables]
        key = self._key(surveys, setup, arrangement)
        facts = self._folder.finished(_DATA, key)
        if facts is None:
            pieces = Pieces(self._folder, key, surveys)
            pieces.write(plans, arrangement, self._executor, count)
            written = pieces.total()
            written.refused = {**refused, **written.refused}
            if not request.limit.allows(len(written.refused)):
                return build_result(setup, surveys, names, written, None)
            self._write_files(setup, names, pieces, written)
        else:
            written = BuildTotals.from_facts(facts)
        self._folder.publish()
        return build_result(setup, surveys, names, written, arrangement)

    def _arranged(
        self, surveys: Sequence[TableSurvey], setup: BuildSetup
    ) -> tuple[Arrangement, tuple[ChatTurn, ...]]:
        """Return the splits of rows, and the turns that are shown; a row that cannot be shown is refused."""
        while True:
            arrangement = arrange(self._request, surveys)
            shots: list[ChatTurn] = []
            for table, row in arrangement.shown:
                try:
                    shots += _shot(setup, surveys, table, row)
                except NotConvertedError as error:
                    surveys[table].rows[row] = str(error)
                    break
            else:
                return arrangement, tuple(shots)

    def _write_files(
        self,
        setup: BuildSetup,
        names: Mapping[Split, str],
        pieces: Pieces,
        written: BuildTotals,
    ) -> None:
        form, surveys = setup.form, pieces.surveys
        with self._folder.part(_DATA, pieces.key) as part:
            for split, name in names.items():
                pieces.join(split, name, part)
            if TEST in names:
                write_truths(part, f"{TEST}{TRUTHS}", pieces.truths())
            for number, (one, name) in enumerate(zip(surveys, input_names(surveys), strict=True)):
                of_table = {row: why for (table, row), why in written.refused.items() if table == number}
                write_rejected(part, name, one, of_table, self._columns)
            trained = [name for split, name in names.items() if split != TEST]
            sides = side_files(form.data_format, form.train, trained, self._folder.path)
            self._folder.extend(sides)
            for name, content in sides.items():
                with part.open(name) as file:
                    file.write(content)
            written.side_files = list(sides)
            part.add(written.images)
            part.facts |= written.facts()

    def _key(self, surveys: Sequence[TableSurvey], setup: BuildSetup, arrangement: Arrangement) -> str:
        """Return a key of all that decides what is written: rows, images, splits and settings."""
        request = self._request
        rows = xxh3_128(b"".join(map(bytes, arrangement.codes)))
        for one in surveys:
            rows.update(repr(one.rows).encode("utf-8", "surrogatepass"))
        states = [table.key or part_key(table.path) for table in self._tables]
        options = {name: value for name, value in request.options.items() if name not in ("jobs", "force")}
        return part_key("", states, rows.hexdigest(), setup.form, options, request.system)


def _refused(surveys: Sequence[TableSurvey]) -> dict[tuple[int, int], str]:
    return {(table, row): why for table, one in enumerate(surveys) for row, why in one.refused().items()}


def _shot(
    setup: BuildSetup, surveys: Sequence[TableSurvey], table: int, row: int
) -> tuple[ChatTurn, ChatTurn]:
    """Return question and answer of the first example in a row, for the examples of all splits.

    Raises NotConvertedError if the target refuses the example.
    """
    one = surveys[table]
    shard, start = next((shard, start) for shard, start, end in one.shards() if start <= row < end)
    entry: ShardEntry = next(entry for at, entry in enumerate(shard_entries(shard), start) if at == row)
    payloads = Payloads(entry)
    plan = make_build_plan(setup, one.table)
    values = row_of(payloads.line, has_texts=plan.has_texts)
    example = read_row(values, setup.columns, _number(surveys, table, row), plan.detail)[0]
    with closing(RowWriter(plan)) as writer:
        writer.check(example, payloads)
    with closing(ImagePlacer(plan.written)) as placer:
        images = tuple(_embedded(image, placer, payloads, plan.quality) for image in example.images)
    question, answer = RowExample(example.question, example.answer, (), images).turns()
    return question, answer._replace(trained=False)


def _number(surveys: Sequence[TableSurvey], table: int, row: int) -> int:
    """Return the number of the first example of a row."""
    before = [one for each in surveys[:table] for one in each.rows]
    return sum(map(examples_in, [*before, *surveys[table].rows[:row]]))


def _embedded(image: ImagePart, placer: ImagePlacer, payloads: Payloads, quality: int | None) -> ImagePart:
    """Return *image* as a data URL, saved anew with a *quality*, unless it stays behind its URL."""
    content = placer.content(image, payloads)
    if content is None:
        return image
    content = content if quality is None else as_jpeg(content, quality)
    return image._replace(reference=content.url)
