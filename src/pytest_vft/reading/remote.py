"""Images behind URLs: what a fetcher found, passed to the core as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple, Protocol

from pytest_vft.reading.images import ImageMeasurements
from pytest_vft.reading.links import Link

# The default time of a run without URLs: no signature expired before it.
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Remote(NamedTuple):
    """What was found behind a URL.

    *reachable* is None if that is not known; *cause* says why the URL is not reachable or why that is
    not known. *image* holds the measurements if the body is an image; otherwise *served* names what the
    body is. *public* is whether all addresses of the host are public, None if they are not known.
    *media_type* is what the server declared, *redirected_to* the final URL of a redirect. *content* is
    the key of an image that was read whole: that of a data URL with the same image.
    """

    reachable: bool | None
    cause: str | None = None
    image: ImageMeasurements | None = None
    served: str | None = None
    public: bool | None = True
    media_type: str | None = None
    redirected_to: str | None = None
    content: int | None = None


class FetchResults(NamedTuple):
    """A Remote for each URL; *trouble* is a local problem that explains why every server failed.

    *out_of_time* is whether the time for all URLs was over before the last one was settled.
    """

    remotes: Mapping[str, Remote]
    trouble: Literal["no network", "no certificates"] | None = None
    warnings: tuple[str, ...] = ()
    out_of_time: bool = False


class UrlProgress(NamedTuple):
    """One finished URL of *total*: its host, what was found, duration of the last request in seconds."""

    host: str
    remote: Remote
    seconds: float
    total: int


class ReadProgress(NamedTuple):
    """Number of linted bytes, of *total* bytes."""

    done: int
    total: int


Watch = Callable[[UrlProgress | ReadProgress], None]


def counted(watch: Watch | None, total: int) -> Callable[[int], None]:
    """Return a function that tells *watch* how much of *total* bytes is done, from numbers of bytes."""
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        if watch:
            watch(ReadProgress(done, total))

    return count


class Fetcher(Protocol):
    """Fetches the distinct URLs of a run once, before their lines are linted."""

    def fetch(self, urls: Iterable[str]) -> FetchResults:
        """Return what was found behind each of *urls*."""


def not_fetched(link: Link, *, allow_private: bool = False) -> Remote:
    """Return what is known about *link* without a request: whether a request may be sent."""
    if link.problem:
        return Remote(False, link.problem)
    if link.public is False and not allow_private:
        return Remote(False, link.not_public_because, public=False)
    return Remote(None, public=link.public or None)  # what is allowed is as unknown as any other host
