"""Pictures behind URLs: what a fetcher measured before linting, handed to the core as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from pytest_vft.reading.images import Picture


class Remote(NamedTuple):
    """What was found behind a URL.

    *reachable* is None when it is not settled; *cause* says why it is not reachable or not settled;
    *picture* is what the body measured, where there was one.
    """

    reachable: bool | None
    cause: str | None = None
    picture: Picture | None = None


class Fetcher(Protocol):
    """Fetches the distinct URLs of a run, once, before any line is linted."""

    def fetch(self, urls: Iterable[str]) -> Mapping[str, Remote]:
        """Return what was found behind each of *urls*."""
