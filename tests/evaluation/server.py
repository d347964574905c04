"""An OpenAI-compatible server on loopback, with configurable answers and failures."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """What the endpoint answers: an error for any status but 200; *delay* in seconds."""

    text: Any = "Yes"
    status: int = 200
    finish_reason: str = "stop"
    refusal: str | None = None
    delay: float = 0.0
    message: str = "planted"
    body: bytes | None = None
    location: str | None = None
    code: str | None = None
    usage: Any = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}  # noqa: RUF012 - constant


Request = Mapping[str, Any]
Script = Callable[[Request, int], Reply]


class Endpoint:
    """A running endpoint; *answered* counts the answers to each question, *asked* all requests to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.paths: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.lock = threading.Lock()


def question_of(request: Request) -> str:
    """Return the text of the last message."""
    content = request["messages"][-1]["content"]
    return content if isinstance(content, str) else content[0]["text"]


@contextmanager
def serving(script: Script) -> Iterator[Endpoint]:
    """Yield an endpoint that answers by *script*: the request, and how often this was asked before."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            question = question_of(request)
            with endpoint.lock:
                before = endpoint.asked[question]
                endpoint.asked[question] += 1
                endpoint.requests.append(request)
                endpoint.paths.append(self.path)
                endpoint.headers.append(dict(self.headers))
            reply = script(request, before)
            time.sleep(reply.delay)
            body = reply.body or json.dumps(_body(request, reply)).encode()
            try:
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("retry-after-ms", "1")
                if reply.location is not None:
                    self.send_header("location", reply.location)
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                return  # the client has given up
            if reply.status == 200 and not reply.delay:
                with endpoint.lock:
                    endpoint.answered[question] += 1

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _body(request: Request, reply: Reply) -> dict[str, Any]:
    if reply.status != 200:
        return {"error": {"message": reply.message, "type": "planted", "param": None, "code": reply.code}}
    message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason, "logprobs": None}],
        **({} if reply.usage is None else {"usage": reply.usage}),
    }
