"""The conversion of files into a folder: survey, fetches, shards, side files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_vft.checking.processes import processes, usable_cpus
from pytest_vft.converting.files import PARQUET_SUFFIX, FileConversion, convert_file, image_folder
from pytest_vft.converting.images import FOLDER
from pytest_vft.converting.plan import Images
from pytest_vft.converting.survey import ShardSurvey
from pytest_vft.converting.work import CutFile, cut_file, survey_file, survey_start
from pytest_vft.errors import UsageError
from pytest_vft.output_summary import OutputSummary
from pytest_vft.outputs.folder import OutputFolder, output_folder
from pytest_vft.outputs.keys import part_key
from pytest_vft.outputs.names import output_targets
from pytest_vft.reading.files import ARRAY, PARQUET, OpenedFile, open_file
from pytest_vft.reading.remote import Watch, counted
from pytest_vft.report.conversion import Conversion, RefusedExamples
from pytest_vft.runs.conversion_bodies import Bodies, fetch_bodies
from pytest_vft.runs.conversion_form import ConversionForm, find_form, make_conversion_plan, make_repair_plan
from pytest_vft.runs.conversion_request import ConversionRequest
from pytest_vft.runs.next_steps import next_steps
from pytest_vft.runs.side_files import side_files
from pytest_vft.temporary import temporary_folder

if TYPE_CHECKING:
    from concurrent.futures import Executor

_SIDE_FILES = "side files"  # the part of the output that holds them; no file has this name


@dataclass(frozen=True, slots=True)
class _SurveyedFile:
    """A file in shards, and the survey of its start or of all shards."""

    cut: CutFile
    survey: ShardSurvey


def convert_files(request: ConversionRequest, watch: Watch | None = None) -> Conversion:
    """Convert the files of *request*; the result is not checked.

    Raises UsageError, ConfigError, LintError if a worker dies, and OSError.
    """
    opened = {source.path: open_file(source.path) for source in request.sources}
    for path, one in opened.items():
        if not one.is_read:
            raise UsageError(f"{path}: {one.error or f'is {one.container}; expected JSON Lines'}")
    (output,) = output_targets(
        opened, request.out, _suffixes(opened, stays_parquet=request.target.reads_parquet)
    )
    size = sum(one.bytes for one in opened.values())
    with ExitStack() as stack:
        folder = stack.enter_context(output_folder(output, force=request.force))
        executor = stack.enter_context(processes(request.settings.jobs or usable_cpus(), size))
        cuts = [cut_file(source, opened[source.path]) for source in request.sources]
        files = [_SurveyedFile(cut, survey_start(cut, executor)) for cut in cuts]
        for _ in range(2):  # again if later shards decide otherwise than the first ones
            form = _form(request, files)
            run = _Run(request, form, folder, executor, counted(watch, size))
            converted = run.convert(files, watch)
            surveyed = [_SurveyedFile(cut, run.surveys[cut.source.path]) for cut in cuts]
            if _form(request, surveyed) == form and run.urls(surveyed) == run.urls(files):
                break
            files = surveyed
        for path, result in converted.items():
            if result.total == result.blank:
                raise UsageError(f"{path}: has no examples, so nothing was written; leave the file out")
        side_files = _write_side_files(form, folder)
        if request.limit.allows(sum(one.refusals for one in converted.values())):
            folder.publish()
        return _conversion(request, form, folder, converted, side_files)


def _suffixes(opened: dict[str, OpenedFile], *, stays_parquet: bool) -> dict[str, str]:
    """Return the ends of the names of outputs: those of JSON Lines, or of Parquet if it *stays_parquet*."""
    ends = {ARRAY: ".jsonl", PARQUET: PARQUET_SUFFIX if stays_parquet else ".jsonl"}
    return {
        path: ends.get(one.container, ".jsonl")
        for path, one in opened.items()
        if one.container in ends or one.compression
    }


def _form(request: ConversionRequest, files: Sequence[_SurveyedFile]) -> ConversionForm:
    """Return the form of all outputs. Raises UsageError if the target does not take images as requested."""
    stays = request.target.reads_parquet and all(file.cut.is_table for file in files)
    return find_form(request.target, (file.survey for file in files), request.images, stays_parquet=stays)


class _Run:
    """The conversion of the files of a request into *folder*; *surveys* are those of whole files, by path."""

    def __init__(
        self,
        request: ConversionRequest,
        form: ConversionForm,
        folder: OutputFolder,
        executor: Executor | None,
        count: Callable[[int], None],
    ) -> None:
        self._request = request
        self._form = form
        self._folder = folder
        self._executor = executor
        self._count = count
        self.surveys: dict[str, ShardSurvey] = {}

    def convert(self, files: Sequence[_SurveyedFile], watch: Watch | None) -> dict[str, FileConversion]:
        """Return the conversions of *files* by path; those that an interrupted run has completed are kept."""
        found: dict[str, FileConversion] = {}
        for file in files:
            if (facts := self._folder.finished(self._name(file), self._key(file))) is not None:
                found[file.cut.source.path] = FileConversion.from_facts(facts)
                self.surveys[file.cut.source.path] = survey_file(file.cut, self._executor)
        todo = [file for file in files if file.cut.source.path not in found]
        with temporary_folder() as temporary:
            request = self._request
            urls = self.urls(todo)
            bodies = fetch_bodies(request.settings, urls, temporary, watch)
            for file in todo:
                found[file.cut.source.path] = self._convert(file, bodies)
        return {file.cut.source.path: found[file.cut.source.path] for file in files}

    def urls(self, files: Sequence[_SurveyedFile]) -> set[str]:
        """Return the URLs of *files* that are fetched."""
        return {url for file in files if self._images(file) != "keep" for url in file.survey.urls}

    def _images(self, file: _SurveyedFile) -> Images:
        """Return how the images of *file* are passed: inside of examples if it stays Parquet."""
        return "embed" if file.cut.is_table and self._request.target.reads_parquet else self._form.images

    def _convert(self, file: _SurveyedFile, bodies: Bodies) -> FileConversion:
        request, form, name = self._request, self._form, self._name(file)
        judged = bool(request.target.prefix) or request.limit.drop
        with self._folder.part(name, self._key(file)) as part:
            repair = make_repair_plan(request.settings, file.cut.source, judged=judged)
            plan = make_conversion_plan(
                request.target,
                form,
                request.settings,
                repair,
                staged=image_folder(part),
                folder=str(self._folder.path),
                judged=judged,
            )
            plan = replace(
                plan,
                allowed=request.allowed,
                images=self._images(file),
                bodies=bodies.folder,
                causes={url: bodies.causes[url] for url in file.survey.urls if url in bodies.causes},
                keep_refused=request.limit.drop,
                is_table=file.cut.is_table,
            )
            result, survey = convert_file(
                file.cut, name, part, plan, executor=self._executor, watch=self._count
            )
            part.facts |= result.facts()
        self.surveys[file.cut.source.path] = survey
        return result

    def _name(self, file: _SurveyedFile) -> str:
        return self._folder.names[file.cut.source.path]

    def _key(self, file: _SurveyedFile) -> str:
        request, form = self._request, self._form
        return part_key(
            file.cut.source.path,
            (file.cut.source, form.data_format, form.shape, form.images, request.target.name),
            (sorted(request.allowed), request.target.prefix, request.limit.drop, request.settings.network),
            request.settings.image_roots,
            len(self.urls([file])),
        )


def _write_side_files(form: ConversionForm, folder: OutputFolder) -> Sequence[str]:
    """Write the files that a trainer needs beside the data, and return their names."""
    files = side_files(form.data_format, form.shape, list(folder.names.values()), folder.path)
    if files:
        folder.extend(files)
        with folder.part(_SIDE_FILES, repr(files)) as part:
            for name, content in files.items():
                with part.open(name) as file:
                    file.write(content)
    return list(files)


def _conversion(
    request: ConversionRequest,
    form: ConversionForm,
    folder: OutputFolder,
    files: dict[str, FileConversion],
    side_files: Sequence[str],
) -> Conversion:
    refusals = sum(one.refusals for one in files.values())
    outputs = {path: str(request.out / folder.names[path]) for path in files}
    written = request.limit.allows(refusals)
    changes = sum((one.changes for one in files.values()), Counter())
    if changes["written to files"]:
        changes["image files"] = _image_files(folder, files.values())
    splits = {outputs[source.path]: source.split for source in request.sources}
    steps = next_steps(request.target, form.data_format, form.shape, request.out, splits)
    return Conversion(
        target=request.target.name,
        data_format=form.data_format,
        written=written,
        outputs=tuple(
            OutputSummary(
                path=outputs[path],
                total=one.total,
                copied=one.written,
                aside=one.refusals,
                removed={"blank line": one.blank},
            )
            for path, one in files.items()
        ),
        refused=tuple(
            RefusedExamples(path, place, why, number)
            for path, one in files.items()
            for why, (place, number) in one.refused.items()
        ),
        refusals=refusals,
        dropped=request.limit.drop,
        losses=sum((one.losses for one in files.values()), Counter()),
        changes=changes,
        side_files=tuple(str(request.out / name) for name in side_files),
        next=tuple(steps) if written else (),
        notes=tuple(_notes(request, changes)),
    )


def _image_files(folder: OutputFolder, files: Iterable[FileConversion]) -> int:
    """Return the number of image files that the outputs use, each of which several images may be."""
    names = {name for name in folder.files if name.startswith(f"{FOLDER}/")}
    return len(names.union(*(one.reused for one in files)))


def _notes(request: ConversionRequest, changes: Mapping[str, int]) -> Iterator[str]:
    """Yield notes on options that have no effect."""
    if request.target.prefix and not changes.get("written to files"):
        yield "--image-prefix has no effect: it precedes the names of image files, and none was written"
