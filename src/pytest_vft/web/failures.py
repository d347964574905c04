"""What it means that there was no answer."""

from __future__ import annotations

import errno
import socket

import aiohttp

from pytest_vft.reading.remote import Remote
from pytest_vft.web.answers import FetchResult, phrase
from pytest_vft.web.throttle import FetchLimits


def failure(error: Exception, limits: FetchLimits) -> FetchResult:  # noqa: C901, PLR0911, PLR0912 - one kind, one line
    """Return what it means that a request ended in *error*: settled for DNS, refused and TLS."""
    match error:
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return FetchResult(Remote(None, "DNS: no answer for now", public=None), 0, "nothing")
        case socket.gaierror():
            return FetchResult(Remote(False, "DNS: no such host"), 0, "nothing")
        case aiohttp.ClientConnectorCertificateError():
            told = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
            return FetchResult(Remote(False, f"TLS: {told}"), 0, "untrusted")
        case aiohttp.ClientSSLError():
            return FetchResult(Remote(False, "TLS: no handshake"), 0, "noise")
        case ValueError():  # UnicodeError and aiohttp.InvalidURL are such, and TLS errors
            return FetchResult(Remote(False, "it is no URL"))
        case aiohttp.ConnectionTimeoutError():
            return FetchResult(Remote(None, f"no connection within {limits.connect:g} s"), 0, "nothing")
        case TimeoutError():
            return FetchResult(Remote(None, f"no whole answer within {limits.total:g} s"), 0, "noise")
        case aiohttp.ClientConnectorError(errno=errno.ECONNREFUSED):
            return FetchResult(Remote(False, "connection refused"), 0, "nothing", again=True)
        case aiohttp.ClientConnectorError():
            return FetchResult(Remote(None, error.strerror or "no connection"), 0, "nothing", again=True)
        case aiohttp.ClientPayloadError():
            return FetchResult(Remote(None, "connection closed midway"), 0, "noise", again=True)
        case aiohttp.ClientHttpProxyError():
            return FetchResult(Remote(None, f"the proxy says {phrase(error.status)}"), 0, "noise")
        case aiohttp.ClientResponseError():
            return FetchResult(Remote(None, "the answer is no proper HTTP"), 0, "noise", again=True)
        case _:
            return FetchResult(Remote(None, "connection closed without an answer"), 0, "noise", again=True)
