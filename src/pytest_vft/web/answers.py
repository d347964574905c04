"""What an answer means: from status, headers and body to what the rules are told."""

from __future__ import annotations

import re
import zlib
from http import HTTPStatus
from typing import Literal, NamedTuple

from pytest_vft.reading.images import image_format, is_opened, measure_image
from pytest_vft.reading.remote import Remote

HOUR = 3_600
DAY = 24 * HOUR

REDIRECTS = frozenset({301, 302, 303, 307, 308})
TRY_AGAIN = frozenset({408, 425, 429})
_LFS = b"version https://git-lfs.github.com/spec/"
_PASSWORD = re.compile(rb"""<input[^>]{0,200}type\s*=\s*["']?password""", re.IGNORECASE)
_SAYS_NOTHING = ("", "application/octet-stream", "binary/octet-stream", "application/binary")
_ZIPPED = ("gzip", "x-gzip", "deflate")
_ANY_ZIP = 47  # of zlib: 15 bits of window, and 32 for "gzip or zlib, look which"


class Body(NamedTuple):
    """The first bytes of a body of *size* bytes, as far as they were read, and how it is declared."""

    data: bytes
    size: int
    content_type: str = ""
    encoding: str = ""

    @property
    def whole(self) -> bool:
        """Whether all of it was read."""
        return len(self.data) >= self.size


class FetchResult(NamedTuple):
    """What a request came to, and for how many seconds that holds.

    *heard* is what was heard of the host: "answer", "noise" when it was there and gave none, "nothing"
    when it was not, "untrusted" for its certificate, None when nobody asked. With *again* another try
    may tell more, after *pause* seconds if the host said so; *busy* says that it has too much to do.
    """

    remote: Remote
    keep: int = 0
    heard: Literal["answer", "noise", "nothing", "untrusted"] | None = None
    again: bool = False
    busy: bool = False
    pause: float | None = None


def phrase(status: int) -> str:
    """Return *status* with its standard words, never the server's."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def refused(status: int, pause: float | None) -> FetchResult:
    """Return what *status*, which is no success, means; after *pause* seconds it may be another."""
    if status not in TRY_AGAIN and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return FetchResult(Remote(False, phrase(status)), HOUR, "answer")
    busy = status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
    return FetchResult(Remote(None, phrase(status)), 0, "answer", again=True, busy=busy, pause=pause)


def read_body(body: Body, *, full: bool, most: int) -> Remote | None:
    """Return what *body* is; None when it takes more than its first bytes to tell, up to *most*."""
    encoding = body.encoding.strip().lower()
    if encoding in _ZIPPED:
        if not body.whole and len(body.data) < most:
            return None
        try:
            data = zlib.decompressobj(_ANY_ZIP).decompress(body.data, most)
        except zlib.error:
            return Remote(None, f"sent as {encoding} that cannot be read")
        body = body._replace(data=data, size=len(data))
    elif encoding not in ("", "identity"):
        return Remote(None, "sent in an encoding that was not asked for")
    kind = image_format(body.data)
    declared = body.content_type.partition(";")[0].strip().lower()
    media_type = None if declared in _SAYS_NOTHING else declared
    if not is_opened(kind):
        served = _served(kind, body.data, media_type)
        if served:
            return Remote(True, served=served, media_type=media_type)
    image = measure_image(body.data, full=full and body.whole, whole=body.whole)
    if not body.whole:
        if is_opened(kind) and not image.openable and len(body.data) < most:
            return None
        image = image._replace(bytes=body.size, damage="none" if image.openable else None)
    return Remote(True, image=image, media_type=media_type)


def _served(kind: str, data: bytes, media_type: str | None) -> str | None:
    """Return what *data* of the format *kind* are, None for an image."""
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
