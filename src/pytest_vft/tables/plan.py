"""The settings of a build, and what workers return about the rows of a shard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_vft.checking.plan import LintPlan
from pytest_vft.converting.plan import ConversionPlan
from pytest_vft.fixing.plan import RepairPlan
from pytest_vft.formats.conversation import ChatTurn
from pytest_vft.model import SPLITS
from pytest_vft.reading.image_cache import MeasuredImage
from pytest_vft.reading.shards import Shard
from pytest_vft.tables.columns import Columns
from pytest_vft.tables.groups import GroupedRow

# What becomes of a row, one byte each: left out, in a split, or train with its first example shown in all.
LEFT_OUT, SHOWN = 0, len(SPLITS) + 1
CODES = {split: number for number, split in enumerate(SPLITS, 1)}

# Fingerprints of images as they are written, by the key of the image in the row and that of what is written:
# empty for a flat image, None for one that cannot be compared.
Looks = Mapping[tuple[int, int], bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BuildPlan:
    """The settings for the rows of one table, as plain data that can be pickled.

    *written* is how examples are written, *unanswered* how those of the test split are. *judged* has the
    rules by which an image is refused, and the measurers and the cache of the check of what is written, so
    that an image is decoded once; *examples* has the rules by which an example is refused. *shots* are turns
    before each question, after the text *system*; their images are data URLs, which are local if the image
    was. With a *quality*, each image is saved anew as a JPEG. *near* asks for fingerprints. *has_texts* says
    that a line may be a text, which says why a row cannot be used. *has_ids* says that ids are written, with
    which an evaluation finds the answers to a question.
    """

    columns: Columns
    written: ConversionPlan
    unanswered: ConversionPlan
    judged: RepairPlan
    examples: LintPlan
    system: str | None = None
    shots: tuple[ChatTurn, ...] = ()
    detail: str | None = None
    quality: int | None = None
    near: bool = False
    has_texts: bool = False
    has_ids: bool = False


class SurveyedRows(NamedTuple):
    """The rows of a shard: a text says why a row cannot be used, and None stands for a blank line.

    *transports* and *urls* are those of the images, *looks* their fingerprints, and *measured* what was
    measured of images that the cache does not have.
    """

    rows: list[GroupedRow | str | None]
    transports: frozenset[str]
    urls: frozenset[str]
    looks: Looks
    measured: Sequence[MeasuredImage] = ()


class RowsTask(NamedTuple):
    """A shard to write: the number of its first example, what becomes of each row, and where to write."""

    shard: Shard
    example: int
    codes: bytes
    place: str


class WrittenRows(NamedTuple):
    """What was written of a shard; rows are numbered from 0 in the shard.

    *lines* has the row of each line, by split, and *truths* id and accepted answers of each line of the test
    split. *refused* says why further rows cannot be used. *losses* and *changes* are numbers by kind, and
    *images* names of new files.
    """

    lines: Mapping[str, Sequence[int]]
    truths: Sequence[tuple[str | None, Sequence[str]]]
    refused: Mapping[int, str]
    losses: Mapping[str, int]
    changes: Mapping[str, int]
    images: Sequence[str]

    def facts(self) -> dict[str, Any]:
        """Return these values as JSON has them; see from_facts()."""
        return {**self._asdict(), "refused": list(self.refused.items())}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> WrittenRows:
        """Return the rows with *facts*, which facts() returned and JSON has kept."""
        truths = [(id_, texts) for id_, texts in facts["truths"]]
        return cls(**{**facts, "refused": dict(facts["refused"]), "truths": truths})
