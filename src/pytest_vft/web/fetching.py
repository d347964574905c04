"""The fetcher: one GET a URL, its first bytes only, as a provider would ask for the image."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import time
import warnings
from collections import Counter
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
import truststore
from yarl import URL

from pytest_vft.reading.links import masked, read_link
from pytest_vft.reading.remote import FetchResults, Remote, UrlProgress, Watch, unasked
from pytest_vft.web.answers import DAY, HOUR, REDIRECTS, Body, FetchResult, read_body, refused
from pytest_vft.web.cache import UrlCache
from pytest_vft.web.dialling import Dialler, NotPublicError
from pytest_vft.web.failures import failure
from pytest_vft.web.network import ONLINE, Network
from pytest_vft.web.throttle import USUAL, FetchLimits, HostQueue, retry_after

PATIENCE = 24  # requests in a row without a last word, after which a server is not asked any more


def user_agent() -> str:
    """Return what requests say that they are from."""
    return f"pytest-vft/{version('pytest-vft')} (+https://github.com/pytest-vft/pytest-vft)"


@dataclass(frozen=True, slots=True)
class _FetchJob:
    """One request to come: *url* as it stands in the data, *at* where redirects led to."""

    url: str
    at: str
    first: int
    hops: int = 0
    tries: int = 0
    ranged: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WebFetcher:
    """Fetches the first bytes of what is behind URLs, or with *full* all of it, up to *most* bytes."""

    most: int
    full: bool = False
    network: Network = ONLINE
    cache: UrlCache | None = None
    limits: FetchLimits = USUAL
    watch: Watch | None = None

    def fetch(self, urls: Iterable[str]) -> FetchResults:
        """Return what was found behind each of *urls*; what the cache knows is not asked for."""
        remotes: dict[str, Remote] = {}
        unknown = []
        for url in dict.fromkeys(urls):
            remote = self.cache.get(url) if self.cache else None
            if remote:
                remotes[url] = remote
            else:
                unknown.append(url)
        run = _FetchRun(self, unknown)
        try:
            if unknown:
                _wait_for(run.everything())
        finally:  # Ctrl-C too: what was learnt is kept
            if self.cache:
                self.cache.save()
        trouble = run.trouble
        excused = {"no network": "nothing", "no certificates": "untrusted", None: ""}[trouble]
        for url, found in run.found.items():
            public = None if found.heard == "nothing" else True
            remotes[url] = Remote(None, trouble, public=public) if found.heard == excused else found.remote
        return FetchResults(remotes, trouble, tuple(self.cache.warnings) if self.cache else ())


def _wait_for(work: Coroutine[Any, Any, None]) -> None:
    """Run *work* to its end, in a thread of its own where a notebook's loop runs in this one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - for notebooks only

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


