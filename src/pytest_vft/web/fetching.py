"""Fetch the images behind URLs: one GET request per URL, for the first bytes only."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pytest_vft.reading.links import masked, read_link
from pytest_vft.reading.measurers import Measurer, is_measured
from pytest_vft.reading.remote import FetchResults, Remote, UrlProgress, Watch, not_fetched
from pytest_vft.reading.sqlite import FOLDER
from pytest_vft.web.answers import FetchResult
from pytest_vft.web.cache import UrlCache
from pytest_vft.web.network import ONLINE, Network
from pytest_vft.web.requesting import FetchJob, ImageClient, Keep, host_of, server_of
from pytest_vft.web.throttle import USUAL, FetchLimits, HostQueue, LostTime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFetcher:
    """Fetches the first bytes of images behind URLs or, with *full*, whole images up to *max_bytes*.

    *measurers* find out what images show; a cached image about which they were not asked is fetched again.
    *keep* is called with each URL whose image was read whole, and the image.
    """

    max_bytes: int
    full: bool = False
    measurers: tuple[Measurer, ...] = ()
    network: Network = ONLINE
    cache: UrlCache | None = None
    limits: FetchLimits = USUAL
    watch: Watch | None = None
    keep: Keep | None = None

    def fetch(self, urls: Iterable[str]) -> FetchResults:
        """Return the results of *urls*, from the cache where possible."""
        urls = list(dict.fromkeys(urls))
        with closing(self.cache) if self.cache else nullcontext() as cache:  # written after Ctrl-C, too
            remotes = {url: found for url in urls if cache and (found := self._known(cache, url))}
            unknown = [url for url in urls if url not in remotes]
            run = _FetchRun(self, unknown)
            if unknown:
                _wait_for(run.everything())
        trouble = run.trouble
        excused = {"no network": "nothing", "no certificates": "untrusted", None: ""}[trouble]
        for url, result in run.found.items():
            public = None if result.heard == "nothing" else True
            remotes[url] = Remote(None, trouble, public=public) if result.heard == excused else result.remote
        warnings = tuple(self.cache.warnings) if self.cache else ()
        return FetchResults(remotes, trouble, warnings, out_of_time=run.out_of_time)

    def _known(self, cache: UrlCache, url: str) -> Remote | None:
        """Return what *cache* knows about *url*, None if the measurers were not asked about its image."""
        found = cache.get(url)
        if found is None or found.image is None or found.image.width is None:
            return found
        return found if is_measured(found.image.content, self.measurers) else None


def _wait_for(work: Coroutine[Any, Any, None]) -> None:
    """Run *work*, in a thread of its own if this thread runs an event loop, as in notebooks."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - for notebooks only

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def make_fetcher(  # noqa: PLR0913 - all by keyword but one
    network: Network,
    *,
    folder: Path,
    max_bytes: int,
    full: bool,
    measurers: tuple[Measurer, ...] = (),
    budget: int = 0,
    watch: Watch | None = None,
    keep: Keep | None = None,
) -> WebFetcher:
    """Return a fetcher whose results are cached below *folder* if *network* allows it.

    *budget* is the time for all URLs in seconds (0: unlimited). With *keep* nothing is cached, since the
    cache has no images.
    """
    setting = f"{version('pytest-vft')} {full} {max_bytes} {network}"
    cache = UrlCache(folder / FOLDER, setting) if network.cache and keep is None else None
    limits = replace(USUAL, budget=budget or None)
    return WebFetcher(
        max_bytes=max_bytes,
        full=full,
        measurers=measurers,
        network=network,
        cache=cache,
        limits=limits,
        watch=watch,
        keep=keep,
    )


