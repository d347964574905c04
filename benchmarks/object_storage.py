"""Measure what reading from object storage costs beside reading from disk, and print a Markdown table.

    python benchmarks/make_data.py unique 27000 unique.jsonl
    python benchmarks/object_storage.py unique.jsonl --times=3

The file is served from disk on loopback, by a process that is not measured. Each row is the least CPU of
several new processes, which take turns; the reports must be the same. Needs the extra "cloud".
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from measuring import measured

from pytest_vft import lint

ETAG = '"1"'
URL = "s3://bench/{}"


class Bucket(BaseHTTPRequestHandler):
    """Answers HEAD, and GET by range, for the files of the current folder."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        """Answer with the size."""
        self._answer(send=False)

    def do_GET(self) -> None:
        """Answer with a range."""
        self._answer(send=True)

    def _answer(self, *, send: bool) -> None:
        path = Path(self.path.rpartition("/")[2])
        size = path.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, last = (int(asked[1]), min(int(asked[2]), size - 1)) if asked else (0, size - 1)
        self.send_response(206 if asked else 200)
        self.send_header("ETag", ETAG)
        self.send_header("Last-Modified", "Mon, 30 Nov 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(last - start + 1))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{last}/{size}")
        self.end_headers()
        self.wfile.flush()
        if send:
            with path.open("rb") as file:
                self.connection.sendfile(file, start, last - start + 1)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def check(path: str, depth: Any) -> int:
    """Check the file at *path*, and return a hash of its findings and counts."""
    report = lint(path, depth=depth, cache=False, offline=True)
    shown = json.dumps(report.as_dict()).replace(path, "FILE")
    return int(hashlib.sha256(shown.encode()).hexdigest()[:12], 16)


def serve(folder: str) -> None:
    """Serve *folder*, and print the port."""
    os.chdir(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    print(server.server_port, flush=True)
    server.serve_forever()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure the reading of object storage.")
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--check", nargs=2, help=argparse.SUPPRESS)  # of one process
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.check:
        measured(lambda: check(*arguments.check))
        return
    if arguments.serve:
        serve(arguments.serve)
        return
    file = arguments.file.resolve()
    command = [sys.executable, __file__]
    with subprocess.Popen(
        [*command, "--serve", str(file.parent)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        address = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        environment = {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true", "AWS_SKIP_SIGNATURE": "true"}
        print("| depth | disk, CPU | object storage, CPU | ratio | memory |\n| --- | --- | --- | --- | --- |")
        for depth in ("full", "header"):
            runs: dict[str, list[dict[str, Any]]] = {str(file): [], URL.format(file.name): []}
            for _ in range(arguments.times):
                for path, figures in runs.items():
                    done = subprocess.run(
                        [*command, "--check", path, depth],
                        env={**os.environ, **environment},
                        check=True,
                        stdout=subprocess.PIPE,
                    )
                    figures.append(json.loads(done.stdout))
            assert len({one["result"] for figures in runs.values() for one in figures}) == 1, "other reports"
            disk, remote = (min(one["seconds"] for one in figures) for figures in runs.values())
            memory = " and ".join(str(min(one["peak"] for one in figures)) for figures in runs.values())
            print(
                f"| {depth} | {disk:.2f} s | {remote:.2f} s | {remote / disk:.2f} | {memory} MB |", flush=True
            )
        server.terminate()


if __name__ == "__main__":
    main()
