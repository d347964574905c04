"""Linting of all files of a run: the totals of their shards, and the results."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import lru_cache

from pytest_vft.checking.executors import ShardResult, Workers, lint_shards
from pytest_vft.checking.measuring import needed_measurers
from pytest_vft.checking.merging import NOTHING, Fetch, FileTotals, merge_files
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.results import LintResult, judge_files
from pytest_vft.checking.shard import open_image_store
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.model import SPLITS, Source
from pytest_vft.reading.files import OpenedFile, open_file
from pytest_vft.reading.image_store import KnownImages
from pytest_vft.reading.remote import ReadProgress
from pytest_vft.reading.shards import SHARD_BYTES, Shard


def lint_files(  # noqa: PLR0913 - all by keyword, each with a default
    sources: Sequence[Source],
    plan: LintPlan,
    *,
    ignored: Mapping[str, frozenset[str]] | None = None,
    workers: Workers = lambda _: None,
    fetch: Fetch | None = None,
    remember: Callable[[ShardTotals], None] | None = None,
    watch: Callable[[ReadProgress], None] | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> LintResult:
    """Lint *sources* by *plan*; a file that cannot be read is a finding, not an error.

    The arguments are those of measure_files(). Raises LintError if an executor fails.
    """
    files = measure_files(
        sources,
        plan,
        ignored=ignored,
        workers=workers,
        fetch=fetch,
        remember=remember,
        watch=watch,
        shard_bytes=shard_bytes,
    )
    return judge_files(sources, files, plan)


def measure_files(  # noqa: PLR0913 - all by keyword, each with a default
    sources: Sequence[Source],
    plan: LintPlan,
    *,
    ignored: Mapping[str, frozenset[str]] | None = None,
    workers: Workers = lambda _: None,
    fetch: Fetch | None = None,
    remember: Callable[[ShardTotals], None] | None = None,
    watch: Callable[[ReadProgress], None] | None = None,
    shard_bytes: int = SHARD_BYTES,
    known: KnownImages | None = None,
) -> list[FileTotals]:
    """Return the totals of the lines of *sources* by *plan*, ordered by split.

    *ignored* maps paths to ids of rules that are ignored there. Shards of about *shard_bytes* are linted
    by *workers*, by default in this process; the result does not depend on either. *fetch* is called once
    with the URLs of images, if any; *remember* is called with the totals of each shard, *watch* after
    each shard. Images of other checks in this process are *known*, and those of this one are added. Raises
    LintError if an executor fails.
    """
    measurers = needed_measurers(plan.rules, sources, full=plan.full, detectors=plan.detectors)
    plan = replace(plan, measurers=measurers)
    store = open_image_store(plan, known)

    def lint(shards: Sequence[Shard]) -> Iterator[ShardResult]:
        done, total = 0, sum(shard.bytes for shard in shards)
        results = lint_shards(shards, plan, store, workers, task_bytes=shard_bytes)
        for shard, result in zip(shards, results, strict=True):
            if remember and isinstance(result, ShardTotals):
                remember(result)
            done += shard.bytes
            if watch:
                watch(ReadProgress(done, total))
            yield result

    files = [
        FileTotals(
            source,
            (ignored or {}).get(source.path, frozenset()),
            _shared(open_file(source.path)),
            plan.image_roots,
            NOTHING,
            sample=plan.sample,
            number=number,
        )
        for number, source in sorted(enumerate(sources), key=lambda one: SPLITS.index(one[1].split))
    ]
    with closing(store), warnings.catch_warnings(action="ignore"):  # here, since threads share the filter
        merge_files(files, lint, fetch, shard_bytes=shard_bytes, max_findings=plan.max_findings)
    return files


@lru_cache(1024)
def _shared(opened: OpenedFile) -> OpenedFile:
    """Return *opened*, as one object for all files of one size and kind."""
    return opened
