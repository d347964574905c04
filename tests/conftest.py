"""Fixtures for all tests: a plugin tester, and no access to the network."""

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of the network ask for it, and their servers listen on loopback only."""
    monkeypatch.setenv("VFT_OFFLINE", "1")
