"""The settings that a worker needs besides its shard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pytest_vft.catalogue.load import Rule
from pytest_vft.facts.tokens import ImageTokens
from pytest_vft.reading.measurers import Measurer
from pytest_vft.reading.remote import LONG_AGO


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LintPlan:
    """The settings of a run, the same for all shards, as plain data that can be pickled.

    *image_tokens* counts the tokens of an image, None if that is unknown; with *full*, images are
    decoded, large ones only if not *bounded*; *max_findings* is the number of findings kept for each rule
    and file (0: all); *cache* is the folder with results of earlier runs, which is only read with
    *reads_cache*, not by other machines, which may have a folder of this name; *now* is the time at which
    signatures are judged; *image_roots* are folders in which local images may be opened, besides the folder
    of each file; with *buckets*, images in object storage are fetched, and with *allow_private* those at
    private addresses; *measurers* find out what images show, and *detectors* those for which there is
    a model. At most *sample* examples of a file are read, 0 for all. *other_tokens* count the tokens of
    other models, and *counters* has the positions there of rules, by id, that judge tokens counted in that
    way. *counts_skips* says that *rules* include all those on what a provider skips for sure.
    """

    rules: tuple[Rule, ...]
    image_tokens: ImageTokens | None
    full: bool
    max_findings: int
    bounded: bool = True
    cache: Path | None = None
    reads_cache: bool = True
    now: datetime = LONG_AGO
    image_roots: tuple[str, ...] = ()
    buckets: bool = False
    allow_private: bool = False
    measurers: tuple[Measurer, ...] = ()
    detectors: tuple[Measurer, ...] = ()
    other_tokens: tuple[ImageTokens | None, ...] = ()
    sample: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)
    counts_skips: bool = True
