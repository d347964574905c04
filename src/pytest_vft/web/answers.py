"""Results of requests: from a status, a body or an error to what the rules read."""

from __future__ import annotations

import errno
import re
import socket
import sys
import zlib
from http import HTTPStatus
from typing import Literal, NamedTuple

import aiohttp

from pytest_vft.reading.image_reader import ImageReader
from pytest_vft.reading.image_store import content_key
from pytest_vft.reading.images import image_format, is_opened
from pytest_vft.reading.measurers import Measurer
from pytest_vft.reading.remote import Remote
from pytest_vft.web.throttle import FetchLimits

HOUR = 3_600
DAY = 24 * HOUR

_STATUSES = range(100, 600)  # RFC 9110, 15
REDIRECTS = frozenset({301, 302, 303, 307, 308})
TRY_AGAIN = frozenset({408, 425, 429})
_LFS = b"version https://git-lfs.github.com/spec/"
_PASSWORD = re.compile(rb"""<input[^>]{0,200}type\s*=\s*["']?password""", re.IGNORECASE)
_UNSPECIFIC = ("", "application/octet-stream", "binary/octet-stream", "application/binary")
_ZIPPED = ("gzip", "x-gzip", "deflate")

Heard = Literal["answer", "noise", "silence", "nothing", "untrusted"]
# EAI_NODATA is a name without an address.
_NO_SUCH_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
# Without a network, macOS and Windows also report a name as unknown.
_UNKNOWN_NAME: Heard = "nothing" if sys.platform in ("darwin", "win32") else "silence"
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
_ANY_ZIP = 47  # for zlib: a window of 15 bits, plus 32 to detect gzip or zlib


class Body(NamedTuple):
    """The bytes that were read of a body of *size* bytes, and its declared type and encoding."""

    data: bytes
    size: int
    content_type: str = ""
    encoding: str = ""

    @property
    def whole(self) -> bool:
        """Whether the whole body was read."""
        return len(self.data) >= self.size


class FetchResult(NamedTuple):
    """Result of a request, and the number of seconds that it may be cached (*keep*).

    *heard* is "answer", "noise" for a connection without a valid answer, "silence" without a connection,
    "nothing" if neither a name server nor a route answers, "untrusted" for an untrusted certificate, None
    if no request was sent. With *again*, another attempt may succeed, after *pause* seconds if the host
    sent a Retry-After; *busy* hosts are overloaded.
    """

    remote: Remote
    keep: int = 0
    heard: Heard | None = None
    again: bool = False
    busy: bool = False
    pause: float | None = None


def phrase(status: int) -> str:
    """Return *status* with its standard phrase, not the server's."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


NOT_HTTP = FetchResult(Remote(None, "the answer is not valid HTTP"), 0, "noise", again=True)
INVALID_URL = FetchResult(Remote(False, "invalid URL"))


def refused(status: int, pause: float | None) -> FetchResult:
    """Return the result of a request with the error *status* and a Retry-After of *pause* seconds."""
    if status not in _STATUSES:
        return NOT_HTTP
    if status not in TRY_AGAIN and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return FetchResult(Remote(False, phrase(status)), HOUR, "answer")
    busy = status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    return FetchResult(Remote(None, phrase(status)), 0, "answer", again=True, busy=busy, pause=pause)


def failure(error: Exception, limits: FetchLimits) -> FetchResult:  # noqa: C901, PLR0911, PLR0912 - one case per error
    """Return the result of a request that raised *error*; unknown names, TLS and refusals are settled."""
    match error:
        case socket.gaierror(errno=number) if number in _NO_SUCH_HOST:
            return FetchResult(Remote(False, "DNS: no such host"), 0, _UNKNOWN_NAME)
        case socket.gaierror():
            return FetchResult(Remote(None, "DNS: no answer for now", public=None), 0, "nothing")
        case aiohttp.ClientConnectorCertificateError():
            told = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
            return FetchResult(Remote(False, f"TLS: {told}"), 0, "untrusted")
        case aiohttp.ClientSSLError():
            return FetchResult(Remote(False, "TLS: no handshake"), 0, "noise")
        case aiohttp.InvalidURL() | UnicodeError():
            return INVALID_URL
        case aiohttp.ConnectionTimeoutError():
            return FetchResult(Remote(None, f"no connection within {limits.connect:g} s"), 0, "silence")
        case TimeoutError():
            return FetchResult(Remote(None, f"no complete answer within {limits.total:g} s"), 0, "noise")
        case aiohttp.ClientConnectorError(errno=errno.ECONNREFUSED):
            return FetchResult(Remote(False, "connection refused"), 0, "silence", again=True)
        case aiohttp.ClientConnectorError():
            heard: Heard = "nothing" if error.errno in _NO_ROUTE else "silence"
            return FetchResult(Remote(None, error.strerror or "no connection"), 0, heard, again=True)
        case aiohttp.ClientPayloadError():
            return FetchResult(Remote(None, "connection closed during the answer"), 0, "noise", again=True)
        case aiohttp.ClientHttpProxyError():
            return FetchResult(Remote(None, f"the proxy answered {phrase(error.status)}"), 0, "noise")
        case aiohttp.ClientResponseError() | ValueError():
            return NOT_HTTP
        case _:
            return FetchResult(Remote(None, "connection closed without an answer"), 0, "noise", again=True)


def read_body(body: Body, *, full: bool, limit: int, measurers: tuple[Measurer, ...] = ()) -> Remote | None:
    """Return what *body* contains, or None if more of its bytes, at most *limit*, are needed to tell.

    With *full*, an image that was read whole is decoded, and *measurers* find out what it shows.
    """
    encoding = _encoding(body)
    if encoding in _ZIPPED:
        if not body.whole and len(body.data) < limit:
            return None
        try:
            body = plain_body(body, limit)
        except zlib.error:
            return Remote(None, f"sent as {encoding} that cannot be decompressed")
    elif encoding not in ("", "identity"):
        return Remote(None, "sent in an encoding that was not requested")
    kind = image_format(body.data)
    declared = body.content_type.partition(";")[0].strip().lower()
    media_type = None if declared in _UNSPECIFIC else declared
    if not is_opened(kind):
        served = _served(kind, body.data, media_type)
        if served:
            return Remote(True, served=served, media_type=media_type)
    reader = ImageReader(full and body.whole, bounded=not full, whole=body.whole, measurers=measurers)
    (image,) = reader.measure([body.data])
    if not body.whole:
        if is_opened(kind) and not image.openable and len(body.data) < limit:
            return None
        image = image._replace(bytes=body.size, damage="none" if image.openable else None)
    content = content_key(body.data) if body.whole and len(body.data) < limit else None
    return Remote(True, image=image, media_type=media_type, content=content)


def plain_body(body: Body, limit: int) -> Body:
    """Return *body* decompressed, at most *limit* bytes of it. Raises zlib.error."""
    if _encoding(body) not in _ZIPPED:
        return body
    data = zlib.decompressobj(_ANY_ZIP).decompress(body.data, limit)
    return body._replace(data=data, size=len(data))


def _encoding(body: Body) -> str:
    return body.encoding.strip().lower()


def _served(kind: str, data: bytes, media_type: str | None) -> str | None:
    """Return a description of *data* of the format *kind*, or None for an image."""
    if kind == "HTML":
        return "an HTML login page" if _PASSWORD.search(data) else "an HTML page"
    if kind == "XML":
        return "XML"
    if kind != "unrecognised":
        return None
    if data.startswith(_LFS):
        return "a Git LFS pointer"
    if not data:
        return "nothing"
    return f"data declared as {media_type}" if media_type else "unrecognised data"
