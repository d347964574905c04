"""Fetch the images behind URLs: one GET request per URL, for the first bytes only."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Coroutine, Iterable
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pytest_vft.reading.links import masked, read_link
from pytest_vft.reading.remote import FetchResults, Remote, UrlProgress, Watch, not_fetched
from pytest_vft.reading.sqlite import FOLDER
from pytest_vft.web.answers import FetchResult
from pytest_vft.web.cache import UrlCache
from pytest_vft.web.network import ONLINE, Network
from pytest_vft.web.requesting import FetchJob, ImageClient, host_of, server_of
from pytest_vft.web.throttle import USUAL, FetchLimits, HostQueue

MAX_FAILURES = 24  # consecutive requests without a conclusive answer, after which a server is given up


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFetcher:
    """Fetches the first bytes of images behind URLs or, with *full*, whole images up to *max_bytes*."""

    max_bytes: int
    full: bool = False
    network: Network = ONLINE
    cache: UrlCache | None = None
    limits: FetchLimits = USUAL
    watch: Watch | None = None

    def fetch(self, urls: Iterable[str]) -> FetchResults:
        """Return the results of *urls*, from the cache where possible."""
        urls = list(dict.fromkeys(urls))
        with closing(self.cache) if self.cache else nullcontext() as cache:  # written after Ctrl-C, too
            remotes = {url: found for url in urls if cache and (found := cache.get(url))}
            unknown = [url for url in urls if url not in remotes]
            run = _FetchRun(self, unknown)
            if unknown:
                _wait_for(run.everything())
        trouble = run.trouble
        excused = {"no network": "nothing", "no certificates": "untrusted", None: ""}[trouble]
        for url, result in run.found.items():
            public = None if result.heard == "nothing" else True
            remotes[url] = Remote(None, trouble, public=public) if result.heard == excused else result.remote
        return FetchResults(remotes, trouble, tuple(self.cache.warnings) if self.cache else ())


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


def make_fetcher(
    network: Network, *, folder: Path, max_bytes: int, full: bool, watch: Watch | None = None
) -> WebFetcher:
    """Return a fetcher whose results are cached below *folder* if *network* allows it."""
    setting = f"{version('pytest-vft')} {full} {max_bytes} {network}"
    cache = UrlCache(folder / FOLDER, setting) if network.cache else None
    return WebFetcher(max_bytes=max_bytes, full=full, network=network, cache=cache, watch=watch)


class _FetchRun:
    """One run over distinct URLs: waiting and running requests, and results."""

    def __init__(self, fetcher: WebFetcher, urls: Iterable[str]) -> None:
        limits = fetcher.limits
        self.found: dict[str, FetchResult] = {}
        self._fetcher = fetcher
        self._limits = limits
        self._queue: HostQueue[FetchJob] = HostQueue(
            at_once=limits.at_once, per_host=limits.per_host, interval=limits.interval
        )
        self._urls = list(urls)
        self._failures: Counter[tuple[str, str]] = Counter()
        self._changed = asyncio.Event()

    @property
    def trouble(self) -> Literal["no network", "no certificates"] | None:
        """The local problem that would explain the results: no host answers, or all certificates fail."""
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
            waiting=self._queue.waiting,
        )
        first = max_bytes if fetcher.full else min(self._limits.first, max_bytes)
        for url in self._urls:
            self._put(FetchJob(url, url, first))
        async with client, asyncio.TaskGroup() as group:
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
        known = not_fetched(read_link(job.at))
        if known.reachable is False and not (known.public is False and self._fetcher.network.allow_private):
            self._finish(job, FetchResult(known), 0.0)
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
        self._slow_down(job, step, pause)
        if step.again and job.tries < self._limits.retries and pause <= self._limits.max_pause:
            await asyncio.sleep(pause)
            self._put(replace(job, tries=job.tries + 1))
        else:
            self._finish(job, step, time.monotonic() - started)

    def _slow_down(self, job: FetchJob, found: FetchResult, pause: float) -> None:
        """Send fewer requests to a busy host, and none to a server whose answers stay inconclusive."""
        host, server = host_of(job.at), server_of(job.at)
        if found.heard == "answer" and found.remote.reachable is not None:
            self._queue.answered(host)
            self._failures[server] = 0
            return
        self._failures[server] += 1
        if found.busy:
            self._queue.hold(host, time.monotonic(), min(pause, self._limits.max_pause))
        if self._failures[server] >= MAX_FAILURES or pause > self._limits.max_pause:
            for other in self._queue.drop(host, lambda one: server_of(one.at) == server):
                self._finish(other, found, 0.0)

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
