"""Images behind URLs: what a fetcher measured, handed to the core as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol

from pytest_vft.reading.images import ImageMeasurements
from pytest_vft.reading.links import Link

# Where the time does not matter: nothing that was ever signed has expired.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Remote(NamedTuple):
    """What was found behind a URL.

    *reachable* is None when it is not settled; *cause* says why it is not reachable or not settled;
    *image* is what the body measured, and *served* what the body is where it is none. *public* is
    whether each of its host's addresses is, None when they are not known. *media_type* is what the
    server declared, *redirected_to* where the answer came from, when it was from elsewhere.
    """

    reachable: bool | None
    cause: str | None = None
    image: ImageMeasurements | None = None
    served: str | None = None
    public: bool | None = True
    media_type: str | None = None
    redirected_to: str | None = None


class FetchContext(NamedTuple):
    """What measuring needs to know besides the data: what is behind URLs, and the time."""

    remotes: Mapping[str, Remote]
    now: datetime = LONG_AGO


class FetchResults(NamedTuple):
    """What a fetcher found: a Remote for each URL.

    *trouble* is what seems to be wrong at this end, where it explains why every server failed.
    """

    remotes: Mapping[str, Remote]
    trouble: Literal["no network", "no certificates"] | None = None
    warnings: tuple[str, ...] = ()


class UrlProgress(NamedTuple):
    """One URL that is done with, *of* so many: its host, what was found, seconds of its last request."""

    host: str
    remote: Remote
    seconds: float
    of: int


class ReadProgress(NamedTuple):
    """How many bytes of the files are linted, *of* so many."""

    done: int
    of: int


Watch = Callable[[UrlProgress | ReadProgress], None]


class Fetcher(Protocol):
    """Fetches the distinct URLs of a run, once; lines are linted with what it found."""

    def fetch(self, urls: Iterable[str]) -> FetchResults:
        """Return what was found behind each of *urls*."""


def unasked(link: Link) -> Remote:
    """Return what is known of *link* before anybody asked."""
    if link.problem:
        return Remote(False, link.problem)
    if link.public is False:
        return Remote(False, link.because, public=False)
    return Remote(None, public=link.public)
