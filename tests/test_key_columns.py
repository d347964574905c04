"""Keys that occur several times, by sets, by numpy and in parts."""

from __future__ import annotations

from array import array
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vft.checking import key_columns
from pytest_vft.checking.key_columns import distinct, repeated

KEYS = st.integers(0, 2**64 - 1) | st.integers(0, 5) | st.integers(2**64 - 5, 2**64 - 1)
COLUMNS = st.lists(st.lists(KEYS).map(lambda keys: array("Q", keys)), max_size=4)


@pytest.fixture(params=["sets", "numpy", "parts"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Find keys in one way, however few there are."""
    if request.param == "numpy":
        pytest.importorskip("numpy")
    if request.param != "sets":
        monkeypatch.setattr(key_columns, "_MANY", 2)
    if request.param == "parts":
        monkeypatch.setattr(key_columns, "_PART", 2)
        monkeypatch.setattr(key_columns, "find_numpy", lambda: None)


@pytest.mark.usefixtures("_way")
def test_keys_are_counted_exactly() -> None:
    @given(columns=COLUMNS)
    def counted(columns: list[array[int]]) -> None:
        times = Counter(key for column in columns for key in column)
        assert repeated(columns) == {key for key, number in times.items() if number > 1}
        assert distinct(columns).tolist() == sorted(times)

    counted()
