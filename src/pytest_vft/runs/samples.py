"""The first examples of files, read once, and their conversion for one provider after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import NamedTuple

from pytest_vft.converting.entries import ShardEntry
from pytest_vft.converting.images import FOLDER
from pytest_vft.converting.shard import ReadEntry, ShardConverter, read_conversations, survey_entries
from pytest_vft.converting.survey import ShardSurvey
from pytest_vft.errors import UsageError
from pytest_vft.formats.detection import detect_format
from pytest_vft.formats.writers.base import TRAINING_LOSSES
from pytest_vft.model import Report, Source
from pytest_vft.reading.entries import read_entries
from pytest_vft.reading.files import open_file
from pytest_vft.reading.image_store import KnownImages
from pytest_vft.reading.shards import LongLine
from pytest_vft.runs.conversion_bodies import Bodies, pretend_bodies
from pytest_vft.runs.conversion_form import find_form, make_conversion_plan, make_repair_plan
from pytest_vft.runs.conversion_target import ConversionTarget
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.side_files import side_files

_EXAMPLES = 100  # of each file, so that a comparison takes hardly longer
_BYTES = 2 * 1024 * 1024  # of each file
_FAULTY = 3  # examples with a finding of a rule that are tried beyond the first examples


class SampledFile(NamedTuple):
    """The sampled examples of a file, what they have in common, and whether they are all."""

    source: Source
    entries: Sequence[ReadEntry]
    survey: ShardSurvey
    is_whole: bool


class SampleConversion(NamedTuple):
    """What became of the samples: files with the examples that were converted, and why others were not.

    *losses* and *changes* are numbers by kind.
    """

    sources: tuple[Source, ...]
    refused: Sequence[str]
    losses: Counter[str]
    changes: Counter[str]


class Samples:
    """The first examples of *sources*, and those with the first findings of *reports*.

    What they are converted to is written into *folder*. Images that are *known* are not measured again.
    """

    def __init__(
        self, sources: Sequence[Source], reports: Iterable[Report], known: KnownImages, folder: str
    ) -> None:
        self.sources = sources
        self._known = known
        self._faulty = _faulty_examples(reports)
        self._folder = folder
        self._numbers = count()

    @cached_property
    def files(self) -> Sequence[SampledFile]:
        """The sampled examples of each source. Raises UsageError for one without lines, and OSError."""
        return [_sample(source, self._faulty.get(source.path, ())) for source in self.sources]

    @cached_property
    def _bodies(self) -> Bodies:
        """A sound image for each URL of an image."""
        folder = Path(self._folder, "bodies")
        folder.mkdir()
        return pretend_bodies({url for file in self.files for url in file.survey.urls}, str(folder))

    @cached_property
    def _outputs(self) -> Path:
        """The folder of all conversions, which share the files of images."""
        folder = Path(self._folder, "outputs")
        (folder / FOLDER).mkdir(parents=True)
        return folder

    def convert(self, target: ConversionTarget, settings: Settings) -> SampleConversion:
        """Return the samples as `vft convert` writes them for *target*; *settings* are those of its check.

        Losses are allowed, refused examples left out, and URLs lead to a small sound image.
        Raises UsageError if the files cannot be converted, and OSError.
        """
        form = find_form(target, (file.survey for file in self.files))
        outputs, judged = str(self._outputs), bool(target.prefix)
        refused: list[str] = []
        losses: Counter[str] = Counter()
        changes: Counter[str] = Counter()
        written: list[tuple[Source, Path]] = []
        for file in self.files:
            repair = make_repair_plan(settings, file.source, judged=judged)
            plan = make_conversion_plan(
                target, form, settings, repair, staged=outputs, folder=outputs, judged=judged
            )
            bodies = None if form.images == "keep" else self._bodies.folder
            plan = replace(plan, allowed=frozenset(TRAINING_LOSSES), bodies=bodies)
            with closing(ShardConverter(plan, self._known)) as converter:
                converted = converter.convert_entries(file.entries)
            if len(converted.blank) == converted.entries:
                raise UsageError(f"{file.source.path}: has no examples")
            refused.extend(one.why for one in converted.refused)
            losses.update(converted.losses)
            changes.update(converted.changes)
            if len(converted.blank) + len(converted.refused) < converted.entries:
                path = self._outputs / f"{next(self._numbers)}.jsonl"
                path.write_bytes(converted.data)
                written.append((file.source, path))
        beside = side_files(form.data_format, form.shape, [path.name for _, path in written], self._outputs)
        for name, content in beside.items():
            (self._outputs / name).write_bytes(content)
        sources = tuple(_outputs(written, form.data_format))
        return SampleConversion(sources, refused, losses, changes)


def _outputs(written: Iterable[tuple[Source, Path]], data_format: str) -> Iterator[Source]:
    """Yield the files that were *written* as sources, with the splits of the files that they come from."""
    for source, path in written:
        form = detect_format(str(path), (data_format,))
        yield Source(str(path), source.split, form.name, layout=form.layout)


def _faulty_examples(reports: Iterable[Report]) -> Mapping[str, Collection[int]]:
    """Return the first examples of each file that have findings of each rule in one of *reports*.

    They are told by their lines, or by their positions in an array.
    """
    found: dict[str, set[int]] = {}
    for report in reports:
        tried: Counter[tuple[str, str]] = Counter()
        for one in report.findings:
            number = one.line if one.element is None else one.element
            if number is not None and tried[one.path, one.rule] < _FAULTY:
                tried[one.path, one.rule] += 1
                found.setdefault(one.path, set()).add(number)
    return found


def _sample(source: Source, faulty: Collection[int]) -> SampledFile:
    """Return the first examples of *source* and the *faulty* ones. Raises UsageError if it has no lines."""
    opened = open_file(source.path)
    if not opened.is_read:
        raise UsageError(f"{source.path}: {opened.error or f'is {opened.container}'}")
    entries: list[ShardEntry] = []
    size, is_whole = 0, True
    awaited = set(faulty)
    for entry in read_entries(source.path, source.split, opened):
        is_beyond = len(entries) >= _EXAMPLES or size > _BYTES
        if is_beyond and not awaited:
            is_whole = False
            break
        place = entry.line if entry.position is None else entry.position
        if isinstance(entry.raw, LongLine) or (is_beyond and place not in awaited):
            is_whole = False
        else:
            entries.append(ShardEntry(entry.raw, 0, entry.element))
            size += len(entry.raw)
        awaited.discard(place)
    read = list(read_conversations(source, entries))
    return SampledFile(source, read, survey_entries(read), is_whole)
