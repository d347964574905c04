"""A server for the part of the XML API of Google Cloud Storage that reads, lists, writes and deletes objects.

https://docs.cloud.google.com/storage/docs/xml-api/overview (read 2026-11-30)
What the pages of a request do not name is refused.
"""

from __future__ import annotations

import re
import threading
from email.utils import formatdate
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

SMALLEST_PART = 5 * 1024 * 1024  # bytes; the last part of an upload may be smaller
_LIST = {"list-type", "prefix", "delimiter", "start-after", "continuation-token", "max-keys"}
_QUERIES = {
    "GET": (set(), _LIST),
    "HEAD": (set(),),
    "PUT": (set(), {"partNumber", "uploadId"}),
    "POST": ({"uploads"}, {"uploadId"}),
    "DELETE": (set(), {"uploadId"}),
}
_ENTITY = "&#{};".format


class RefusedError(Exception):
    """The status of a request that is refused, and the code that says why."""


class Stored(NamedTuple):
    """The content of an object, its generation and ETag."""

    content: bytes
    generation: int
    etag: str


class GoogleStorage(ThreadingHTTPServer):
    """Buckets in memory; *log* gets a line for each request, with the name of the object as it is."""

    daemon_threads = True

    def __init__(self, log: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.log = log
        self.log.touch()
        self.buckets: dict[str, dict[str, Stored]] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.numbers = count(1)
        self.lock = threading.Lock()
        self.page = 1000  # objects in an answer to a list request, at most


class _Request(BaseHTTPRequestHandler):
    server: GoogleStorage

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = urlsplit(self.path)
        _, bucket, *key = unquote(parts.path).split("/", 2)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        with self.server.lock:
            with self.server.log.open("a", encoding="utf-8") as log:
                log.write(f'"{self.command} {unquote(parts.path)} {parts.query}"\n')
            try:
                self._check(query)
                if self.command == "PUT" and not key:
                    self.server.buckets.setdefault(bucket, {})
                    self._send(200)
                    return
                objects = self._bucket(bucket)
                self._object(objects, key[0], query, body) if key else self._list(objects, query)
            except RefusedError as refusal:
                status, code = refusal.args
                self._send(status, f"<Error><Code>{code}</Code></Error>".encode())

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def _bucket(self, name: str) -> dict[str, Stored]:
        if name not in self.server.buckets:
            raise RefusedError(404, "NoSuchBucket")
        return self.server.buckets[name]

    def _check(self, query: dict[str, str]) -> None:
        """Raise RefusedError for parameters and conditions that the page of the request does not name."""
        plain, *others = _QUERIES[self.command]
        if query.keys() != plain and not any(query and query.keys() <= one for one in others):
            raise RefusedError(400, "InvalidQueryParameter")
        extensions = {name.lower() for name in self.headers if name.lower().startswith(("x-", "if-"))}
        allowed = {"PUT": {"x-goog-if-generation-match"} - set(query), "GET": {"if-match"}}
        if extensions - allowed.get(self.command, set()):
            raise RefusedError(400, "InvalidArgument")

    def _object(self, objects: dict[str, Stored], key: str, query: dict[str, str], body: bytes) -> None:
        there = objects.get(key)
        match self.command:
            case "PUT" if "uploadId" in query:
                self._upload(query)[int(query["partNumber"])] = body
                self._send(200, ETag=_etag(body))
            case "POST" if "uploads" in query:
                number = f"upload-{next(self.server.numbers)}"
                self.server.uploads[number] = {}
                self._send(
                    200,
                    f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId>"
                    "</InitiateMultipartUploadResult>".encode(),
                )
            case "POST":
                stored = objects[key] = self._store(_joined(self._upload(query), body))
                del self.server.uploads[query["uploadId"]]
                self._send(
                    200,
                    "<CompleteMultipartUploadResult><ETag>"
                    f"{escape(stored.etag)}</ETag></CompleteMultipartUploadResult>".encode(),
                    x_goog_generation=str(stored.generation),
                )
            case "PUT":
                condition = self.headers.get("x-goog-if-generation-match")
                if condition is not None and int(condition) != (there.generation if there else 0):
                    raise RefusedError(412, "PreconditionFailed")
                stored = objects[key] = self._store(body)
                self._send(200, ETag=stored.etag, x_goog_generation=str(stored.generation))
            case "DELETE" if "uploadId" in query:
                self._upload(query)
                del self.server.uploads[query["uploadId"]]
                self._send(204)
            case _ if there is None:
                raise RefusedError(404, "NoSuchKey")
            case "DELETE":
                del objects[key]
                self._send(204)
            case _:
                self._read(there)

    def _upload(self, query: dict[str, str]) -> dict[int, bytes]:
        if query["uploadId"] not in self.server.uploads:
            raise RefusedError(404, "NoSuchUpload")
        return self.server.uploads[query["uploadId"]]

    def _store(self, content: bytes) -> Stored:
        return Stored(content, next(self.server.numbers), _etag(content))

    def _read(self, there: Stored) -> None:
        if self.headers.get("If-Match", there.etag) != there.etag:
            raise RefusedError(412, "PreconditionFailed")
        status, content, more = 200, there.content, {}
        if asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            start, end = int(asked[1]), min(int(asked[2]) + 1, len(content))
            if start >= len(content):
                raise RefusedError(416, "InvalidRange")
            status, more = 206, {"Content_Range": f"bytes {start}-{end - 1}/{len(content)}"}
            content = content[start:end]
        dated = {"Last_Modified": formatdate(usegmt=True), "x_goog_generation": str(there.generation)}
        self._send(status, content, ETag=there.etag, **dated, **more)

    def _list(self, objects: dict[str, Stored], query: dict[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = max(query.get("start-after", ""), query.get("continuation-token", ""))
        entries: dict[str, str] = {}
        for key in sorted(objects):
            rest = key.removeprefix(prefix)
            if not key.startswith(prefix) or key <= after:
                continue
            if delimiter and delimiter in rest:
                folder = prefix + rest[: rest.index(delimiter) + 1]
                entries[folder] = f"<CommonPrefixes><Prefix>{_text(folder)}</Prefix></CommonPrefixes>"
            else:
                one = objects[key]
                entries[key] = (
                    f"<Contents><Key>{_text(key)}</Key><Size>{len(one.content)}</Size>"
                    f"<LastModified>2026-11-30T00:00:00.000Z</LastModified><ETag>{escape(one.etag)}</ETag></Contents>"
                )
        shown = list(entries)[: self.server.page]
        if len(shown) < len(entries):
            entries[""] = f"<NextContinuationToken>{_text(shown[-1])}</NextContinuationToken>"
            shown.append("")
        inside = "".join(entries[one] for one in shown)
        self._send(200, f"<ListBucketResult>{inside}</ListBucketResult>".encode())

    def _send(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _joined(parts: dict[int, bytes], body: bytes) -> bytes:
    """Return the content of *parts* in the order of *body*, from the request. Raises RefusedError."""
    listed = [
        (int(part.findtext("PartNumber", "")), part.findtext("ETag"))
        for part in ET.fromstring(body).iter("Part")  # noqa: S314 - from the tests
    ]
    if not listed or [(number, _etag(parts.get(number, b""))) for number, _ in listed] != listed:
        raise RefusedError(400, "InvalidPart")
    if any(len(parts[number]) < SMALLEST_PART for number, _ in listed[:-1]):
        raise RefusedError(400, "EntityTooSmall")
    return b"".join(parts[number] for number, _ in listed)


def _etag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'


def _text(text: str) -> str:
    return "".join(_ENTITY(ord(one)) if ord(one) < ord(" ") else one for one in escape(text))
