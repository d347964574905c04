"""Files as sums of their shards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_vft.checking.executors import ShardResult
from pytest_vft.checking.shard import LintPlan
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.model import Source
from pytest_vft.reading.files import BYTE_ORDER_MARK, OpenedFile, open_file
from pytest_vft.reading.remote import Remote
from pytest_vft.reading.shards import Shard, cut_shards

# Lints shards by a plan, in their order.
LintShards = Callable[[Sequence[Shard], LintPlan], Iterator[ShardResult]]
# Fetches URLs, and returns what was found behind each.
Fetch = Callable[[Iterable[str]], Mapping[str, Remote]]


@dataclass(slots=True)
class FileTotals:
    """A file, and what its shards amount to; *stopped_by* says why it was not read as JSON Lines."""

    source: Source
    opened: OpenedFile
    counted: ShardTotals = field(default_factory=ShardTotals)
    stopped_by: str | None = None


def count_files(
    sources: Sequence[Source], plan: LintPlan, lint: LintShards, fetch: Fetch | None, shard_bytes: int
) -> list[FileTotals]:
    """Return *sources* with what they amount to, shards of about *shard_bytes* folded as they come.

    Shards with URLs come to nothing until all of these are fetched, each once; then they are linted
    again with what was found. Without *fetch* they stand as they are.
    """
    files = [FileTotals(source, open_file(source.path)) for source in sources]
    shards = [(file, shard) for file in files for shard in _shards(file, shard_bytes)]
    urls: dict[str, None] = {}
    parts: list[tuple[FileTotals, ShardTotals | Shard]] = []
    for (file, shard), outcome in zip(shards, lint([shard for _, shard in shards], plan), strict=True):
        if isinstance(outcome, OSError):
            _give_up(file, outcome)
        elif outcome.urls and fetch:
            urls |= outcome.urls
            parts.append((file, shard))
        elif parts and parts[-1][0] is file and isinstance(last := parts[-1][1], ShardTotals):
            last.extend(outcome, plan.max_findings)
        else:
            parts.append((file, outcome))
    again: Iterator[ShardResult] = iter(())
    if fetch and urls:
        waiting = [part for _, part in parts if isinstance(part, Shard)]
        again = lint(waiting, replace(plan, remotes=fetch(urls)))
    for file, part in parts:
        outcome = next(again) if isinstance(part, Shard) else part
        if isinstance(outcome, OSError):
            _give_up(file, outcome)
        else:
            file.counted.extend(outcome, plan.max_findings)
    for file in files:
        if file.opened.error:
            file.counted = ShardTotals()
    return files


def _shards(file: FileTotals, shard_bytes: int) -> Sequence[Shard]:
    opened, source = file.opened, file.source
    if opened.container != "JSONL":
        return ()
    start = len(BYTE_ORDER_MARK) if opened.byte_order_mark else 0
    try:
        return cut_shards(source.path, source.split, start, opened.bytes, shard_bytes)
    except OSError as error:
        _give_up(file, error)
        return ()


def _give_up(file: FileTotals, error: OSError) -> None:
    """Take *file* for one that cannot be read, though it could a moment ago."""
    words = error.strerror or type(error).__name__
    file.opened = OpenedFile(file.opened.bytes, "unreadable", byte_order_mark=False, error=words)
