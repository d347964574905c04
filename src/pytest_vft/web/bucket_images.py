"""Images in object storage, read with the credentials of this machine; see fetching for those behind URLs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytest_vft.reading.measurers import Measurer
from pytest_vft.reading.object_errors import ObjectError
from pytest_vft.reading.object_paths import bucket_of
from pytest_vft.reading.objects import read_start
from pytest_vft.reading.remote import Remote, UrlProgress, Watch
from pytest_vft.reading.sqlite import FOLDER
from pytest_vft.reading.waiting import at_once
from pytest_vft.web.answers import DAY, Body, read_body
from pytest_vft.web.cache import UrlCache
from pytest_vft.web.network import Network
from pytest_vft.web.requesting import Keep

_AT_ONCE = 16
_FIRST = 64 * 1024  # bytes that nearly always contain the header of an image


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketReader:
    """Reads the first bytes of images in object storage or, with *full*, whole images up to *max_bytes*.

    An image that cannot be read is not settled, since the provider may have other credentials. *budget* is
    the time for all images in seconds (0: unlimited). The other fields are those of WebFetcher.
    """

    max_bytes: int
    full: bool = False
    measurers: tuple[Measurer, ...] = ()
    cache: UrlCache | None = None
    budget: int = 0
    watch: Watch | None = None
    keep: Keep | None = None

    def fetch(self, urls: Iterable[str]) -> Mapping[str, Remote]:
        """Return what is in object storage at each of *urls*."""
        urls = list(dict.fromkeys(urls))
        known = {url: found for url in urls if self.cache and (found := self.cache.get(url))}
        todo = [url for url in urls if url not in known]
        end = time.monotonic() + self.budget if self.budget else None
        # The filter of warnings is here, since threads share it; the rules report what decoders warn about.
        with warnings.catch_warnings(action="ignore"):
            read = at_once(partial(self._timed, end), todo, _AT_ONCE)
            for url, (remote, seconds) in zip(todo, read, strict=True):
                known[url] = remote
                if self.cache and remote.reachable and not (remote.image and remote.image.is_undecoded):
                    self.cache.put(url, remote, DAY)
                if self.watch:
                    self.watch(UrlProgress(bucket_of(url), remote, seconds, len(urls)))
        if self.cache:
            self.cache.close()
        return known

    def _timed(self, end: float | None, url: str) -> tuple[Remote, float]:
        started = time.monotonic()
        if end is not None and started > end:
            return Remote(None, f"no time left of {self.budget:,} s"), 0.0
        return self._read(url), time.monotonic() - started

    def _read(self, url: str) -> Remote:
        limit = self.max_bytes + 1  # one more shows that an image is too large
        remote = None
        try:
            for most in (limit,) if self.full else (_FIRST, limit):
                data, size = read_start(url, most)
                remote = read_body(Body(data, size), full=self.full, limit=limit, measurers=self.measurers)
                if remote:
                    break
        except ObjectError as error:
            return Remote(None, error.strerror)
        if remote and self.keep and remote.content is not None:
            self.keep(url, data)
        return remote or Remote(None, "the image is larger than what is read")


def bucket_reader(network: Network, *, folder: Path, **options: Any) -> BucketReader:
    """Return a reader whose results are cached below *folder* if *network* allows it.

    *options* are the other fields. With *keep* nothing is cached, since the cache has no images.
    """
    setting = f"{version('pytest-vft')} buckets {options['full']} {options['max_bytes']}"
    cached = network.cache and options.get("keep") is None and not options["measurers"]
    return BucketReader(cache=UrlCache(folder / FOLDER, setting) if cached else None, **options)
