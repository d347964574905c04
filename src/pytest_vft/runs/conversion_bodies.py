"""Images behind URLs, fetched into a folder for a conversion."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pytest_vft.catalogue.cases import draw
from pytest_vft.converting.images import body_name
from pytest_vft.reading.remote import Watch
from pytest_vft.runs.fetcher import fetcher
from pytest_vft.runs.settings import Settings


class Bodies:
    """Images behind URLs in a folder; *causes* says why others are not there."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.causes: dict[str, str] = {}

    def keep(self, url: str, image: bytes) -> None:
        """Write *image*, which is behind *url*."""
        Path(self.folder, body_name(url)).write_bytes(image)


def pretend_bodies(urls: Collection[str], folder: str) -> Bodies:
    """Write a small sound image into *folder* for each of *urls*, as if it had been fetched."""
    bodies = Bodies(folder)
    for url in urls:
        bodies.keep(url, draw("png 64x64 rgb")[1])
    return bodies


def fetch_bodies(settings: Settings, urls: Collection[str], folder: str, watch: Watch | None) -> Bodies:
    """Fetch *urls* into *folder*."""
    bodies = Bodies(folder)
    if settings.network.offline:
        bodies.causes = dict.fromkeys(urls, "--offline does not fetch")
    elif urls:
        fetched = fetcher([settings], (), watch, bodies.keep).fetch(sorted(urls))
        for url, remote in fetched.remotes.items():
            if remote.content is None:
                served = f"it is {remote.served}" if remote.served else "it is too large or damaged"
                bodies.causes[url] = remote.cause or served
    return bodies
