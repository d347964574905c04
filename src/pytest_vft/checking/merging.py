"""Totals of files, merged from the totals of their shards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_vft.checking.executors import ShardResult
from pytest_vft.checking.sizing import image_share, line_bytes
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.model import Source
from pytest_vft.reading.files import BYTE_ORDER_MARK, OpenedFile
from pytest_vft.reading.remote import Remote
from pytest_vft.reading.shards import Shard, cut_shards

# Yields the results of shards, in their order.
LintShards = Callable[[Sequence[Shard]], Iterator[ShardResult]]
# Fetches URLs and returns what was found behind each.
Fetch = Callable[[Iterable[str]], Mapping[str, Remote]]


@dataclass(slots=True)
class FileTotals:
    """A file, the rules that are ignored in it, and its totals.

    *image_roots* are folders of local images besides that of the file; *stopped_by* is why the file was not
    read.
    """

    source: Source
    ignored: frozenset[str]
    opened: OpenedFile
    image_roots: tuple[str, ...] = ()
    totals: ShardTotals = field(default_factory=ShardTotals)
    stopped_by: str | None = None

    def shards(self, shard_bytes: int) -> Sequence[Shard]:
        """Return the shards of the file, of about *shard_bytes* of work; none if it is not JSON Lines."""
        opened, source = self.opened, self.source
        if opened.container != "JSONL":
            return ()
        start = len(BYTE_ORDER_MARK) if opened.byte_order_mark else 0
        whole = Shard(source.path, source.split, start, opened.bytes, source.data_format, self.ignored)
        whole = whole._replace(layout=source.layout)
        try:
            share = image_share(whole, self.image_roots)
            cut = cut_shards(whole.path, whole.split, start, whole.end, line_bytes(shard_bytes, share))
        except OSError as error:
            self.mark_unreadable(error)
            return ()
        return [
            whole._replace(start=one.start, end=one.end, image_bytes=int((one.end - one.start) * share))
            for one in cut
        ]

    def mark_unreadable(self, error: OSError) -> None:
        """Note that the file cannot be read, although it could be opened before."""
        words = error.strerror or type(error).__name__
        self.opened = OpenedFile(self.opened.bytes, "unreadable", byte_order_mark=False, error=words)


def merge_files(
    files: Sequence[FileTotals], lint: LintShards, fetch: Fetch | None, *, shard_bytes: int, max_findings: int
) -> None:
    """Add the totals of their shards, of about *shard_bytes* of work, to *files*.

    Shards with URLs are linted again after all URLs are fetched, each once. Without *fetch*, their first
    results count.
    """
    shards = [(file, shard) for file in files for shard in file.shards(shard_bytes)]
    urls: dict[str, None] = {}
    parts: list[tuple[FileTotals, ShardTotals | Shard, dict[str, None]]] = []
    for (file, shard), result in zip(shards, lint([shard for _, shard in shards]), strict=True):
        if isinstance(result, OSError):
            file.mark_unreadable(result)
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
        with_urls = [
            part._replace(remotes={url: remotes[url] for url in shown if url in remotes})
            for _, part, shown in parts
            if isinstance(part, Shard)
        ]
        again = lint(with_urls)
    for file, part, _ in parts:
        result = next(again) if isinstance(part, Shard) else part
        if isinstance(result, OSError):
            file.mark_unreadable(result)
        else:
            file.totals.extend(result, max_findings)
    for file in files:
        if file.opened.error:
            file.totals = ShardTotals()
