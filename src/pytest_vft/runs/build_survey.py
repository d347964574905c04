"""The survey of tables: rows that can be used, their groups and splits, and the rows that are shown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pytest_vft.errors import UsageError
from pytest_vft.model import Split
from pytest_vft.naming import option
from pytest_vft.reading.fingerprint import read_look
from pytest_vft.reading.image_cache import ImageCache
from pytest_vft.reading.shards import Shard
from pytest_vft.reading.similarity import alike_groups, find_similar
from pytest_vft.runs.build_request import BuildRequest
from pytest_vft.tables.files import RowFile
from pytest_vft.tables.groups import GroupedRow, group_rows, split_rows
from pytest_vft.tables.plan import CODES, LEFT_OUT, SHOWN, BuildPlan
from pytest_vft.tables.work import survey_table
from pytest_vft.text import count

if TYPE_CHECKING:
    from concurrent.futures import Executor


@dataclass(slots=True)
class TableSurvey:
    """The rows of a table, *sizes* numbers of rows by shard, and what decides how the table is written."""

    table: RowFile
    rows: list[GroupedRow | str | None] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    transports: set[str] = field(default_factory=set)
    urls: set[str] = field(default_factory=set)
    looks: dict[tuple[int, int], bytes | None] = field(default_factory=dict)

    def shards(self) -> Iterator[tuple[Shard, int, int]]:
        """Yield each shard with the numbers of its first row and of the row after its last."""
        start = 0
        for shard, size in zip(self.table.cut.shards, self.sizes, strict=True):
            yield shard, start, start + size
            start += size

    def refused(self) -> Mapping[int, str]:
        """Return why rows cannot be used, by row."""
        return {number: row for number, row in enumerate(self.rows) if isinstance(row, str)}


def survey(
    table: RowFile, plan: BuildPlan, executor: Executor | None, watch: Callable[[int], None]
) -> TableSurvey:
    """Return the survey of *table*, and leave the measurements of its images in the cache of *plan*.

    Raises LintError if a worker dies, OSError.
    """
    found = TableSurvey(table)
    with ExitStack() as stack:
        folder = plan.judged.lint.cache
        cache = stack.enter_context(closing(ImageCache(folder))) if folder else None
        for shard, part in zip(table.cut.shards, survey_table(table, plan, executor), strict=True):
            found.rows += part.rows
            found.sizes.append(len(part.rows))
            found.transports |= part.transports
            found.urls |= part.urls
            found.looks |= part.looks
            if cache:
                cache.add(part.measured)
            watch(int((shard.end - shard.start) * (1 + table.share)))
    return found


def refuse_repeated_ids(surveys: Sequence[TableSurvey]) -> None:
    """Refuse each row with an id that an earlier example has: an evaluation would not tell them apart."""
    first: dict[int, str] = {}
    for one in surveys:
        for number, row in enumerate(one.rows):
            if not isinstance(row, GroupedRow) or not row.ids:
                continue
            place = f"{one.table.path}:{one.table.place(number)}"
            earlier = next((first[id_] for id_ in row.ids if id_ in first), None)
            if earlier is None and len(set(row.ids)) < len(row.ids):
                earlier = place
            if earlier is None:
                first |= dict.fromkeys(row.ids, place)
                continue
            one.rows[number] = (
                f"its id is that of an example of {earlier}, too; {option('id', '{n}')} numbers the examples"
            )


class Alike(NamedTuple):
    """Keys of images that look alike, and numbers of those compared with some others only, or with none."""

    groups: Sequence[Sequence[int]]
    partly_compared: int
    uncompared: int

    @property
    def images(self) -> int:
        """The number of images that look like others."""
        return sum(map(len, self.groups))


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What becomes of the rows of each table, as in RowsTask, and numbers about their groups.

    *shown* are the table and the row of each example that is shown before others. *alike* has the
    groups of images that look alike, None without --near, and *beside* is the number of examples of train
    with an image that is shown.
    """

    codes: Sequence[bytearray]
    shown: Sequence[tuple[int, int]]
    groups: int
    alike: Alike | None
    beside: int = 0

    def without(self, table: int, row: int) -> None:
        """Leave a row out."""
        self.codes[table][row] = LEFT_OUT


