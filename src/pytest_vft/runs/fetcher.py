"""The fetcher of a run, by its settings and rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.measuring import needed_measurers
from pytest_vft.reading.remote import Fetcher, Watch
from pytest_vft.runs.settings import Settings

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
    from pytest_vft.web.fetching import make_fetcher  # noqa: PLC0415 - aiohttp takes 0.2 s to import

    settings = several[0]
    bound = (rule for one in several for rule in one.bound.values())
    bounds = [rule.params[rule.bounds_fetch] for rule in bound if rule.bounds_fetch]
    return make_fetcher(
        settings.network,
        folder=settings.config.folder,
        max_bytes=max(bounds, default=MAX_FETCHED),
        full=settings.depth == "full" or keep is not None,
        measurers=needed_measurers(rules, settings.sources, detectors=settings.detectors.measurers),
        budget=settings.url_budget,
        watch=watch,
        keep=keep,
    )
