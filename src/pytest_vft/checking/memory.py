"""A cache of the totals of shards: a shard that has not changed is read but not linted again."""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import orjson
import pybase64
from xxhash import xxh3_64_digest, xxh3_128, xxh3_128_digest

from pytest_vft.checking.looks import LookTable
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.software import software_hash
from pytest_vft.checking.totals import NUMBERS, ShardFinding, ShardTotals
from pytest_vft.checking.turn_tables import ShotTable, TurnTable
from pytest_vft.line_ranges import LineRanges
from pytest_vft.reading.image_cache import ImageCache
from pytest_vft.reading.local_images import LocalImages
from pytest_vft.reading.object_paths import is_pinned
from pytest_vft.reading.roots import FileIdentity
from pytest_vft.reading.shards import Shard, read_pieces
from pytest_vft.reading.sqlite import Database

_FILE = "shards.sqlite"
_TABLE = "shards (key BLOB PRIMARY KEY, value BLOB NOT NULL)"
_ADD = "INSERT OR REPLACE INTO shards VALUES (?, ?)"
# Deletes the oldest rows above a total number of bytes.
_FORGET = """DELETE FROM shards WHERE rowid <= (SELECT max(rowid) FROM (
    SELECT rowid, sum(length(value)) OVER (ORDER BY rowid DESC) AS total FROM shards) WHERE total > ?)"""
_MOST_BYTES = 100 * 1024 * 1024
_LARGEST = 16 * 1024 * 1024  # bytes of one result
_WRITTEN_AT_ONCE = 8 * 1024 * 1024
_UNWRITTEN = 1.0  # seconds of work that a killed run may lose, beside the shards in work

# Bytes of a shard. Smaller shards are linted faster than looked up; a larger shard is a single line,
# or a compressed file.
_SMALLEST_SHARD = 1024 * 1024
_LARGEST_SHARD = 128 * 1024 * 1024
_HEAD = 64 * 1024
_PIECE = 1024 * 1024
_SUM = 8  # bytes of the checksum in a value
_CONTENT = 16  # bytes of the hash of the whole shard, which follows
_FIRST_FILES = 16  # local images that show whether the images of a shard were replaced


class ShardMemory:
    """Totals of shards in shards.sqlite in *folder*, for one plan and one version of the code.

    The key is made of length and first 64 KiB, so that a new shard is not read twice; the hash of the
    whole shard is compared as well, and the identity of each local image. A shard of an object in object
    storage is not read: its key is made of URL, ETag and bounds. Shards with URLs are not cached,
    since their contents may change, nor are shards with images that were too large to decode, since another
    run may decode them.
    """

    def __init__(self, folder: Path, plan: LintPlan) -> None:
        self._database = Database(folder / _FILE, _TABLE, read_only=True)
        if not plan.reads_cache:
            self._database.close()  # it finds nothing, and new totals are still given a row
        self._plan = plan
        self._setting = b""

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def key(self, shard: Shard) -> bytes | None:
        """Return the key of *shard*, None if it is not cached. Raises OSError if it cannot be read."""
        size, pinned = shard.bytes, is_pinned(shard.path)
        is_large = size > _LARGEST_SHARD and not shard.compression
        if not pinned and (shard.work < _SMALLEST_SHARD or is_large):
            return None
        self._setting = self._setting or _setting(self._plan)
        fields = (
            shard.split,
            shard.data_format,
            sorted(shard.layout.items()),
            sorted(shard.ignored),
            shard.part,
            shard.rows,
            shard.compression,
            size,
        )
        if is_pinned(shard.path):
            start = repr((shard.path, shard.path.etag, shard.start)).encode()
        else:
            start = next(read_pieces(shard, _HEAD), b"")
        return xxh3_128_digest(self._setting + repr(fields).encode() + start)

    def may_know(self, shard: Shard, files: LocalImages) -> bool:
        """Return whether the cache has totals for the key of *shard*, and its first *files* are unchanged."""
        try:
            key = self.key(shard)
        except OSError:
            return False
        if key and shard.image_bytes:
            row = self._row(key)
            return row is not None and _are_unchanged(row.files, files, _FIRST_FILES)
        return bool(key and self._database.read("SELECT 1 FROM shards WHERE key = ?", (key,)))

    def recall(self, key: bytes, shard: Shard, files: LocalImages) -> ShardTotals | None:
        """Return the cached totals of *shard*, if any. Raises OSError if the shard cannot be read."""
        row = self._row(key)
        if row is None or not _are_unchanged(row.files, files):
            return None
        if is_pinned(shard.path):
            return unpack(row.packed)
        hashed = xxh3_128()
        for piece in read_pieces(shard, _PIECE):
            hashed.update(piece)
        return unpack(row.packed) if hashed.digest() == row.content else None

    def _row(self, key: bytes) -> _Row | None:
        rows = self._database.read("SELECT value FROM shards WHERE key = ?", (key,))
        value = rows[0][0] if rows else None
        if not isinstance(value, bytes) or xxh3_64_digest(key + value[_SUM:]) != value[:_SUM]:
            return None
        content, rest = value[_SUM : _SUM + _CONTENT], value[_SUM + _CONTENT :]
        files, _, packed = rest.partition(b"\n")
        return _Row(content, files, packed)


class _Row(NamedTuple):
    """A row of the cache: the hash of the shard, its local images, or nothing, and its totals."""

    content: bytes
    files: bytes
    packed: bytes


def _are_unchanged(packed: bytes, files: LocalImages, most: int | None = None) -> bool:
    """Return whether the *packed* local images of a shard, or *most* of them, are as they were."""
    if not packed:
        return True
    folders, seen = orjson.loads(packed)
    if tuple(folders) != files.folders:
        return False
    return files.are_unchanged(
        {path: (kind, identity and FileIdentity(*identity)) for path, kind, identity in seen[:most]}
    )


