"""Files as sums of their shards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_vft.checking.executors import ShardResult
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.model import Source
from pytest_vft.reading.files import BYTE_ORDER_MARK, OpenedFile
from pytest_vft.reading.remote import Remote
from pytest_vft.reading.shards import Shard, cut_shards

# Lints shards, in their order.
LintShards = Callable[[Sequence[Shard]], Iterator[ShardResult]]
# Fetches URLs, and returns what was found behind each.
Fetch = Callable[[Iterable[str]], Mapping[str, Remote]]


@dataclass(slots=True)
class FileTotals:
    """A file, the rules that are ignored in it, and the totals of its shards.

    *stopped_by* says why it was not read as JSON Lines.
    """

    source: Source
    ignored: frozenset[str]
    opened: OpenedFile
    totals: ShardTotals = field(default_factory=ShardTotals)
    stopped_by: str | None = None

    def shards(self, shard_bytes: int) -> Sequence[Shard]:
        """Return the file in shards of about *shard_bytes*; none if it is not JSON Lines."""
        opened, source = self.opened, self.source
        if opened.container != "JSONL":
            return ()
        start = len(BYTE_ORDER_MARK) if opened.byte_order_mark else 0
        try:
            shards = cut_shards(source.path, source.split, start, opened.bytes, shard_bytes)
        except OSError as error:
            self.give_up(error)
            return ()
        return [shard._replace(data_format=source.data_format, ignored=self.ignored) for shard in shards]

    def give_up(self, error: OSError) -> None:
        """Count the file as one that cannot be read, although it could be opened before."""
        words = error.strerror or type(error).__name__
        self.opened = OpenedFile(self.opened.bytes, "unreadable", byte_order_mark=False, error=words)


def count_files(
    files: Sequence[FileTotals],
    lint: LintShards,
    fetch: Fetch | None,
    *,
    shard_bytes: int,
    max_findings: int,
) -> None:
    """Add the totals of their shards, of about *shard_bytes*, to *files*, as the shards are done.

    Shards with URLs do not count until all URLs are fetched, each once; then these shards are linted
    again with what was found. Without *fetch* they count as they are.
    """
    shards = [(file, shard) for file in files for shard in file.shards(shard_bytes)]
    urls: dict[str, None] = {}
    parts: list[tuple[FileTotals, ShardTotals | Shard, dict[str, None]]] = []
    for (file, shard), result in zip(shards, lint([shard for _, shard in shards]), strict=True):
        if isinstance(result, OSError):
            file.give_up(result)
        elif result.urls and fetch:
            urls |= result.urls
            parts.append((file, shard, result.urls))
        elif parts and parts[-1][0] is file and isinstance(last := parts[-1][1], ShardTotals):
            last.extend(result, max_findings)
        else:
            parts.append((file, result, {}))
    again: Iterator[ShardResult] = iter(())
    if fetch and urls:
        remotes = fetch(urls)
        again = lint(
            [
                part._replace(remotes={url: remotes[url] for url in its if url in remotes})
                for _, part, its in parts
                if isinstance(part, Shard)
            ]
        )
    for file, part, _ in parts:
        result = next(again) if isinstance(part, Shard) else part
        if isinstance(result, OSError):
            file.give_up(result)
        else:
            file.totals.extend(result, max_findings)
    for file in files:
        if file.opened.error:
            file.totals = ShardTotals()