@dataclass(slots=True)
class _Server:
    """The time lost at a server, and what is found behind its waiting URLs once it is given up."""

    lost: LostTime = field(default_factory=LostTime)
    given_up: asyncio.Event = field(default_factory=asyncio.Event)
    rest: FetchResult | None = None

    async def waits(self, seconds: float) -> bool:
        """Wait for *seconds*; return False as soon as the server is given up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.given_up.wait()
        return self.rest is None


class _FetchRun:
    """One run over distinct URLs: waiting and running requests, and results."""

    def __init__(self, fetcher: WebFetcher, urls: Iterable[str]) -> None:
        limits = fetcher.limits
        self.found: dict[str, FetchResult] = {}
        self.out_of_time = False
        self._fetcher = fetcher
        self._limits = limits
        self._queue: HostQueue[FetchJob] = HostQueue(
            at_once=limits.at_once, per_host=limits.per_host, interval=limits.interval
        )
        self._urls = list(urls)
        self._servers: defaultdict[tuple[str, str], _Server] = defaultdict(_Server)
        self._changed = asyncio.Event()

    @property
    def trouble(self) -> Literal["no network", "no certificates"] | None:
        """The local problem that explains the results: neither names nor routes, or no valid certificate."""
        heard = {found.heard for found in self.found.values()} - {None}
        if heard == {"nothing"}:
            return "no network"
        secure = [(host_of(url), one.heard) for url, one in self.found.items() if url[:5].lower() == "https"]
        if len(set(secure)) > 1 and {kind for _, kind in secure} == {"untrusted"}:
            return "no certificates"
        return None

    async def everything(self) -> None:
        """Fetch all URLs."""
        fetcher = self._fetcher
        max_bytes = fetcher.max_bytes + 1  # one more shows that a body is too long
        client = ImageClient(
            fetcher.network,
            self._limits,
            max_bytes=max_bytes,
            full=fetcher.full,
            keep=fetcher.keep,
            measurers=fetcher.measurers,
            waiting=self._queue.waiting,
        )
        first = max_bytes if fetcher.full else min(self._limits.first, max_bytes)
        for url in self._urls:
            self._put(FetchJob(url, url, first))
        async with client:
            try:
                async with asyncio.timeout(self._limits.budget), asyncio.TaskGroup() as group:
                    await self._start_all(client, group)
            except TimeoutError:
                self.out_of_time = True
        late = FetchResult(Remote(None, f"no time left of {self._limits.budget or 0:,g} s"))
        for url in self._urls:
            if url not in self.found:
                self._finish(FetchJob(url, url, first), late, 0.0)

    async def _start_all(self, client: ImageClient, group: asyncio.TaskGroup) -> None:
        while len(self.found) < len(self._urls):
            job = self._queue.take(time.monotonic())
            if job:
                group.create_task(self._run(client, job))
                continue
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._queue.wait(time.monotonic())):
                    await self._changed.wait()

    def _put(self, job: FetchJob) -> None:
        """Queue *job*, unless its URL alone determines the result."""
        known = not_fetched(read_link(job.at), allow_private=self._fetcher.network.allow_private)
        if known.reachable is False:
            self._finish(job, FetchResult(known), 0.0)
        elif rest := self._servers[server_of(job.at)].rest:
            self._finish(job, job.last or rest, 0.0)
        else:
            self._queue.put(host_of(job.at), job)
            self._changed.set()

    async def _run(self, client: ImageClient, job: FetchJob) -> None:
        started = time.monotonic()
        try:
            step = await client.send(job)
        finally:
            self._queue.finish(host_of(job.at))
            self._changed.set()
        if isinstance(step, FetchJob):
            self._put(step)
            return
        pause = step.pause
        if pause is None:
            jitter = random.uniform(0.5, 1)  # noqa: S311 - not a secret
            pause = self._limits.backoff * 2**job.tries * jitter
        seconds = time.monotonic() - started
        self._slow_down(job, step, seconds, pause)
        again = step.again and job.tries < self._limits.retries and pause <= self._limits.max_pause
        if again and await self._servers[server_of(job.at)].waits(pause):
            self._put(replace(job, tries=job.tries + 1, last=step))
        else:
            self._finish(job, step, seconds)

    def _slow_down(self, job: FetchJob, found: FetchResult, seconds: float, pause: float) -> None:
        """Send fewer requests to a busy host, and none to a server whose answers settle nothing.

        *seconds* is the duration of the request, which other requests to the host share.
        """
        host, limits = host_of(job.at), self._limits
        server = self._servers[server_of(job.at)]
        if found.heard == "answer" and found.remote.reachable is not None:
            self._queue.answered(host)
            server.lost.regain()
            return
        held = self._queue.hold(host, time.monotonic(), min(pause, limits.max_pause)) if found.busy else 0.0
        server.lost.add(max(held, seconds / limits.per_host))
        if server.lost.seconds > limits.patience or pause > limits.max_pause:
            self._give_up(job, found)

    def _give_up(self, job: FetchJob, found: FetchResult) -> None:
        """Finish the waiting jobs for the server of *job* after *found*, which settles nothing."""
        name = server_of(job.at)
        remote = found.remote
        if remote.reachable is None:
            remote = remote._replace(cause=f"not requested after: {remote.cause}")
        rest = found._replace(remote=remote)
        self._servers[name].rest = rest
        self._servers[name].given_up.set()
        for other in self._queue.drop(host_of(job.at), lambda one: server_of(one.at) == name):
            self._finish(other, other.last or rest, 0.0)

    def _finish(self, job: FetchJob, found: FetchResult, seconds: float) -> None:
        remote, host = found.remote, host_of(job.at)
        if job.hops:
            cause = remote.cause and f"{remote.cause}, after a redirect to {host}"
            remote = remote._replace(cause=cause, redirected_to=masked(job.at))
        self.found[job.url] = found._replace(remote=remote)
        self._changed.set()
        if self._fetcher.cache and found.keep:
            self._fetcher.cache.put(job.url, remote, found.keep)
        if self._fetcher.watch:
            self._fetcher.watch(UrlProgress(host, remote, seconds, len(self._urls)))
