"""Send a GET request for the first bytes of an image, and read the response."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from importlib.metadata import version
from typing import Self
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
import truststore
from yarl import URL

from pytest_vft.clock import now
from pytest_vft.reading.measurers import Measurer
from pytest_vft.reading.remote import Remote
from pytest_vft.web.answers import (
    DAY,
    HOUR,
    INVALID_URL,
    REDIRECTS,
    Body,
    FetchResult,
    failure,
    plain_body,
    read_body,
    refused,
)
from pytest_vft.web.network import Network
from pytest_vft.web.resolver import CheckingResolver, NotPublicError
from pytest_vft.web.throttle import FetchLimits, retry_after

# The size may be "*"; one of more digits is no size (RFC 9110, 14.4).
_CONTENT_RANGE = re.compile(r"\s*bytes\s+[0-9]+-[0-9]+/([0-9]{1,18})\s*", re.IGNORECASE)


# Takes a URL and the image behind it.
Keep = Callable[[str, bytes], None]


def user_agent() -> str:
    """Return the User-Agent header of requests."""
    return f"pytest-vft/{version('pytest-vft')} (+https://github.com/pytest-vft/pytest-vft)"


@dataclass(frozen=True, slots=True)
class FetchJob:
    """A request to send: *url* is the URL in the data, *at* the URL after redirects, *last* the last try."""

    url: str
    at: str
    first: int
    hops: int = 0
    tries: int = 0
    last: FetchResult | None = None
    ranged: bool = True


class ImageClient:
    """Sends the requests of fetch jobs in one session; an asynchronous context manager.

    At most *max_bytes* of a body are read, with *full* in one request; *waiting* returns the number of
    jobs that wait for a host. *measurers* find out what images show, and *keep* is called with the URL in
    the data and the image behind it, if that was read whole. The client must be created in a running event
    loop.
    """

    def __init__(  # noqa: PLR0913 - all by keyword but two
        self,
        network: Network,
        limits: FetchLimits,
        *,
        max_bytes: int,
        full: bool,
        waiting: Callable[[str], int],
        measurers: tuple[Measurer, ...] = (),
        keep: Keep | None = None,
    ) -> None:
        self._limits = limits
        self._max_bytes = max_bytes
        self._full = full
        self._keep = keep
        self._measurers = measurers
        self._waiting = waiting
        self._proxies = getproxies_environment() if network.proxy else {}
        self._resolver = CheckingResolver(network, limits.connect)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # HostQueue limits requests
                resolver=self._resolver,
                use_dns_cache=False,
                socket_factory=self._resolver.socket,
                ssl=_trusted(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            requote_redirect_url=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect),
            headers={
                "User-Agent": user_agent(),
                "Accept": "image/*,*/*;q=0.8",
                "Accept-Encoding": "identity",
            },
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, job: FetchJob) -> FetchJob | FetchResult:
        """Send the request of *job*; return the request that must follow, or the result."""
        proxy = self._proxy_of(job.at)
        try:
            url = URL(job.at, encoded=job.at.isascii() and " " not in job.at)
        except ValueError:
            return INVALID_URL
        try:
            async with asyncio.timeout(self._limits.total):
                await self._resolver.check(host_of(proxy or job.at), proxy=proxy is not None)
                async with self._session.get(
                    url,
                    headers={"Range": f"bytes=0-{job.first - 1}"} if job.ranged else {},
                    allow_redirects=False,
                    proxy=proxy,
                ) as response:
                    step = await self._read(job, response)
                    if not self._waiting(host_of(job.at)):
                        response.close()  # otherwise each of thousands of hosts keeps a connection
                    return step
        except NotPublicError as error:
            return FetchResult(Remote(False, str(error), public=False))
        except (OSError, aiohttp.ClientError, ValueError) as error:
            return failure(error, self._limits)

    async def _read(self, job: FetchJob, response: aiohttp.ClientResponse) -> FetchJob | FetchResult:
        status, headers = response.status, response.headers
        if status in REDIRECTS and "Location" in headers:
            return self._redirected(job, headers["Location"])
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and job.ranged:
            return replace(job, ranged=False)  # an empty file does not have a first byte
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return refused(status, retry_after(headers.get("Retry-After"), now().timestamp()))
        body = await self._body(job, response)
        if body is None:
            return replace(job, first=self._max_bytes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the rules report what decoders warn about
            remote = read_body(body, full=self._full, limit=self._max_bytes, measurers=self._measurers)
        if self._keep and remote and remote.content is not None:
            self._keep(job.url, plain_body(body, self._max_bytes).data)
        if remote is None and job.first < self._max_bytes:
            return replace(job, first=self._max_bytes)
        if remote is None:
            remote = Remote(None, "the body is shorter than declared")
        undecoded = remote.image is not None and remote.image.is_undecoded
        return FetchResult(remote, 0 if remote.reachable is None or undecoded else DAY, "answer")

    async def _body(self, job: FetchJob, response: aiohttp.ClientResponse) -> Body | None:
        """Read the bytes that the job asks for, or as many as allowed if the size is not declared.

        None is a part of a body whose size is not declared, so that more must be requested.
        """
        headers, total = response.headers, declared_size(response)
        limit = job.first if total is not None else self._max_bytes
        data = bytearray()
        async for piece in response.content.iter_any():
            data += piece
            if len(data) >= limit:
                response.close()
                break
        partial = response.status == HTTPStatus.PARTIAL_CONTENT and total is None
        if partial and job.first <= len(data) < self._max_bytes:
            return None
        declared = (headers.get("Content-Type", ""), headers.get("Content-Encoding", ""))
        return Body(bytes(data[: self._max_bytes]), max(len(data), total or 0), *declared)

    def _redirected(self, job: FetchJob, location: str) -> FetchJob | FetchResult:
        try:
            at = urljoin(job.at, location)
            scheme = urlsplit(at).scheme
        except ValueError:
            return INVALID_URL
        if job.hops >= self._limits.redirects:
            cause = f"more than {self._limits.redirects} redirects"
        elif scheme not in ("http", "https"):
            cause = f"redirect to scheme {scheme}"
        elif job.at.lower().startswith("https:") and scheme == "http":
            cause = "redirect from https to http"
        else:
            return replace(job, at=at, hops=job.hops + 1, tries=0)
        return FetchResult(Remote(False, cause), HOUR, "answer")

    def _proxy_of(self, url: str) -> str | None:
        if not self._proxies or proxy_bypass(host_of(url)):
            return None
        return self._proxies.get(urlsplit(url).scheme) or self._proxies.get("all")


def _trusted() -> ssl.SSLContext:
    """Return a context with the certificates of SSL_CERT_FILE or else those of the system."""
    if "SSL_CERT_FILE" in os.environ:
        return ssl.create_default_context()
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def host_of(url: str) -> str:
    """Return the host of *url*, "" if it does not have one."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def server_of(url: str) -> tuple[str, str]:
    """Return the scheme, and host and port, of *url*."""
    return urlsplit(url)[:2]


def declared_size(response: aiohttp.ClientResponse) -> int | None:
    """Return the size of the whole body that the server declares, or None."""
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        sized = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        return int(sized[1]) if sized else None
    return response.content_length
