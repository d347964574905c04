"""A web server on loopback; the path of a request selects its behaviour, right or wrong."""

from __future__ import annotations

import asyncio
import gzip
import io
import ssl
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from PIL import Image

MB = 1024 * 1024


def image(kind: str = "JPEG", size: int = 0, mode: str = "RGB") -> bytes:
    """Return an image; with *size*, filled up to so many bytes behind its end."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((64, 48)).convert(mode).save(file, kind)
    return file.getvalue().ljust(size, b"\0")


def picture(width: int) -> bytes:
    """Return a picture, another one for each *width*."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((64 + width, 48)).convert("RGB").save(file, "PNG")
    return file.getvalue()


def late_header() -> bytes:
    """Return a JPEG with its size after 100,000 bytes of comments."""
    data = image()
    comment = b"\xff\xfe" + (50_002).to_bytes(2) + bytes(50_000)
    return data[:2] + comment * 2 + data[2:]


def noise() -> bytes:
    """Return a JPEG of 200 kB with its size at the start."""
    file = io.BytesIO()
    Image.effect_noise((512, 512), 100).convert("RGB").save(file, "JPEG", quality=95)
    return file.getvalue()


JPEG = image()
LATE = late_header()
NOISE = noise()
BIG = image(size=11 * MB)
LOGIN = b'<!doctype html><form><input name="user"><input type="password"></form>'
# What is expanded here is expanded nowhere else: 100 MB of one colour.
BOMB = gzip.compress(JPEG + bytes(100 * MB), compresslevel=1)


