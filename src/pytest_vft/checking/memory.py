"""Shards as they were linted before: what has not changed since is only read."""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import orjson
import PIL
import pybase64
from xxhash import xxh3_64_digest, xxh3_128, xxh3_128_digest

from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.totals import NUMBERS, CacheRow, ShardFinding, ShardTotals, ShotTable, TurnTable
from pytest_vft.reading.image_cache import ImageCache
from pytest_vft.reading.shards import Shard
from pytest_vft.reading.sqlite import Database
from pytest_vft.resources import rules_root

_FILE = "shards.sqlite"
_TABLE = "shards (key BLOB PRIMARY KEY, value BLOB NOT NULL)"
_ADD = "INSERT OR REPLACE INTO shards VALUES (?, ?)"
# The oldest go when all together have too many bytes.
_FORGET = """DELETE FROM shards WHERE rowid <= (SELECT max(rowid) FROM (
    SELECT rowid, sum(length(value)) OVER (ORDER BY rowid DESC) AS total FROM shards) WHERE total > ?)"""
_MOST_BYTES = 100 * 1024 * 1024
_LARGEST = 1024 * 1024  # bytes of one result
_WRITTEN_AT_ONCE = 8 * 1024 * 1024

# Bytes of a shard. A smaller one is linted faster than it is worth asking; a larger one is one line.
_SMALLEST_SHARD = 1024 * 1024
_LARGEST_SHARD = 64 * 1024 * 1024
_HEAD = 64 * 1024
_PIECE = 1024 * 1024
_SUM = 8  # bytes of a value that are its checksum
_CONTENT = 16  # and, behind them, the hash of all that the shard held

# What a result depends on besides the data: how these parts of the package are written.
_PACKAGE = Path(__file__).parents[1]
_PARTS = (".", "catalogue", "checking", "facts", "formats", "reading")


class ShardMemory:
    """Results of shards in shards.sqlite in the cache folder of *plan*, for this plan and this code.

    A shard is found by its length and its first 64 KiB, so that one that is new is not read twice, and
    is the same when all of it has the same hash. Shards with URLs are not remembered: what is behind
    these changes.
    """

    def __init__(self, folder: Path, plan: LintPlan) -> None:
        self._database = Database(folder / _FILE, _TABLE, read_only=True)
        self._plan = plan
        self._setting = b""

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def key(self, shard: Shard) -> bytes | None:
        """Return the key of *shard*; None when it is not worth it. Raises OSError if it cannot be read."""
        if not _SMALLEST_SHARD <= shard.end - shard.start <= _LARGEST_SHARD:
            return None
        self._setting = self._setting or _setting(self._plan)
        about = repr(
            (shard.split, shard.data_format, sorted(shard.ignored), shard.end - shard.start)
        ).encode()
        head = next(_pieces(shard, _HEAD), b"")
        return xxh3_128_digest(self._setting + about + head)

    def may_know(self, shard: Shard) -> bool:
        """Return whether there is a result for a shard that begins like *shard*."""
        try:
            key = self.key(shard)
        except OSError:
            return False
        return bool(key and self._database.read("SELECT 1 FROM shards WHERE key = ?", (key,)))

    def recall(self, key: bytes, shard: Shard) -> ShardTotals | None:
        """Return what *shard*, whose key is *key*, came to. Raises OSError when it cannot be read."""
        rows = self._database.read("SELECT value FROM shards WHERE key = ?", (key,))
        if not rows or not isinstance(rows[0][0], bytes):
            return None
        value: bytes = rows[0][0]
        total, content, packed = value[:_SUM], value[_SUM : _SUM + _CONTENT], value[_SUM + _CONTENT :]
        if xxh3_64_digest(key + content + packed) != total:
            return None
        hashed = xxh3_128()
        for piece in _pieces(shard, _PIECE):
            hashed.update(piece)
        return unpack(packed) if hashed.digest() == content else None


def remembered(key: bytes, content: bytes, counted: ShardTotals) -> CacheRow | None:
    """Return what is to be remembered of a shard, given its key and the hash of all that it holds."""
    packed = None if counted.urls else pack(counted)
    if packed is None or len(packed) > _LARGEST:
        return None
    return CacheRow(key, xxh3_64_digest(key + content + packed) + content + packed)


