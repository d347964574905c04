"""The settings of a conversion, and what became of the entries of a shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pytest_vft.converting.entries import ShardEntry
from pytest_vft.converting.survey import ShardSurvey
from pytest_vft.fixing.plan import RepairPlan
from pytest_vft.formats.writers.base import FileShape
from pytest_vft.model import Source
from pytest_vft.reading.image_cache import MeasuredImage

# How images are passed: as they are, as files below images/, or inside of the examples.
Images = Literal["keep", "files", "embed"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConversionPlan:
    """The settings for the shards of one file, as plain data that can be pickled.

    *source* is the file, *data_format* the format that is written with *shape*, *target* the name of the
    provider or format in messages. Losses of the kinds *allowed* do not keep an example from being
    written. *repair* has the rules that images must pass. Image files are written below *staged* unless
    *folder* has them, and *prefix* precedes their names. If *judged*, an example with an image that the
    target does not take is refused. *bucket* is the scheme of buckets if no other is
    read. *local* says that the target takes images at paths. *bodies* is the folder with the bodies of
    fetched URLs, *causes* says why others were not fetched. *image_roots* are folders of local images.
    *is_table* says that the file is Parquet, *no_tools* why the target has no tools.
    """

    source: Source
    data_format: str
    shape: FileShape
    target: str
    allowed: frozenset[str]
    images: Images
    repair: RepairPlan
    staged: str
    folder: str
    prefix: str = ""
    judged: bool = False
    bucket: str = ""
    local: bool = True
    bodies: str | None = None
    causes: Mapping[str, str] = field(default_factory=dict)
    image_roots: tuple[str, ...] = ()
    keep_refused: bool = False
    is_table: bool = False
    no_tools: str = ""


class RefusedEntry(NamedTuple):
    """An entry that is not converted: its number in the shard, from 0, why, and the entry if that is kept."""

    number: int
    why: str
    entry: ShardEntry | None


class ShardConversion(NamedTuple):
    """A shard in its new format.

    *data* are the new lines, *entries* the number of entries, *blank* the numbers of blank lines, *losses*
    and *changes* numbers by kind, *images* the names of image files in use, each with whether it is new, and
    *survey* is that of the shard. *measured* is new to the cache.
    """

    data: bytes
    entries: int
    blank: list[int]
    refused: list[RefusedEntry]
    losses: Counter[str]
    changes: Counter[str]
    images: dict[str, bool]
    survey: ShardSurvey
    measured: Sequence[MeasuredImage] = ()
