"""Look names up once, and connect only to addresses that were checked.

A check before a request is not enough: a redirect or a second look-up may lead to another address. So
each name is looked up once per run, all its addresses are checked, and each socket is checked again.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future
from ipaddress import ip_address
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from pytest_vft.reading.addresses import Address as IPAddress
from pytest_vft.reading.addresses import why_not_public
from pytest_vft.web.network import Network

MAX_LOOKUPS = 32  # at the same time


class NotPublicError(Exception):
    """A host has an address that is not public; the text names the address and the reason."""


class CheckingResolver(AbstractResolver):
    """Looks names up and creates sockets for aiohttp's connector, only for addresses that were checked."""

    def __init__(self, network: Network, seconds: float) -> None:
        self._network = network
        self._seconds = seconds
        self._found: dict[str, asyncio.Task[list[ResolveResult]]] = {}
        self._checked: set[IPAddress] = set()
        self._at_once = asyncio.Semaphore(MAX_LOOKUPS)

    async def check(self, host: str, *, proxy: bool = False) -> None:
        """Allow connections to *host*, which may be private if it is a *proxy*.

        Raises NotPublicError, and socket.gaierror for an unknown name.
        """
        addresses = [ip_address(result["host"]) for result in await self._look_up(host)]
        if not (self._network.allow_private or proxy or host in self._network.overrides):
            for address in addresses:
                kind = why_not_public(address)
                if kind:
                    raise NotPublicError(f"{host} is {address}, which is {kind}")
        self._checked.update(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of *host* from the first look-up."""
        del family
        return [{**result, "port": result["port"] or port} for result in await self._look_up(host)]

    def socket(self, info: Any) -> socket.socket:
        """Return a socket for the address of *info*. Raises PermissionError unless it was checked."""
        family, kind, protocol, _, (host, *_) = info
        if ip_address(host) not in self._checked:
            raise PermissionError(f"{host} was not checked")
        return socket.socket(family, kind, protocol)

    async def close(self) -> None:
        """Do nothing: the threads that look names up end by themselves."""

    async def _look_up(self, name: str) -> list[ResolveResult]:
        host = name.lower()
        if host not in self._found:
            self._found[host] = asyncio.create_task(self._ask(host))
        return await asyncio.shield(self._found[host])

    async def _ask(self, host: str) -> list[ResolveResult]:
        if host in self._network.overrides:
            return [_result(host, *self._network.overrides[host])]
        try:
            async with self._at_once, asyncio.timeout(self._seconds):
                found = await _in_thread(host)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "timed out") from None
        return [_result(host, address) for address in dict.fromkeys(found)]


def _result(host: str, address: str, port: int = 0) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )


async def _in_thread(host: str) -> list[str]:
    """Look *host* up in a daemon thread, so that Ctrl-C does not wait for a name server."""
    found: Future[list[str]] = Future()
    found.set_running_or_notify_cancel()  # from here on, cancelling the task does not cancel the future

    def look_up() -> None:
        try:
            infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found.set_result([str(info[4][0]) for info in infos])
        except (OSError, UnicodeError) as error:
            found.set_exception(error)

    threading.Thread(target=look_up, daemon=True, name=f"vft looks up {host}").start()
    return await asyncio.wrap_future(found)
