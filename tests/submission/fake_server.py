"""The documented API of files, uploads and fine-tuning jobs, over real HTTP on loopback."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "sk-test-0123456789abcdef"
_PART = re.compile(rb'name="(?:file|data)"; filename="([^"]*)".*?\r\n\r\n(.*)\r\n--', re.DOTALL)


@dataclass
class Fault:
    """What goes wrong, *times* times, with requests of that method and path.

    With *late* the request is carried out all the same; *drop* closes the connection. *body* is the answer,
    text or data, by default an error as the API documents it.
    """

    method: str
    path: str
    status: int = 500
    code: str = "server_error"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    drop: bool = False
    late: bool = False
    times: int = 1
    body: Any = None

    def hits(self, method: str, path: str) -> bool:
        return (self.method, self.path) == (method, path) and self.times > 0


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """An answer with a status of its own."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": code, "message": message, "type": "invalid_request_error"}}


def event(
    number: int, message: str, *, kind: str = "message", level: str = "info", **more: Any
) -> dict[str, Any]:
    return {
        "object": "fine_tuning.job.event",
        "id": f"ftevent-{number}",
        "created_at": 1_700_000_000 + number,
        "level": level,
        "type": kind,
        "message": message,
        **more,
    }


class FakeServer:
    """State and script of the server.

    Each look at a job takes the next of *script*, a status and the events that came with it. A file or a
    job is created *slow* seconds after its request has arrived, answered after as long again, and listed
    *lag* seconds after its creation.
    """

    def __init__(self, http: Any = None) -> None:
        self.http = http  # for clients of it
        self.url = ""
        self.requests: list[tuple[str, str]] = []
        self.keys: set[str] = set()
        self.files: dict[str, dict[str, Any]] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.file_states: list[str] = ["uploaded", "processed"]
        self.script: list[tuple[str, list[dict[str, Any]]]] = [("succeeded", [])]
        self.job_end: dict[str, Any] = {}
        self.model: dict[str, Any] = {"shutdown_date": None}
        self.page = 100
        self.slow = 0.0
        self.lag = 0.0
        self._born: dict[str, float] = {}
        self._lock = threading.Lock()

    def count(self, method: str, path: str) -> int:
        return sum((method, path) == request for request in self.requests)

    def handle(self, method: str, path: str, query: Mapping[str, Sequence[str]], body: bytes) -> Any:
        """Return the answer, as data."""
        routes: dict[str, Callable[..., Any]] = {
            r"GET /models/(.+)": self._get_model,
            r"GET /files": lambda: self._page(list(self.files.values()), query),
            r"POST /files": lambda: self._add_file(*_PART.search(body).groups()),  # type: ignore[union-attr]
            r"GET /files/(.+)": self._get_file,
            r"DELETE /files/(.+)": lambda id_: {
                "id": id_,
                "object": "file",
                "deleted": bool(self.files.pop(id_)),
            },
            r"POST /uploads": lambda: self._add_upload(json.loads(body)),
            r"POST /uploads/(.+)/parts": lambda id_: self._add_part(id_, _PART.search(body)[2]),  # type: ignore[index]
            r"POST /uploads/(.+)/complete": lambda id_: self._complete(id_, json.loads(body)),
            r"POST /uploads/(.+)/cancel": self._cancel_upload,
            r"GET /fine_tuning/jobs": lambda: self._page(self._jobs_with(query), query),
            r"POST /fine_tuning/jobs": lambda: self._add_job(json.loads(body)),
            r"GET /fine_tuning/jobs/([^/]+)": self._get_job,
            r"GET /fine_tuning/jobs/[^/]+/events": lambda: self._page(self.events[::-1], query),
            r"GET /fine_tuning/jobs/[^/]+/checkpoints": lambda: self._page(self._checkpoints(), query),
            r"POST /fine_tuning/jobs/([^/]+)/cancel": lambda id_: self.jobs[id_] | {"status": "cancelled"},
        }
        for pattern, answer in routes.items():
            match = re.fullmatch(pattern, f"{method} {path}")
            if match:
                with self._lock:
                    return answer(*match.groups())
        raise Refusal(404, "not_found", f"no {method} {path}")

    def _get_model(self, name: str) -> Any:
        return {"id": name, "object": "model", "created": 1, "owned_by": "system", **self.model}

    def _page(self, items: Sequence[Any], query: Mapping[str, Sequence[str]]) -> Any:
        now = time.monotonic()
        items = [item for item in items if self._born.get(item.get("id"), -self.lag) + self.lag <= now]
        after = query.get("after", [None])[0]
        start = next((n for n, item in enumerate(items, start=1) if item.get("id", "") == after), 0)
        shown = items[start : start + self.page]
        return {"object": "list", "data": shown, "has_more": start + len(shown) < len(items)}

    def _add_file(self, name: bytes, content: bytes) -> Any:
        id_ = f"file-{len(self.files) + 1:03}"
        self._born[id_] = time.monotonic()
        self.files[id_] = {
            "id": id_,
            "object": "file",
            "filename": name.decode(),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "purpose": "fine-tune",
            "status": self.file_states[0],
            "created_at": 1,
        }
        return self.files[id_]

    def _get_file(self, id_: str) -> Any:
        if id_ not in self.files:
            raise Refusal(404, "not_found", f"no file {id_}")
        if len(self.file_states) > 1:
            self.file_states.pop(0)
        self.files[id_]["status"] = self.file_states[0]
        self.files[id_]["status_details"] = "line 3 is not JSON" if self.file_states[0] == "error" else None
        return self.files[id_]

    def _add_upload(self, body: Any) -> Any:
        id_ = f"upload-{len(self.uploads) + 1}"
        self.uploads[id_] = {"id": id_, "object": "upload", "status": "pending", "parts": {}, **body}
        return self.uploads[id_]

    def _add_part(self, id_: str, content: bytes) -> Any:
        parts = self.uploads[id_]["parts"]
        part = f"part-{len(parts) + 1}"
        parts[part] = content
        return {"id": part, "object": "upload.part", "upload_id": id_, "created_at": 1}

    def _complete(self, id_: str, body: Any) -> Any:
        upload = self.uploads[id_]
        content = b"".join(upload["parts"][part] for part in body["part_ids"])
        if len(content) != upload["bytes"]:
            raise Refusal(400, "bad_size", f"got {len(content)} bytes, announced were {upload['bytes']}")
        upload["status"] = "completed"
        file = self._add_file(upload["filename"].encode(), content)
        return {key: value for key, value in upload.items() if key != "parts"} | {"file": file}

    def _cancel_upload(self, id_: str) -> Any:
        if self.uploads[id_]["status"] == "completed":
            raise Refusal(400, "completed", "the upload is completed")
        self.uploads[id_]["status"] = "cancelled"
        return {"id": id_, "object": "upload", "status": "cancelled"}

    def _jobs_with(self, query: Mapping[str, Sequence[str]]) -> list[Any]:
        wanted = {key[9:-1]: value[0] for key, value in query.items() if key.startswith("metadata[")}
        return [job for job in self.jobs.values() if wanted.items() <= job["metadata"].items()]

    def _add_job(self, body: Any) -> Any:
        id_ = f"ftjob-{len(self.jobs) + 1}"
        self._born[id_] = time.monotonic()
        self.jobs[id_] = {
            "id": id_,
            "object": "fine_tuning.job",
            "created_at": 1,
            "status": "validating_files",
            "hyperparameters": {},
            "organization_id": "org-1",
            "result_files": [],
            "seed": 1,
            "trained_tokens": None,
            "fine_tuned_model": None,
            "error": None,
            **body,
        }
        return self.jobs[id_]

    def _get_job(self, id_: str) -> Any:
        if id_ not in self.jobs:
            raise Refusal(404, "not_found", f"no job {id_}")
        status, events = self.script.pop(0) if self.script else (self.jobs[id_]["status"], [])
        self.events += events
        self.jobs[id_]["status"] = status
        if status in ("succeeded", "failed"):
            self.jobs[id_] |= self.job_end
        return self.jobs[id_]

    def _checkpoints(self) -> list[Any]:
        if all(job["status"] != "succeeded" for job in self.jobs.values()):
            return []
        return [
            {
                "id": "ftckpt-1",
                "object": "fine_tuning.job.checkpoint",
                "step_number": 24,
                "fine_tuned_model_checkpoint": "ft:gpt-4o:org:books:1:ckpt-step-24",
                "metrics": {"step": 24, "train_loss": 0.25},
            }
        ]


