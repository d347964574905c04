"""Totals of files, merged from the totals of their shards."""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_vft.checking.executors import ShardResult
from pytest_vft.checking.key_columns import distinct
from pytest_vft.checking.sizing import image_share, line_bytes
from pytest_vft.checking.tallies import shared_counts
from pytest_vft.checking.totals import ShardFinding, ShardTotals
from pytest_vft.gaps import Gaps
from pytest_vft.line_ranges import LineRanges
from pytest_vft.model import Source
from pytest_vft.reading.arrays import cut_array, open_array
from pytest_vft.reading.files import BYTE_ORDER_MARK, OpenedFile
from pytest_vft.reading.opening import file_status, has_changed
from pytest_vft.reading.parquet import cut_rows
from pytest_vft.reading.remote import Remote
from pytest_vft.reading.sampling import line_numbers, sample_file
from pytest_vft.reading.shards import SHARD_BYTES, Shard, cut_shards
from pytest_vft.reading.whole import whole_shard

# Yields the results of shards, in their order.
LintShards = Callable[[Sequence[Shard]], Iterator[ShardResult]]
# Fetches URLs and returns what was found behind each.
Fetch = Callable[[Iterable[str]], Mapping[str, Remote]]

_NO_LINES: Mapping[str, LineRanges] = {}  # one for all files
_DONE = Shard("", "train", 0, 0)  # in the place of a shard that takes memory and is needed no more
NOTHING = ShardTotals()  # the totals of files of which nothing was read yet


@dataclass(slots=True)
class FileTotals:
    """A file, the rules that are ignored in it, and its totals.

    *image_roots* are folders of local images besides that of the file; *stopped_by* is why the file was not
    read. The totals number entries, which are lines of JSON Lines, rows of Parquet or elements of an array;
    *starts* has the line on which each element starts, and is None for all but arrays. At most *sample*
    entries are read, 0 for all; *is_sample* says that others were left out. *number* is that of the source.
    """

    source: Source
    ignored: frozenset[str]
    opened: OpenedFile
    image_roots: tuple[str, ...] = ()
    totals: ShardTotals = field(default_factory=ShardTotals)
    stopped_by: str | None = None
    starts: array[int] | None = None
    sample: int = 0
    is_sample: bool = False
    number: int = 0
    _before: os.stat_result | None = None
    _drawn: array[int] | None = None
    _drawn_lines: array[int] | None = None
    _array_lines: int = 0
    _array_bytes: int = 0

    def shards(self, shard_bytes: int) -> Sequence[Shard]:
        """Return the shards of the file, of about *shard_bytes* of work; none if it is of another kind."""
        if not self.is_read:
            return ()
        if self.opened.bytes > SHARD_BYTES:  # others are read at once
            self._before = file_status(self.source.path)
        try:
            whole = self._whole()
            share = image_share(whole, self.image_roots)
            cut = self._sampled(whole) or self._cut(whole, line_bytes(shard_bytes, share))
        except OSError as error:
            self.mark_unreadable(error)
            return ()
        if not share and cut == [whole]:
            return cut
        return [
            one._replace(
                data_format=whole.data_format,
                layout=whole.layout,
                ignored=whole.ignored,
                image_bytes=int(one.bytes * share),
            )
            for one in cut
        ]

    @property
    def is_read(self) -> bool:
        """Whether the entries of the file are read: not those of a table, which are no examples."""
        return self.opened.is_read and not self.source.columns

    @property
    def gaps(self) -> Gaps:
        """The unknown verdicts of rules that are not ignored in the file."""
        gaps = self.totals.gaps
        if not (gaps and self.ignored):
            return gaps
        return {key: number for key, number in gaps.items() if key[1] not in self.ignored}

    def _whole(self) -> Shard:
        """Return the file as one shard. Raises OSError if an array cannot be read."""
        source = self.source
        whole = whole_shard(source.path, source.split, self.opened)
        return whole._replace(data_format=source.data_format, layout=source.layout, ignored=self.ignored)

    def _cut(self, whole: Shard, shard_bytes: int) -> Sequence[Shard]:
        path, split, start, end, *_ = whole
        if whole.rows:
            return cut_rows(path, split, shard_bytes)
        if whole.part:
            shards, self.starts, self._array_lines, self._array_bytes = cut_array(
                path, split, self.opened, shard_bytes
            )
            return shards
        if whole.compression or start < end <= start + shard_bytes:
            return [whole]
        return cut_shards(path, split, start, end, shard_bytes)

    def _sampled(self, whole: Shard) -> Sequence[Shard] | None:
        """Return the shards of a sample, None if all entries are read."""
        found = sample_file(whole, self.sample) if self.sample else None
        if found is None:
            return None
        self.is_sample, self._drawn = True, found.drawn
        if found.lines is not None:
            _, first_line = open_array(whole.path, whole.split, self.opened)
            self.starts = array("Q", [first_line + line for line in found.lines])
            self._array_lines = len(self.starts)
        return found.shards

    @property
    def bytes(self) -> int:
        """Size in bytes: that of its text if the file is compressed and was read, else that on disk."""
        if self.opened.compression is None or self.opened.error:
            return self.opened.bytes
        mark = len(BYTE_ORDER_MARK) if self.opened.byte_order_mark else 0
        return self._array_bytes or mark + self.totals.size

    @property
    def lines(self) -> int:
        """Number of lines."""
        return self.totals.lines if self.starts is None else self._array_lines

    def line(self, entry: int) -> int:
        """Return the line on which entry number *entry*, from 1, starts."""
        if self._drawn is not None:
            if self._drawn_lines is None:  # lines are counted for findings only
                self._drawn_lines = line_numbers(self._whole(), self._drawn)
            return self._drawn_lines[entry - 1]
        return self.starts[min(entry, len(self.starts)) - 1] if self.starts else entry

    def bad_lines(self) -> Mapping[str, LineRanges]:
        """Return the lines that fail each rule: those on which the failing entries start."""
        if self.starts is None and self._drawn is None:
            return self.totals.bad_lines or _NO_LINES
        found: dict[str, LineRanges] = {}
        for rule, ranges in self.totals.bad_lines.items():
            lines = found[rule] = LineRanges()
            for first, last in ranges:
                for entry in range(first, last + 1):
                    lines.add(self.line(entry))
        return found

    def located(self, found: ShardFinding) -> ShardFinding:
        """Return *found*, whose line is the number of its entry, with its place in the file."""
        if found.line is None or (self.starts is None and self._drawn is None):
            return found
        if self.starts is None:
            return found._replace(line=self.line(found.line))
        element = found.line - 1
        return found._replace(
            line=self.line(found.line), pointer=f"/{element}{found.pointer}", element=element
        )

    def add(self, totals: ShardTotals, max_findings: int) -> None:
        """Add *totals*, those of the next shards, with at most *max_findings* for each rule (0: all)."""
        if self.totals.lines:
            self.totals.extend(totals, max_findings)
        else:
            self.totals = totals
            totals.forget()
            totals.counts = shared_counts(totals.counts)

    def mark_unreadable(self, error: OSError) -> None:
        """Note that the file cannot be read, although it could be opened before."""
        words = error.strerror or type(error).__name__
        self.opened = OpenedFile(self.opened.bytes, "unreadable", byte_order_mark=False, error=words)

    def check_unchanged(self) -> None:
        """Note that a large file cannot be read if it has changed since shards(): two versions were read."""
        if self._before and not self.opened.error and has_changed(self.source.path, self._before):
            self.mark_unreadable(OSError(errno.EIO, "it has changed since the check began; run it again"))


