"""Fetch images over loopback; compare with other clients and with the time that the limits allow.

    pip install httpx2 "httpcore2[asyncio]"
    python benchmarks/fetch_urls.py [URLS] [HOSTS]

A server in another process answers each request after 100 ms. The limits allow:

    64 concurrent requests, 0.1 s each               640 requests per second
    40 hosts, one request per 50 ms                  800
    40 hosts, 6 concurrent requests, 0.1 s each    2,400

so 20,000 URLs take at least 20,000 / 640 = 31.25 s. With one host, the limit is one request per 50 ms: 20 per
second. The other clients only keep 64 requests in flight: no limit on the rate, no check of addresses,
no measuring of images.
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
CONCURRENCY = 64
MAX_BYTES = 10 * 1024 * 1024


def image() -> bytes:
    """Return a JPEG of about 1 kB."""
    from PIL import Image  # noqa: PLC0415 - only one of the processes needs it

    file = io.BytesIO()
    Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(file, "JPEG")
    return file.getvalue()


class SlowServer(asyncio.Protocol):
    """Answers each request of a connection with one image, LATENCY seconds later."""

    answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that ends in *data*; requests are small enough to arrive in one piece."""
        for _ in range(data.count(b"\r\n\r\n")):
            asyncio.get_running_loop().call_later(LATENCY, self.reply)

    def reply(self) -> None:
        """Send the image, if the connection is still open."""
        if not self.transport.is_closing():
            self.transport.write(self.answer)


async def serve() -> None:
    """Serve until killed; print the port first."""
    body = image()
    head = (
        "HTTP/1.1 206 Partial Content\r\nContent-Type: image/jpeg\r\n"
        f"Content-Range: bytes 0-{len(body) - 1}/{len(body)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    SlowServer.answer = head.encode() + body
    server = await asyncio.get_running_loop().create_server(SlowServer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def ours(port: int, urls: int, hosts: int) -> int:
    """Fetch with pytest-vft."""
    from pytest_vft.web.fetching import WebFetcher  # noqa: PLC0415 - only one of the processes needs it
    from pytest_vft.web.network import Network  # noqa: PLC0415 - as above

    names = [f"host-{number}.example" for number in range(hosts)]
    network = Network(overrides=dict.fromkeys(names, ("127.0.0.1", port)))
    wanted = [f"http://{names[number % hosts]}/{number}.jpg" for number in range(urls)]
    remotes = WebFetcher(max_bytes=MAX_BYTES, network=network).fetch(wanted).remotes
    return sum(remote.image is not None and remote.image.width == 64 for remote in remotes.values())


async def concurrently(urls: int, get: Callable[[int], Awaitable[int]]) -> int:
    """Call *get* for each number, at most CONCURRENCY at a time; return the number of bodies received."""
    numbers = iter(range(urls))

    async def work() -> int:
        return sum([await get(number) > 0 for number in numbers])

    return sum(await asyncio.gather(*(work() for _ in range(CONCURRENCY))))


async def httpx2(port: int, urls: int) -> int:
    """Fetch with the client of httpx2."""
    import httpx2 as library  # noqa: PLC0415 - only one of the processes needs it

    limits = library.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    async with library.AsyncClient(limits=limits, trust_env=False) as client:

        async def get(number: int) -> int:
            return len((await client.get(f"http://127.0.0.1:{port}/{number}.jpg")).content)

        return await concurrently(urls, get)


async def httpcore2(port: int, urls: int) -> int:
    """Fetch with the connection pool on which httpx2 is built."""
    import httpcore2 as library  # noqa: PLC0415 - only one of the processes needs it

    async with library.AsyncConnectionPool(max_connections=CONCURRENCY) as pool:

        async def get(number: int) -> int:
            return len((await pool.request("GET", f"http://127.0.0.1:{port}/{number}.jpg")).content)

        return await concurrently(urls, get)


async def aiohttp(port: int, urls: int) -> int:
    """Fetch with the client on which pytest-vft is built."""
    import aiohttp as library  # noqa: PLC0415 - only one of the processes needs it

    async with library.ClientSession(connector=library.TCPConnector(limit=CONCURRENCY)) as session:

        async def get(number: int) -> int:
            async with session.get(f"http://127.0.0.1:{port}/{number}.jpg") as answer:
                return len(await answer.read())

        return await concurrently(urls, get)


CLIENTS = {"httpx2": httpx2, "httpcore2": httpcore2, "aiohttp": aiohttp}


def measure(client: str, port: int, urls: int, hosts: int) -> None:
    """Print the elapsed seconds, CPU seconds and MB of memory of *client* as JSON."""
    started = time.perf_counter()
    done = ours(port, urls, hosts) if client == "ours" else asyncio.run(CLIENTS[client](port, urls))
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    assert done == urls, done
    cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss // 1024
    print(json.dumps({"seconds": round(seconds, 2), "cpu": round(cpu, 2), "memory": memory}))


def main(urls: int = 20_000, hosts: int = 40) -> None:
    """Run all clients in sequence and print their figures."""
    command = [sys.executable, __file__]
    allowed = urls / min(CONCURRENCY / LATENCY, hosts / 0.05, hosts * 6 / LATENCY)
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