class RunCache:
    """What a run keeps for the next: measurements of images, and results of shards."""

    def __init__(self, folder: Path) -> None:
        self._images = ImageCache(folder)
        self._shards = Database(folder / _FILE, _TABLE)
        self._rows: list[CacheRow] = []

    @property
    def warnings(self) -> list[str]:
        """What went wrong with the files; it costs what they hold, never the run."""
        return [*self._images.warnings, *self._shards.warnings]

    def add(self, counted: ShardTotals) -> None:
        """Keep what is new in a shard, at the latest when this is closed."""
        self._images.add(counted.measured)
        if counted.row:
            self._rows.append(counted.row)
        if sum(len(row.value) for row in self._rows) > _WRITTEN_AT_ONCE:
            self._write()

    def close(self) -> None:
        """Write what waits, and use the files no more."""
        self._images.close()
        self._write()
        self._shards.close()

    def _write(self) -> None:
        if self._rows:
            self._shards.write((_ADD, self._rows), (_FORGET, [(_MOST_BYTES,)]))
            self._rows = []


def pack(counted: ShardTotals) -> bytes | None:
    """Return *counted* as JSON; None when it holds text that is no Unicode."""
    turns, shots = counted.turns, counted.shots
    fields = [
        [getattr(counted, name) for name in NUMBERS],
        [_text(array("Q", counted.distinct_images)), *map(_text, (turns.rows, turns.images, shots.rows))],
        shots.pointers,
        {scope: [[list(verdicts), n] for verdicts, n in of.items()] for scope, of in counted.counts.items()},
        [list(finding) for finding in counted.findings],
        counted.dropped,
    ]
    try:
        return orjson.dumps(fields)
    except TypeError:
        return None


def unpack(packed: bytes) -> ShardTotals | None:
    """Return what pack() was given; None for anything else."""
    try:
        numbers, columns, pointers, counts, findings, dropped = orjson.loads(packed)
        images, turns, shown, shots = map(_numbers, columns)
        listed = [ShardFinding(*one) for one in findings]
        return ShardTotals(
            **dict(zip(NUMBERS, numbers, strict=True)),
            distinct_images=set(images),
            turns=TurnTable(turns, shown),
            shots=ShotTable(shots, list(map(sys.intern, pointers))),
            counts={
                scope: Counter({tuple(verdicts): number for verdicts, number in of})
                for scope, of in counts.items()
            },
            findings=listed,
            kept=Counter(one.rule for one in listed),
            dropped=Counter(dropped),
        )
    except (ValueError, TypeError, AttributeError):
        return None


def _text(numbers: array[int]) -> str:
    return pybase64.b64encode(numbers.tobytes()).decode()


def _numbers(text: str) -> array[int]:
    numbers = array("Q")
    numbers.frombytes(pybase64.b64decode(text, validate=True))
    return numbers


def _pieces(shard: Shard, size: int) -> Iterator[bytes]:
    left = shard.end - shard.start
    with open(shard.path, "rb", buffering=0) as file:  # noqa: PTH123 - the path is kept as the user wrote it
        file.seek(shard.start)
        while left > 0 and (piece := file.read(min(size, left))):
            left -= len(piece)
            yield piece


def _setting(plan: LintPlan) -> bytes:
    """Return a hash of all that results depend on, but for the data."""
    from pytest_vft.reading.tokenizer import vocabulary_path  # noqa: PLC0415 - 4 ms, for large files only

    rules = (plan.rules, plan.image_tokens, plan.full, plan.max_findings)
    counting = find_spec("tiktoken") is not None and vocabulary_path().is_file()
    about = repr((rules, counting, PIL.__version__, sys.byteorder)).encode()
    code = sorted(path for part in _PARTS for path in (_PACKAGE / part).glob("*.py"))
    code += sorted(path for path in rules_root().iterdir() if path.is_file())  # schemas, names of formats
    return xxh3_128_digest(about + b"".join(path.read_bytes() for path in code))