@dataclass
class Server:
    """What is listening at *port*, and what it was asked."""

    port: int = 0
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    connections: int = 0

    @property
    def paths(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(path for _, path, _ in self.asked)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                request, *lines = head.decode("latin-1").split("\r\n")
                method, path, _ = request.split(" ")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
                self.asked.append((method, path, headers))
                self.times.append(time.monotonic())
                self.at_once += 1
                self.most_at_once = max(self.at_once, self.most_at_once)
                try:
                    async for piece in self.answer(method, path, headers):
                        writer.write(piece)
                        await writer.drain()
                finally:
                    self.at_once -= 1
        except (OSError, asyncio.IncompleteReadError, _CloseError):
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()

    async def answer(  # noqa: C901, PLR0912, PLR0915 - one path, one branch
        self, method: str, path: str, headers: dict[str, str]
    ) -> AsyncIterator[bytes]:
        """Yield what is sent for a request."""
        name, _, rest = urlsplit(path).path.lstrip("/").partition("/")  # a proxy is sent the whole URL
        times = self.paths[path]
        if method != "GET":
            yield response(405)
        elif name in ("404", "410", "403", "500", "503"):
            yield response(int(name))
        elif name == "429":
            yield response(200, JPEG) if times > 1 else response(429, more=["Retry-After: 1"])
        elif name == "busy":
            yield response(429, more=[f"Retry-After: {rest}"])
        elif name == "busy-but-for-every-twentieth":
            busy = len(self.asked) % 20
            yield response(429, more=["Retry-After: 0"]) if busy else response(404)
        elif name == "busy-for-an-hour":
            yield response(429, more=["Retry-After: 3600"])
        elif name == "500-thrice":
            yield response(200, JPEG) if times > 3 else response(500)
        elif name == "chain":
            yield redirect(f"/chain/{int(rest) - 1}" if int(rest) > 1 else "/ok.jpg")
        elif name == "loop":
            yield redirect("/loop")
        elif name == "to":  # any address, percent-encoded in hexadecimal
            yield redirect(bytes.fromhex(rest).decode())
        elif name == "drip":
            yield b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"
            while True:
                yield b"\0"
                await asyncio.sleep(0.05)
        elif name == "never":
            await asyncio.sleep(60)
        elif name == "midway":
            yield response(200, JPEG)[:-100]
            raise _CloseError
        elif name == "long-length":
            yield response(200, JPEG, length=len(JPEG) + 5)
            raise _CloseError
        elif name == "short-length":
            yield response(200, JPEG, length=len(JPEG) - 100)
            raise _CloseError
        elif name == "endless":
            yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            while True:
                yield b"100000\r\n" + JPEG.ljust(MB, b"\0") + b"\r\n"
        elif name == "ok":
            yield response(200, picture(int(rest)))
        elif name == "gone":
            yield redirect("/ok/0")
        elif name == "000":
            yield response(0)
            raise _CloseError
        elif name == "endless-size":
            last = f"{len(JPEG) - 1}/{'9' * int(rest)}"
            yield response(206, JPEG, [f"Content-Range: bytes 0-{last}"])
        elif name == "endless-length":
            yield f"HTTP/1.1 200 OK\r\nContent-Length: {'9' * int(rest)}\r\n\r\n".encode()
            raise _CloseError
        elif name == "unknown-size":
            part = NOISE[: int(headers["range"].rpartition("-")[2]) + 1]
            yield response(206, part, [f"Content-Range: bytes 0-{len(part) - 1}/*"])
        elif name == "no-http":
            yield b"hello\r\n\r\n"
            raise _CloseError
        elif name == "slow.jpg":
            await asyncio.sleep(0.2)
            yield response(200, JPEG)
        else:
            body, more = BODIES[name]
            yield ranged(headers, body, more) if "Range: none" not in more else response(200, body, more)


BODIES: dict[str, tuple[bytes, list[str]]] = {
    "ok.jpg": (JPEG, ["Content-Type: image/jpeg"]),
    "grey.png": (image("PNG", mode="L"), ["Content-Type: image/png"]),
    "no-range.jpg": (JPEG, ["Range: none"]),
    "big-no-range.jpg": (BIG, ["Range: none"]),
    "big.jpg": (BIG, []),
    "late.jpg": (LATE, []),
    "noise.jpg": (NOISE, []),
    "wrong-type.jpg": (JPEG, ["Content-Type: text/plain"]),
    "gzip.jpg": (gzip.compress(JPEG), ["Range: none", "Content-Encoding: gzip"]),
    "gzip-ranged.jpg": (gzip.compress(LATE, 0), ["Content-Encoding: gzip"]),
    "no-gzip.jpg": (JPEG, ["Range: none", "Content-Encoding: gzip"]),
    "brotli.jpg": (JPEG, ["Content-Encoding: br"]),
    "bomb.jpg": (BOMB, ["Range: none", "Content-Encoding: gzip"]),
    "page": (b"<html><p>Not here any more.", ["Content-Type: text/html"]),
    "login": (LOGIN, ["Content-Type: text/html"]),
    "json": (b'{"error": "no"}', ["Content-Type: application/json"]),
    "pointer.jpg": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", []),
    "empty.jpg": (b"", []),
}


class _CloseError(Exception):
    """Ends a connection."""


def response(
    status: int, body: bytes = b"", more: list[str] | None = None, length: int | None = None
) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Hello",
        f"Content-Length: {len(body) if length is None else length}",
        *(more or []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def redirect(location: str) -> bytes:
    return response(302, more=[f"Location: {location}"])


def ranged(headers: dict[str, str], body: bytes, more: list[str]) -> bytes:
    """Answer with the range that was asked for."""
    last = int(headers["range"].rpartition("-")[2]) if "range" in headers else len(body) - 1
    if "range" not in headers:
        return response(200, body, more)
    if not body:
        return response(416)
    part = body[: last + 1]
    return response(206, part, [*more, f"Content-Range: bytes 0-{len(part) - 1}/{len(body)}"])


@contextmanager
def serving(tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> Iterator[Server]:
    """Run a server in a thread of its own."""
    server = Server()
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()

    async def main() -> None:
        listening = await asyncio.start_server(server.handle, address, 0, ssl=tls, limit=MB)
        server.port = listening.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.01)  # for sockets to be closed

    thread = threading.Thread(target=loop.run_until_complete, args=[main()], daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
