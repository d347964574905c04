"""Fetch images over loopback, and compare with the time that the limits allow and with other clients.

    pip install httpx2 "httpcore2[asyncio]"
    python benchmarks/fetch_urls.py [URLS] [HOSTS]

A server in another process answers each request 100 ms after it came. What the limits allow:

    64 requests at once, 0.1 s each               640 requests a second
    40 hosts, one request each 50 ms              800
    40 hosts, 6 requests at once, 0.1 s each    2,400

so 20,000 URLs take 20,000 / 640 = 31.25 s at least. With one host, a request each 50 ms rules: 20 a
second. The other clients keep 64 requests in the air and nothing else: no pace, no guard, no Pillow.
"""

from __future__ import annotations

import asyncio
import io
import json
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

LATENCY = 0.1
AT_ONCE = 64
MOST = 10 * 1024 * 1024


def image() -> bytes:
    """Return a JPEG of about 1 kB."""
    from PIL import Image  # noqa: PLC0415 - for one of the processes

    file = io.BytesIO()
    Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(file, "JPEG")
    return file.getvalue()


class Slow(asyncio.Protocol):
    """Answers each request of a connection with one image, LATENCY seconds later."""

    answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that ends in *data*: they are small enough to come in one piece."""
        for _ in range(data.count(b"\r\n\r\n")):
            asyncio.get_running_loop().call_later(LATENCY, self.reply)

    def reply(self) -> None:
        """Send the image, if anybody still listens."""
        if not self.transport.is_closing():
            self.transport.write(self.answer)


async def serve() -> None:
    """Serve until killed; print the port first."""
    body = image()
    head = (
        "HTTP/1.1 206 Partial Content\r\nContent-Type: image/jpeg\r\n"
        f"Content-Range: bytes 0-{len(body) - 1}/{len(body)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    Slow.answer = head.encode() + body
    server = await asyncio.get_running_loop().create_server(Slow, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def ours(port: int, urls: int, hosts: int) -> int:
    """Fetch with pytest-vft."""
    from pytest_vft.web.fetching import WebFetcher  # noqa: PLC0415 - for one of the processes
    from pytest_vft.web.network import Network  # noqa: PLC0415 - as above

    names = [f"host-{number}.example" for number in range(hosts)]
    network = Network(overrides=dict.fromkeys(names, ("127.0.0.1", port)))
    wanted = [f"http://{names[number % hosts]}/{number}.jpg" for number in range(urls)]
    remotes = WebFetcher(max_bytes=MOST, network=network).fetch(wanted).remotes
    return sum(remote.image is not None and remote.image.width == 64 for remote in remotes.values())


async def in_the_air(urls: int, get: Callable[[int], Awaitable[int]]) -> int:
    """Call *get* for each number, AT_ONCE at a time; return how many bodies came."""
    numbers = iter(range(urls))

    async def work() -> int:
        return sum([await get(number) > 0 for number in numbers])

    return sum(await asyncio.gather(*(work() for _ in range(AT_ONCE))))


async def httpx2(port: int, urls: int) -> int:
    """Fetch with httpx2's own client."""
    import httpx2 as library  # noqa: PLC0415 - for one of the processes

    limits = library.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with library.AsyncClient(limits=limits, trust_env=False) as client:

        async def get(number: int) -> int:
            return len((await client.get(f"http://127.0.0.1:{port}/{number}.jpg")).content)

        return await in_the_air(urls, get)


async def httpcore2(port: int, urls: int) -> int:
    """Fetch with the connection pool below it."""
    import httpcore2 as library  # noqa: PLC0415 - for one of the processes

    async with library.AsyncConnectionPool(max_connections=AT_ONCE) as pool:

        async def get(number: int) -> int:
            return len((await pool.request("GET", f"http://127.0.0.1:{port}/{number}.jpg")).content)

        return await in_the_air(urls, get)


async def aiohttp(port: int, urls: int) -> int:
    """Fetch with the client that pytest-vft builds on."""
    import aiohttp as library  # noqa: PLC0415 - for one of the processes

    async with library.ClientSession(connector=library.TCPConnector(limit=AT_ONCE)) as session:

        async def get(number: int) -> int:
            async with session.get(f"http://127.0.0.1:{port}/{number}.jpg") as answer:
                return len(await answer.read())

        return await in_the_air(urls, get)


CLIENTS = {"httpx2": httpx2, "httpcore2": httpcore2, "aiohttp": aiohttp}


def measure(client: str, port: int, urls: int, hosts: int) -> None:
    """Print, as JSON, what *client* took: seconds, seconds of CPU, MB of memory."""
    started = time.perf_counter()
    done = ours(port, urls, hosts) if client == "ours" else asyncio.run(CLIENTS[client](port, urls))
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    assert done == urls, done
    cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss // 1024
    print(json.dumps({"seconds": round(seconds, 2), "cpu": round(cpu, 2), "memory": memory}))


def main(urls: int = 20_000, hosts: int = 40) -> None:
    """Run all clients one after the other and print how they compare."""
    command = [sys.executable, __file__]
    allowed = urls / min(AT_ONCE / LATENCY, hosts / 0.05, hosts * 6 / LATENCY)
    with subprocess.Popen([*command, "serve"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        port = server.stdout.readline().strip()
        try:
            for client in ("ours", *CLIENTS):
                given = [*command, "measure", client, port, str(urls), str(hosts)]
                took = json.loads(subprocess.run(given, stdout=subprocess.PIPE, check=True).stdout)
                ratio = f", {took['seconds'] / allowed:.3f} x {allowed:.2f} s" if client == "ours" else ""
                figures = f"{took['seconds']:7.2f} s{took['cpu']:7.2f} s CPU{took['memory']:5} MB"
                print(f"{client:<10}{figures}{ratio}")
        finally:
            server.terminate()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            asyncio.run(serve())
        case ["measure", name, *numbers]:
            measure(name, *map(int, numbers))
        case numbers:
            main(*map(int, numbers))
