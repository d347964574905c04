"""Line numbers as ranges."""

from __future__ import annotations

import pickle
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from pytest_vft.line_ranges import LineRanges, union

numbers = st.sets(st.integers(1, 60))


def ranges(lines: Iterable[int]) -> LineRanges:
    found = LineRanges()
    for line in sorted(lines):
        found.add(line)
    return found


def lines(found: LineRanges) -> set[int]:
    return {line for first, last in found for line in range(first, last + 1)}


@given(numbers)
def test_lines_are_kept_exactly(given: set[int]) -> None:
    found = ranges(given)

    assert lines(found) == given
    assert len(found) == len(given)
    bounds = list(found.bounds)
    assert bounds == sorted(bounds)
    assert all(first - last > 1 for last, first in zip(bounds[1::2], bounds[2::2], strict=False))


@given(numbers, numbers, st.integers(60, 70))
def test_ranges_of_shards_are_joined(first: set[int], second: set[int], offset: int) -> None:
    whole = ranges(first)
    whole.extend(ranges(second), offset)

    assert whole == ranges(first | {line + offset for line in second})


@given(st.lists(numbers, max_size=4))
def test_union_has_the_lines_of_all(sets: list[set[int]]) -> None:
    assert union(map(ranges, sets)) == ranges(set().union(*sets))


def test_line_that_is_added_twice_counts_once() -> None:
    found = ranges([3])
    found.add(3)

    assert list(found) == [(3, 3)]


def test_ten_million_bad_lines_take_one_range() -> None:
    found = LineRanges()
    found.add(1, 5_000_000)
    found.extend(found, 5_000_000)

    assert list(found) == [(1, 10_000_000)]
    assert len(found) == 10_000_000
    assert len(pickle.dumps(found)) < 500
