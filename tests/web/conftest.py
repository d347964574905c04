from __future__ import annotations

from collections.abc import Iterator

import pytest

from .server import Server, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that all tests of a module ask."""
    with serving() as one:
        yield one


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs use the network: each test sees to it that they find loopback there."""
    monkeypatch.delenv("VFT_OFFLINE", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
