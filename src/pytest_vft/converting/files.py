"""Conversion of one file: its shards become lines of a new file, and what is refused is set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from pytest_vft.converting.images import FOLDER
from pytest_vft.converting.parquet import write_parquet
from pytest_vft.converting.plan import ConversionPlan, RefusedEntry, ShardConversion
from pytest_vft.converting.survey import ShardSurvey
from pytest_vft.converting.work import CutFile, convert_shards
from pytest_vft.formats.registry import load_format
from pytest_vft.model import Finding
from pytest_vft.outputs.aside import Aside, set_aside
from pytest_vft.outputs.folder import OutputPart
from pytest_vft.outputs.origin import Origins, origins
from pytest_vft.reading.entries import FileEntry
from pytest_vft.reading.image_cache import ImageCache
from pytest_vft.reading.shards import Shard

if TYPE_CHECKING:
    from concurrent.futures import Executor

PARQUET_SUFFIX = ".parquet"
RULE = "convert"  # in place of a rule in FILE.rej.csv
_MOST_SHOWN = 20  # reasons in a file


@dataclass(slots=True)
class FileConversion:
    """What became of the entries of a file.

    *refused* has the first reasons for which entries are refused, each with the place of the first one and
    their number. *reused* are the names of image files that were in the folder before.
    """

    total: int = 0
    blank: int = 0
    refusals: int = 0
    refused: dict[str, tuple[str, int]] = field(default_factory=dict)
    losses: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    reused: list[str] = field(default_factory=list)

    @property
    def written(self) -> int:
        """Number of examples that were written."""
        return self.total - self.blank - self.refusals

    def facts(self) -> dict[str, Any]:
        """Return the numbers and places as values that JSON has; see from_facts()."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> FileConversion:
        """Return the conversion with *facts*, which facts() returned and JSON has kept."""
        refused = {why: (place, number) for why, (place, number) in facts["refused"].items()}
        counters = {name: Counter(facts[name]) for name in ("losses", "changes")}
        return cls(**{**facts, "refused": refused, **counters})

    def add(self, file: CutFile, converted: ShardConversion) -> None:
        """Add *converted*, the next shard of *file*."""
        for entry in converted.refused:
            place, number = self.refused.get(entry.why, (file.place(self.total + entry.number), 0))
            if number or len(self.refused) < _MOST_SHOWN:
                self.refused[entry.why] = place, number + 1
        self.total += converted.entries
        self.blank += len(converted.blank)
        self.refusals += len(converted.refused)
        self.losses.update(converted.losses)
        self.changes.update(converted.changes)


def convert_file(  # noqa: PLR0913 - two by keyword
    file: CutFile,
    name: str,
    part: OutputPart,
    plan: ConversionPlan,
    *,
    executor: Executor | None,
    watch: Callable[[int], None],
) -> tuple[FileConversion, ShardSurvey]:
    """Write *file* in its new format as *name* of *part*; *watch* is called with the bytes of each shard.

    Returns what became of the entries, and their survey. What was measured of images goes to the cache.
    Raises OSError if the file cannot be read or the output not be written, LintError if a worker dies.
    """
    result, survey = FileConversion(), ShardSurvey()
    images: dict[str, bool] = {}
    folder = plan.repair.lint.cache
    with (
        closing(ImageCache(folder)) if folder else nullcontext() as cache,
        open_lines(part, name) as data,
        set_aside(part, name, in_array=file.is_array) as aside,
        origins(part, name) as lines,
    ):
        converted_shards = convert_shards(file, plan, executor)
        for shard, converted in zip(file.shards, converted_shards, strict=True):
            data.write(converted.data)
            _add_origins(file, result.total, converted, lines)
            for refused in converted.refused:
                _set_aside(file, result.total + refused.number, refused, aside)
            result.add(file, converted)
            survey = survey.joined(converted.survey)
            images |= converted.images
            if cache:
                cache.add(converted.measured)
            watch(shard.end - shard.start)
    part.add(name for name, is_new in images.items() if is_new)
    result.reused = [name for name, is_new in images.items() if not is_new]
    return result, survey


@contextmanager
def open_lines(part: OutputPart, name: str) -> Iterator[BinaryIO]:
    """Yield a file for lines, which become the file *name* of *part*: as they are, or as Parquet."""
    if not name.endswith(PARQUET_SUFFIX):
        with part.open(name) as data:
            yield data
        return
    lines = part.place(f"{name}.lines")  # which is not a file of the part
    with lines.open("wb") as data:
        yield data
    with part.open(name) as file:
        write_parquet(lines, file)
    lines.unlink()


def image_folder(part: OutputPart) -> str:
    """Return the folder of unfinished files in which images are written below images/; it exists then."""
    place = part.place(f"{FOLDER}/x")
    return str(place.parents[1])


def _add_origins(file: CutFile, before: int, converted: ShardConversion, lines: Origins) -> None:
    missing = {*converted.blank, *(entry.number for entry in converted.refused)}
    if not missing and not file.is_array and lines.add_unmoved(file.source.path, before, converted.entries):
        return
    for number in range(converted.entries):
        if number not in missing:
            lines.add(file.source.path, file.place(before + number))


def _set_aside(file: CutFile, number: int, refused: RefusedEntry, aside: Aside) -> None:
    if refused.entry is None:
        return
    path, line, in_array = file.source.path, file.line(number), file.is_array
    split, start = file.source.split, refused.entry.start
    raw = refused.entry.raw
    shard = Shard(path, split, start, start + (len(raw) if isinstance(raw, bytes) else raw.bytes))
    position = number if in_array else None
    entry = FileEntry(refused.entry.raw, line, shard, position, refused.entry.element)
    finding: dict[str, Any] = {"rule": RULE, "severity": "error", "path": path, "line": line, "advice": ""}
    found = Finding(pointer=entry.prefix, message=refused.why, element=position, **finding)
    aside.add(entry, [found], load_format(file.source.data_format, file.source.layout))