@contextmanager
def serving(fake: FakeServer) -> Iterator[FakeServer]:  # noqa: C901 - a class stands in it
    """Serve *fake* on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # else head and body are two packets, and the second waits 40 ms for the first

        def log_message(self, *_: object) -> None:
            pass

        def handle_any(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # the client went away
                self.close_connection = True
                return
            parts = urlsplit(self.path)
            path = parts.path.removeprefix("/v1").removeprefix("/openai")
            fake.requests.append((self.command, path))
            key = self.headers.get("authorization", "").removeprefix("Bearer ") or self.headers.get(
                "api-key", ""
            )
            fake.keys.add(key)
            if key != KEY:
                self.answer(401, {"error": {"code": "invalid_api_key", "message": f"Incorrect key: {key}"}})
                return
            fault = next((one for one in fake.faults if one.hits(self.command, path)), None)
            if fault is not None:
                fault.times -= 1
                if fault.late:
                    fake.handle(self.command, path, parse_qs(parts.query), body)
                self.go_wrong(fault)
                return
            pause = fake.slow if self.command == "POST" else 0
            try:
                time.sleep(pause)
                answer = fake.handle(self.command, path, parse_qs(parts.query), body)
                time.sleep(pause)
                self.answer(200, answer)
            except Refusal as refusal:
                self.answer(refusal.status, refusal.body)

        def go_wrong(self, fault: Fault) -> None:
            time.sleep(fault.delay)
            if fault.drop:
                self.close_connection = True
            else:
                error = {"error": {"code": fault.code, "message": "as told"}}
                self.answer(fault.status, error if fault.body is None else fault.body, fault.headers)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - http.server's names

        def answer(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
            content = (body if isinstance(body, str) else json.dumps(body, default=repr)).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that went away is part of the tests."""

    with Quiet(("127.0.0.1", 0), Handler) as http:
        fake.url = f"http://127.0.0.1:{http.server_port}/v1"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield fake
        finally:
            http.shutdown()
            thread.join()