def merge_files(
    files: Sequence[FileTotals], lint: LintShards, fetch: Fetch | None, *, shard_bytes: int, max_findings: int
) -> None:
    """Add the totals of their shards, of about *shard_bytes* of work, to *files*.

    Shards with URLs are linted again after all URLs are fetched, each once. Without *fetch*, their first
    results count.
    """
    shards: list[Shard] = []
    owners: list[FileTotals] = []
    for file in files:
        cut = file.shards(shard_bytes)
        shards += cut
        owners += [file] * len(cut)
    urls: dict[str, None] = {}
    parts: list[_Part] = []
    for number, result in enumerate(lint(shards)):
        file, shard = owners[number], shards[number]
        shards[number] = _DONE
        if isinstance(result, OSError):
            file.mark_unreadable(result)
        elif result.urls and fetch:
            urls |= result.urls
            parts.append(_Part(file, shard, result.urls))
        elif not parts or parts[-1].file is not file:
            file.add(result, max_findings)
        elif isinstance(last := parts[-1].part, ShardTotals):
            last.extend(result, max_findings)
        else:
            parts.append(_Part(file, result, {}))
    _add_parts(parts, urls, lint, fetch, max_findings)
    for file in files:
        file.check_unchanged()
        if file.opened.error or file.totals is NOTHING:
            file.totals = ShardTotals()
        if keys := file.totals.image_keys:
            file.totals.image_keys = distinct([keys])
        file.totals.looks.pack()


class _Part(NamedTuple):
    """A shard with *urls* of images to fetch, or the totals of the shards after one."""

    file: FileTotals
    part: ShardTotals | Shard
    urls: Mapping[str, None]


def _add_parts(
    parts: Sequence[_Part], urls: Iterable[str], lint: LintShards, fetch: Fetch | None, max_findings: int
) -> None:
    """Add *parts*, in their order, to the totals of their files, after *urls* are fetched."""
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
            file.add(result, max_findings)
