"""Which keys of a dataset occur several times, and how many there are.

A set takes 80 bytes for each key. Above a million keys these are sorted by numpy, with 16 bytes for each, or
without numpy, or if they are fewer, are divided into parts that are looked at in turn, with 16 bytes for each
and a set of a part.
The results are exact in either case.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from pytest_vft.reading.optional_numpy import find_numpy

_MANY = 1_000_000
_PART = 16_384  # keys; the set of a part takes 2 MB


def repeated(columns: Sequence[array[int]]) -> frozenset[int]:
    """Return the keys that occur more than once in *columns*."""
    found: set[int] = set()
    if (keys := _sorted(columns)) is not None:
        again = keys[1:][keys[1:] == keys[:-1]]
        return frozenset(again[_firsts(again)].tolist())
    for part in _parts(columns):
        seen: set[int] = set()
        for key in part:
            (found if key in seen else seen).add(key)
    return frozenset(found)


def distinct(columns: Sequence[array[int]]) -> array[int]:
    """Return the keys in *columns*, each once, sorted."""
    result = array("Q")
    if not any(columns):
        return result
    if (keys := _sorted(columns)) is not None:
        result.frombytes(keys[_firsts(keys)].tobytes())
        return result
    for part in _parts(columns):
        result.extend(sorted(set(part)))
    return result


def _sorted(columns: Sequence[array[int]]) -> Any | None:
    """Return the keys of *columns* in an array of numpy, sorted; None for few keys or without numpy."""
    if sum(map(len, columns)) <= _MANY or (np := find_numpy()) is None:
        return None
    keys = np.concatenate([np.frombuffer(column, np.uint64) for column in columns if column])
    keys.sort()
    return keys


def _firsts(keys: Any) -> Any:
    """Return where *keys*, which are sorted, differ from the key before."""
    is_first = keys == keys  # noqa: PLR0124 - true everywhere, without a name for numpy
    is_first[1:] = keys[1:] != keys[:-1]
    return is_first


def _parts(columns: Sequence[array[int]]) -> Iterator[Sequence[int]]:
    """Yield the keys of *columns* in parts of about _PART, with ascending keys from part to part.

    Keys are hashes, so the parts are of about the same size.
    """
    number = 1 + sum(map(len, columns)) // _PART
    if number == 1:
        yield list(chain.from_iterable(columns))
        return
    parts = [array("Q") for _ in range(number)]
    adders = [part.append for part in parts]
    for key in chain.from_iterable(columns):
        adders[key * number >> 64](key)
    yield from parts