def cache_row(
    key: bytes, content: bytes, totals: ShardTotals, files: LocalImages
) -> tuple[bytes, bytes] | None:
    """Return key and value for the cache, None if *totals* are not cached.

    *content* is the hash of the shard, *files* the local images that were looked up for it.
    """
    seen = files.pop_seen()
    packed = None if totals.urls or _may_be_decoded(totals) else pack(totals)
    if packed is None:
        return None
    try:
        listed = [(path, kind, identity and tuple(identity)) for path, (kind, identity) in seen.items()]
        row = content + (orjson.dumps((files.folders, listed)) if seen else b"") + b"\n" + packed
    except TypeError:  # a path is not Unicode, or an inode has more than 64 bits
        return None
    return None if len(row) > _LARGEST else (key, xxh3_64_digest(key + row) + row)


def _may_be_decoded(totals: ShardTotals) -> bool:
    """Return whether another run may decode images that were too large for this one."""
    causes = {cause for cause, _ in totals.gaps}
    return not causes.union(totals.looks.causes()).isdisjoint(("undecoded", "oversized"))


class RunCache:
    """The caches that a run writes: measurements of images, and totals of shards."""

    def __init__(self, folder: Path) -> None:
        self._images = ImageCache(folder)
        self._shards = Database(folder / _FILE, _TABLE)
        self._rows: list[tuple[bytes, bytes]] = []
        self._written = monotonic()

    @property
    def warnings(self) -> list[str]:
        """Problems with the files, which disable the caches but do not fail the run."""
        return [*self._images.warnings, *self._shards.warnings]

    def add(self, totals: ShardTotals) -> None:
        """Store what is new in *totals*, within a second of work, so that a run that is killed can go on."""
        self._images.add(totals.measured)
        if totals.row:
            self._rows.append(totals.row)
        size = sum(len(value) for _, value in self._rows)
        if size > _WRITTEN_AT_ONCE or monotonic() - self._written > _UNWRITTEN:
            self._write()

    def close(self) -> None:
        """Write pending rows and close the files."""
        self._images.close()
        self._write()
        self._shards.close()

    def _write(self) -> None:
        if self._rows:
            self._shards.write((_ADD, self._rows), (_FORGET, [(_MOST_BYTES,)]))
            self._rows = []
        self._written = monotonic()


def pack(totals: ShardTotals) -> bytes | None:
    """Return *totals* as JSON; None if they contain text that is not Unicode."""
    arrays = (totals.image_keys, totals.turns.rows, totals.turns.images, totals.shots.rows)
    looks = totals.looks
    fields = [
        [getattr(totals, name) for name in NUMBERS],
        [_base64(numbers) for numbers in arrays],
        totals.shots.pointers,
        {scope: [[list(key), number] for key, number in c.items()] for scope, c in totals.counts.items()},
        [list(finding) for finding in totals.findings],
        [dict(one) for one in (totals.dropped, totals.other_tokens)],
        [[cause, rule, number] for (cause, rule), number in totals.gaps.items()],
        {rule: _base64(ranges.bounds) for rule, ranges in totals.bad_lines.items()},
        dict(totals.folders),
        dict(totals.first_keys),
        [_base64(looks.rows), pybase64.b64encode(bytes(looks.fingerprints)).decode()],
    ]
    try:
        return orjson.dumps(fields)
    except TypeError:
        return None


def unpack(packed: bytes) -> ShardTotals | None:
    """Return the totals that pack() returned as *packed*, None for anything else."""
    try:
        numbers, columns, pointers, counts, findings, counters, gaps, *others = orjson.loads(packed)
        images, turns, shown, shots = map(_numbers, columns)
        dropped, other_tokens = counters
        bad_lines, folders, first_keys, (looks, fingerprints) = others
        kept = [ShardFinding(*finding) for finding in findings]
        totals = ShardTotals(
            **dict(zip(NUMBERS, numbers, strict=True)),
            image_keys=images,
            turns=TurnTable(turns, shown),
            looks=LookTable(_numbers(looks), bytearray(pybase64.b64decode(fingerprints, validate=True))),
            shots=ShotTable(shots, list(map(sys.intern, pointers))),
            counts={
                scope: {tuple(verdicts): number for verdicts, number in pairs}
                for scope, pairs in counts.items()
            },
            findings=kept,
            kept=Counter(finding.rule for finding in kept),
            dropped=Counter(dropped),
            gaps=Counter({(cause, rule): number for cause, rule, number in gaps}),
            other_tokens=Counter(other_tokens),
            folders=folders,
            first_keys={key: (line, start) for key, (line, start) in first_keys.items()},
            bad_lines={rule: LineRanges(_numbers(bounds)) for rule, bounds in bad_lines.items()},
        )
        totals.pack()
    except (ValueError, TypeError, AttributeError):
        return None
    return totals


def _base64(numbers: array[int]) -> str:
    return pybase64.b64encode(array("Q", numbers).tobytes()).decode()


def _numbers(text: str) -> array[int]:
    numbers = array("Q")
    numbers.frombytes(pybase64.b64decode(text, validate=True))
    return numbers


def _setting(plan: LintPlan) -> bytes:
    """Return a hash of everything that affects results, except the data."""
    measurers = [measurer.id for measurer in plan.measurers]
    counters = (plan.image_tokens, plan.other_tokens, plan.counters)
    about = repr((plan.rules, counters, plan.full, plan.buckets, plan.max_findings, measurers, sys.byteorder))
    return xxh3_128_digest(about.encode() + software_hash())
