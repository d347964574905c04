"""Record the requests of the API client instead of sending them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from pytest_vft.client import MASK
from pytest_vft.submission.plan import RecordedRequest

# The client sets other headers, too; a header that is not listed cannot leak.
_SHOWN_HEADERS = ("content-type", "openai-organization", "openai-project")
_SECRET_HEADERS = ("authorization", "api-key")
_HEAD = 65_536  # bytes of a body that are kept: a JSON body, or the fields of a form before its file
_FIELD = re.compile(rb'name="(\w+)"(?:; filename="([^"]*)")?.*?\r\n\r\n([^\r]*)', re.DOTALL)
_JOB = {
    "id": "ftjob-1",
    "object": "fine_tuning.job",
    "status": "validating_files",
    "hyperparameters": {},
    "result_files": [],
}


class Recorder(httpx2.BaseTransport):
    """A transport that records requests, and answers as the API does if every request succeeds."""

    def __init__(self) -> None:
        self.requests: list[RecordedRequest] = []
        self._files = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Record *request* and answer it."""
        head, size = bytearray(), 0
        for chunk in _chunks(request):
            size += len(chunk)
            head += chunk[: _HEAD - len(head)]
        self.requests.append(
            RecordedRequest(
                method=request.method,
                url=str(request.url),
                headers=dict(_headers(request.headers)),
                body=_body(request.headers.get("content-type", ""), bytes(head)),
                bytes=size,
            )
        )
        return httpx2.Response(200, json=self._answer(request.method, request.url.path))

    def _answer(self, method: str, path: str) -> Mapping[str, Any]:
        match method, path.rstrip("/").rpartition("/")[2]:
            case "POST", "files":
                return self._new_file()
            case "POST", "uploads" | "parts" as what:
                return {"id": f"{what[:-1]}-{len(self.requests)}"}
            case "POST", "complete":
                return {"id": "upload-1", "status": "completed", "file": self._new_file()}
            case "POST", "jobs":
                return _JOB
            case "GET", "files" | "jobs":
                return {"object": "list", "data": [], "has_more": False}
            case _, last:
                return {"id": last, "object": "file", "status": "processed"}

    def _new_file(self) -> Mapping[str, Any]:
        self._files += 1
        return {"id": f"file-{self._files}", "object": "file", "status": "processed"}


def _chunks(request: httpx2.Request) -> Iterator[bytes]:
    stream = request.stream
    assert isinstance(stream, httpx2.SyncByteStream)  # noqa: S101 - the client is synchronous
    yield from stream


def _headers(headers: httpx2.Headers) -> Iterator[tuple[str, str]]:
    for name in _SECRET_HEADERS:
        if name in headers:
            yield name, f"Bearer {MASK}" if headers[name].startswith("Bearer ") else MASK
    for name in _SHOWN_HEADERS:
        if name in headers:
            yield name, headers[name].partition("; boundary=")[0]


def _body(content_type: str, head: bytes) -> Any:
    if content_type.startswith("application/json") and head:
        return json.loads(head)
    if content_type.startswith("multipart/"):
        fields = _FIELD.findall(head)
        return {name.decode(): (file or value).decode(errors="replace") for name, file, value in fields}
    return None
