"""The data format of a file, by its first examples."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

import orjson

from pytest_vft.formats.alike import reads_alike
from pytest_vft.formats.dataset_info import DatasetInfo, read_description
from pytest_vft.formats.foreign import recognise
from pytest_vft.formats.registry import data_formats, load_format
from pytest_vft.reading.elements import read_elements
from pytest_vft.reading.files import HEAD, PARQUET, OpenedFile, open_file, open_start
from pytest_vft.reading.object_paths import is_pinned
from pytest_vft.reading.parquet import read_rows, read_table
from pytest_vft.reading.shards import Shard, open_shard
from pytest_vft.reading.whole import whole_shard

_EXAMPLES = 16
_ENOUGH = 1024 * 1024  # bytes after which no further example is read
_LONGEST = 192 * 1024 * 1024  # bytes of an example; ten images of 10 MB have 133 MB in base64


class DetectedFormat(NamedTuple):
    """A data format with its layout; *columns* are those of a table, whose rows have no data format."""

    name: str
    layout: Mapping[str, str] = {}
    columns: tuple[str, ...] = ()


def detect_format(
    path: str, among: Sequence[str] = (), read: Callable[[str], DatasetInfo] | None = None
) -> DetectedFormat:
    """Return the data format of the file at *path*, one of *among* or of all; never raises.

    It is llamafactory if a dataset_info.json beside the file describes the file, else the format that reads
    most of the first examples, else the first of *among*. An object is read only once. *read* is that of
    read_description().
    """
    if not is_pinned(path):
        return _detect(path, among, read)
    name = ",".join(("format", *among))
    if name not in path.known:
        path.known[name] = _detect(path, among, read)
    found: DetectedFormat = path.known[name]
    return found


def _detect(path: str, among: Sequence[str], read: Callable[[str], DatasetInfo] | None) -> DetectedFormat:
    layout = read_description(path, read).layout if not among or "llamafactory" in among else None
    if layout is not None:
        return DetectedFormat("llamafactory", layout)
    found = FirstExamples(path)
    known = among or data_formats()
    told = next((name for name in found.names if name in known), None) or found.fullest_of(known)
    name = found.best_of(among) or told if len(among) > 1 else told
    return DetectedFormat(name, columns=() if found.names else table_columns(path))


class FirstExamples:
    """The first examples of the file at *path*, by the data formats that read them; never raises.

    *names* are the formats whose keys an example has, the likeliest first, or the one that is *given*;
    *likely* are those of them that most examples have.
    """

    def __init__(self, path: str, given: str | None = None) -> None:
        first: dict[str, int] = {}  # a Counter takes the time of an example
        read: dict[str, int] = {}
        try:
            self._examples = list(_first_examples(path))
        except OSError:
            self._examples = []
        for names in map(_readers, self._examples):
            for name in names:
                read[name] = read.get(name, 0) + 1
            if names:
                first[names[0]] = first.get(names[0], 0) + 1
        self.names = [given] if given else sorted(read, key=lambda name: (-read[name], -first.get(name, 0)))
        self.likely = [name for name in self.names if read.get(name) == read.get(self.names[0])]
        self._numbers: dict[str, int] = {}

    def best_of(self, known: Sequence[str]) -> str | None:
        """Return the one of *known*, the formats of a provider, that reads most of the examples.

        A format that the keys of the examples tell is preferred to one that reads as many of them. Another
        format must read more than half of the examples, as the conversations that they are. None is returned
        if there is no such format.
        """
        told = [name for name in self.likely if name in known]
        if told and self._number(told[0]) == len(self._examples):
            return told[0]
        best = max((*told[:1], *known), key=self._number)
        return best if 2 * self._number(best) > len(self._examples) else next(iter(told), None)

    def fullest_of(self, known: Sequence[str]) -> str:
        """Return the first one of *known* that reads most images in the examples."""

        def images(name: str) -> int:
            chats = map(load_format(name).read, self._examples)
            return sum(len(row[4]) for chat in chats for row in chat.rows)

        return max(known, key=images) if self.names else known[0]

    def _number(self, name: str) -> int:
        """Return how many of the examples the format *name* reads, as the likeliest format does."""
        if name not in self._numbers:
            likeliest = self.names[0] if self.names else name
            alike = (reads_alike(name, example, likeliest) for example in self._examples)
            self._numbers[name] = sum(alike)
        return self._numbers[name]


def table_columns(path: str) -> tuple[str, ...]:
    """Return the columns of the file at *path* if it is Parquet with rows; never raises."""
    opened = open_file(path)
    if not opened.is_read or opened.container != PARQUET:
        return ()
    try:
        table = read_table(path)
        deque(_first_examples(path), 0)  # damaged rows are no table either
    except OSError:
        return ()
    return table.columns if table.rows else ()


def _first_examples(path: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects among the first lines or elements of the file at *path*. Raises OSError."""
    opened, head = open_start(path)
    if not opened.is_read:
        return
    size = 0
    for raw in islice(_entries(path, opened, head), _EXAMPLES):
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError:
            value = None
        if isinstance(value, dict):
            yield value
        size += len(raw)
        if size > _ENOUGH:
            return


def _entries(path: str, opened: OpenedFile, head: bytes) -> Iterator[bytes]:
    """Yield the first entries of the file at *path*, which starts with *head*. Raises OSError."""
    whole = whole_shard(path, "train", opened)
    if whole.part:
        start = whole._replace(end=min(whole.end, whole.start + _LONGEST))
        yield from (element.raw for element in read_elements(start) if isinstance(element.raw, bytes))
        return
    if whole.rows:
        yield from (raw for raw in read_rows(whole) if isinstance(raw, bytes))
        return
    with _open_start(whole, opened, head) as file:
        while line := file.readline(_LONGEST):
            yield line


def _open_start(whole: Shard, opened: OpenedFile, head: bytes) -> BinaryIO:
    """Open the first lines of *whole*; *head* is the start of its file, or all of it. Raises OSError."""
    if len(head) == opened.bytes and not whole.compression:
        return BytesIO(head[whole.start :])
    return open_shard(whole._replace(end=min(whole.end, whole.start + _ENOUGH)), HEAD)


def _readers(example: Mapping[str, Any]) -> Sequence[str]:
    """Return the data formats that *example* may have, the likeliest first; none if nothing tells it."""
    entry = recognise(example)
    if entry is None or "data_format" not in entry:
        return ()
    if entry["data_format"] == "openai" and ("images" in example or "image" in example):
        return ()  # empty columns: a line without images in a file of any format
    return (entry["data_format"], *entry.get("also", ()))
