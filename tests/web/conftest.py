from __future__ import annotations

from collections.abc import Iterator

import pytest

from .server import Server, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that all tests of a module ask."""
    with serving() as one:
        yield one
