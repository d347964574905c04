"""Fixtures for all tests: a plugin tester, and no access to the network."""

import signal

import pytest

pytest_plugins = ["pytester"]

# A shell starts background jobs with Ctrl-C ignored, and their children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of the network ask for it, and their servers listen on loopback only."""
    monkeypatch.setenv("VFT_OFFLINE", "1")
