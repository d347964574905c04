"""The fetcher of a run, by its settings and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.measuring import needed_measurers
from pytest_vft.reading.object_paths import is_object
from pytest_vft.reading.remote import Fetcher, FetchResults, Watch
from pytest_vft.runs.settings import Settings
from pytest_vft.web.network import Network

MAX_FETCHED = 10_485_760  # bytes of an image, if no rule limits a fetch


def fetcher(
    several: Sequence[Settings],
    rules: Sequence[Rule],
    watch: Watch | None,
    keep: Callable[[str, bytes], None] | None = None,
) -> Fetcher:
    """Return the fetcher of a run of *rules* with *several* settings, which differ only in the provider.

    *watch* is called after each URL. With *keep*, which is called with each URL and the image behind it,
    images are read whole.
    """
    settings = several[0]
    bound = (rule for one in several for rule in one.bound.values())
    bounds = [rule.params[rule.bounds_fetch] for rule in bound if rule.bounds_fetch]
    return _ImageFetcher(
        settings.network,
        {
            "folder": settings.config.folder,
            "max_bytes": max(bounds, default=MAX_FETCHED),
            "full": settings.depth == "full" or keep is not None,
            "measurers": needed_measurers(rules, settings.sources, detectors=settings.detectors.measurers),
            "budget": settings.url_budget,
            "watch": watch,
            "keep": keep,
        },
    )


class _ImageFetcher(NamedTuple):
    """Fetches images behind URLs and in object storage."""

    network: Network
    options: Mapping[str, Any]

    def fetch(self, urls: Iterable[str]) -> FetchResults:
        """Return what was found behind each of *urls*."""
        # aiohttp takes 0.2 s to import, also for the description of images.
        from pytest_vft.web.bucket_images import bucket_reader  # noqa: PLC0415
        from pytest_vft.web.fetching import make_fetcher  # noqa: PLC0415

        asked = list(urls)
        in_buckets = [url for url in asked if is_object(url)]
        behind = [url for url in asked if not is_object(url)]
        found = make_fetcher(self.network, **self.options).fetch(behind) if behind else FetchResults({})
        if not in_buckets:
            return found
        remotes = bucket_reader(self.network, **self.options).fetch(in_buckets)
        return found._replace(remotes={**found.remotes, **remotes})