class _FetchRun:
    """One run over distinct URLs: what waits, what is under way, what was found."""

    def __init__(self, fetcher: WebFetcher, urls: Iterable[str]) -> None:
        limits = fetcher.limits
        self.found: dict[str, FetchResult] = {}
        self._fetcher = fetcher
        self._limits = limits
        self._most = fetcher.most + 1  # one more tells that there is too much
        self._turns: HostQueue[_FetchJob] = HostQueue(
            at_once=limits.at_once, per_host=limits.per_host, interval=limits.interval
        )
        self._wanted = list(urls)
        self._failures: Counter[tuple[str, str]] = Counter()
        self._changed = asyncio.Event()
        self._proxies = getproxies_environment() if fetcher.network.proxy else {}

    @property
    def trouble(self) -> Literal["no network", "no certificates"] | None:
        """What seems to be wrong at this end: nobody is there, or several hosts and none is trusted."""
        heard = {found.heard for found in self.found.values()} - {None}
        if heard == {"nothing"}:
            return "no network"
        hosts = {(_host(url), found.heard) for url, found in self.found.items() if url[:5].lower() == "https"}
        if len(hosts) > 1 and {kind for _, kind in hosts} == {"untrusted"}:
            return "no certificates"
        return None

    async def everything(self) -> None:
        """Fetch all URLs that are wanted."""
        self._dialler = Dialler(self._fetcher.network, self._limits.connect)
        connector = aiohttp.TCPConnector(
            limit=0,  # whose turn it is, is decided here
            resolver=self._dialler,
            use_dns_cache=False,
            socket_factory=self._dialler.socket,
            ssl=_trusted(),
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            requote_redirect_url=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect),
            headers={
                "User-Agent": user_agent(),
                "Accept": "image/*,*/*;q=0.8",
                "Accept-Encoding": "identity",
            },
        )
        first = self._most if self._fetcher.full else min(self._limits.first, self._most)
        for url in self._wanted:
            self._put(_FetchJob(url, url, first))
        async with session, asyncio.TaskGroup() as group:
            while len(self.found) < len(self._wanted):
                job = self._turns.take(time.monotonic())
                if job:
                    group.create_task(self._take_turn(session, job))
                    continue
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._turns.wait(time.monotonic())):
                        await self._changed.wait()

    def _put(self, job: _FetchJob) -> None:
        """Queue *job*, unless its URL tells already that nobody is to be asked."""
        known = unasked(read_link(job.at))
        if known.reachable is False and not (known.public is False and self._fetcher.network.allow_private):
            self._finish(job, FetchResult(known), 0.0)
        else:
            self._turns.put(_host(job.at), job)
            self._changed.set()

    async def _take_turn(self, session: aiohttp.ClientSession, job: _FetchJob) -> None:
        started = time.monotonic()
        try:
            step = await self._ask(session, job)
        finally:
            self._turns.finish(_host(job.at))
            self._changed.set()
        if isinstance(step, _FetchJob):
            self._put(step)
            return
        pause = self._pause(job, step)
        self._listen(job, step, pause)
        if step.again and job.tries < self._limits.retries and pause <= self._limits.longest_wait:
            await asyncio.sleep(pause)
            self._put(replace(job, tries=job.tries + 1))
        else:
            self._finish(job, step, time.monotonic() - started)

    def _pause(self, job: _FetchJob, found: FetchResult) -> float:
        """Return the seconds to wait before another try: what the server says, else a growing time."""
        if found.pause is not None:
            return found.pause
        jitter = random.uniform(0.5, 1)  # noqa: S311 - no secret
        return float(self._limits.backoff * 2**job.tries * jitter)

    def _listen(self, job: _FetchJob, found: FetchResult, pause: float) -> None:
        """Go easy on a host that is busy, and give up on a server that has no last word for anybody."""
        host, server = _host(job.at), _server(job.at)
        if found.heard == "answer" and found.remote.reachable is not None:
            self._turns.answered(host)
            self._failures[server] = 0
            return
        self._failures[server] += 1
        if found.busy:
            self._turns.hold(host, time.monotonic(), min(pause, self._limits.longest_wait))
        if self._failures[server] >= PATIENCE or pause > self._limits.longest_wait:
            for other in self._turns.drop(host, lambda one: _server(one.at) == server):
                self._finish(other, found, 0.0)

    def _finish(self, job: _FetchJob, found: FetchResult, seconds: float) -> None:
        remote, host = found.remote, _host(job.at)
        if job.hops:
            cause = remote.cause and f"{remote.cause}, after a redirect to {host}"
            remote = remote._replace(cause=cause, redirected_to=masked(job.at))
        self.found[job.url] = found._replace(remote=remote)
        self._changed.set()
        if self._fetcher.cache and found.keep:
            self._fetcher.cache.put(job.url, remote, found.keep)
        if self._fetcher.watch:
            self._fetcher.watch(UrlProgress(host, remote, seconds, len(self._wanted)))

    async def _ask(self, session: aiohttp.ClientSession, job: _FetchJob) -> _FetchJob | FetchResult:
        """Make the request of *job*; return the next one that it leads to, or what was found."""
        proxy = self._proxy_of(job.at)
        try:
            async with asyncio.timeout(self._limits.total):
                await self._dialler.check(_host(proxy or job.at), proxy=proxy is not None)
                async with session.get(
                    URL(job.at, encoded=job.at.isascii() and " " not in job.at),
                    headers={"Range": f"bytes=0-{job.first - 1}"} if job.ranged else {},
                    allow_redirects=False,
                    proxy=proxy,
                ) as response:
                    step = await self._read(job, response)
                    if not self._turns.waiting(_host(job.at)):
                        response.close()  # thousands of hosts would keep as many connections
                    return step
        except NotPublicError as error:
            return FetchResult(Remote(False, str(error), public=False))
        except (OSError, aiohttp.ClientError, ValueError) as error:
            return failure(error, self._limits)

    async def _read(self, job: _FetchJob, response: aiohttp.ClientResponse) -> _FetchJob | FetchResult:
        status, headers = response.status, response.headers
        if status in REDIRECTS and "Location" in headers:
            return self._redirected(job, headers["Location"])
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and job.ranged:
            return replace(job, ranged=False)  # an empty file has no first byte
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return refused(status, retry_after(headers.get("Retry-After"), time.time()))
        body = await self._body(job, response)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders warn of what our rules say better
            remote = read_body(body, full=self._fetcher.full, most=self._most)
        if remote is None and job.first < self._most:
            return replace(job, first=self._most)
        if remote is None:
            remote = Remote(None, "its body is shorter than declared")
        return FetchResult(remote, 0 if remote.reachable is None else DAY, "answer")

    async def _body(self, job: _FetchJob, response: aiohttp.ClientResponse) -> Body:
        """Read as much as the job asks for; up to the most when only that tells how much there is."""
        encoding = response.headers.get("Content-Encoding", "")
        total = _total(response)
        most = job.first if total is not None else self._most
        data = bytearray()
        async for piece in response.content.iter_any():
            data += piece
            if len(data) >= most:
                response.close()
                break
        size = max(len(data), total or 0)
        return Body(bytes(data[: self._most]), size, response.headers.get("Content-Type", ""), encoding)

    def _redirected(self, job: _FetchJob, location: str) -> _FetchJob | FetchResult:
        at = urljoin(job.at, location)
        scheme = urlsplit(at).scheme
        if job.hops >= self._limits.redirects:
            cause = f"more than {self._limits.redirects} redirects"
        elif scheme not in ("http", "https"):
            cause = f"it redirects to scheme {scheme}"
        elif job.at.lower().startswith("https:") and scheme == "http":
            cause = "it redirects from https to http"
        else:
            return replace(job, at=at, hops=job.hops + 1, tries=0)
        return FetchResult(Remote(False, cause), HOUR, "answer")

    def _proxy_of(self, url: str) -> str | None:
        if not self._proxies or proxy_bypass(_host(url)):
            return None
        return self._proxies.get(urlsplit(url).scheme) or self._proxies.get("all")


def _trusted() -> ssl.SSLContext:
    """Return the certificates that the system trusts, or those that SSL_CERT_FILE names."""
    if "SSL_CERT_FILE" in os.environ:
        return ssl.create_default_context()
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _host(url: str) -> str:
    """Return the host of *url*, "" when it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _server(url: str) -> tuple[str, str]:
    """Return scheme, host and port of *url*."""
    return urlsplit(url)[:2]


def _total(response: aiohttp.ClientResponse) -> int | None:
    """Return the size of the whole body as the server declares it, None when it does not."""
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        _, _, total = response.headers.get("Content-Range", "").rpartition("/")
        return int(total) if total.isdecimal() else None
    return response.content_length