def arrange(request: BuildRequest, surveys: Sequence[TableSurvey]) -> Arrangement:
    """Return the splits of the rows in *surveys*. Raises UsageError if a split would have no example."""
    _check_usable(surveys)
    places = [
        (table, number)
        for table, one in enumerate(surveys)
        for number, row in enumerate(one.rows)
        if isinstance(row, GroupedRow)
    ]
    rows = [row for one in surveys for row in one.rows if isinstance(row, GroupedRow)]
    alike = _alike(surveys) if request.near else None
    groups = group_rows(rows, alike.groups if alike else [])
    splits = split_rows(rows, groups, request.shares)
    shown = _shown(request.few_shot, groups, splits)
    _check(request, rows, splits, groups, shown)
    codes = [bytearray(len(one.rows)) for one in surveys]
    for (table, number), split in zip(places, splits, strict=True):
        codes[table][number] = CODES[split]
    for at in shown:
        table, number = places[at]
        codes[table][number] = SHOWN
    shown_groups = {groups[at] for at in shown}
    in_groups = sum(row.examples for row, group in zip(rows, groups, strict=True) if group in shown_groups)
    beside = in_groups - len(shown)
    return Arrangement(codes, [places[at] for at in shown], len(set(groups)), alike, beside)


def _check_usable(surveys: Sequence[TableSurvey]) -> None:
    if any(isinstance(row, GroupedRow) for one in surveys for row in one.rows):
        return
    for one in surveys:
        for number, why in one.refused().items():
            raise UsageError(f"{one.table.path}:{one.table.place(number)}: {why}; no row can be used")


def _alike(surveys: Sequence[TableSurvey]) -> Alike:
    """Return the images that look alike as they are written, or are equal then, of rows that can be used.

    Raises UsageError if there are too many images.
    """
    used = {key for one in surveys for row in one.rows if isinstance(row, GroupedRow) for key in row.keys}
    sources: defaultdict[int, list[int]] = defaultdict(list)  # keys of images, by that of what is written
    looks: dict[int, bytes | None] = {}
    for one in surveys:
        for (key, written), look in one.looks.items():
            if key in used:
                sources[written].append(key)
                looks[written] = look
    known = [(written, look) for written, look in looks.items() if look]
    seen = [read_look(look) for _, look in known]
    similar = find_similar([look.hash for look in seen], lambda number: known[number][1])
    if similar is None:
        raise UsageError(f"{option('near')}: {count(len(known), 'image')} need numpy 2; pip install numpy")
    found = alike_groups(similar, lambda one, other: seen[one].is_like(seen[other]))
    groups = [[known[number][0] for number in group] for group in found.groups]
    groups += [[written] for written, look in looks.items() if not look]
    linked = (list(dict.fromkeys(key for written in group for key in sources[written])) for group in groups)
    uncompared = {key for written, look in looks.items() if look is None for key in sources[written]}
    return Alike([keys for keys in linked if len(keys) > 1], found.partly_compared, len(uncompared))


def _shown(number: int, groups: Sequence[int], splits: Sequence[Split]) -> list[int]:
    """Return the first *number* rows of train, each of another group, so that rows added later are not."""
    found: dict[int, int] = {}
    for at, (group, split) in enumerate(zip(groups, splits, strict=True)):
        if len(found) == number:
            break
        if split == "train":
            found.setdefault(group, at)
    if len(found) < number:
        raise UsageError(f"{option('few-shot')}: train has only {count(len(found), 'group')} of rows")
    return list(found.values())


def _check(
    request: BuildRequest,
    rows: Sequence[GroupedRow],
    splits: Sequence[Split],
    groups: Sequence[int],
    shown: Sequence[int],
) -> None:
    numbers: Counter[Split] = Counter()
    for row, split in zip(rows, splits, strict=True):
        numbers[split] += row.examples
    if shown and numbers["train"] == len(shown):
        raise UsageError(f"{option('few-shot')} leaves train without an example; give a smaller number")
    number = len(set(groups))
    for split in request.splits:
        if not numbers[split]:
            if request.shares.exact or number < len(request.splits):
                step = f"give rows of more groups or another {option('split')}"
            else:
                step = f"give more rows, or {option('exact')}"
            of = f"{count(len(rows), 'row')} in {count(number, 'group')}"
            raise UsageError(f"{split} would have no example, of {of}; {step}")
