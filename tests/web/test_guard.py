"""No request ever reaches an address that is not public, however it is spelt or reached."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_vft.reading.addresses import is_local_name, literal_address, why_not_public
from pytest_vft.reading.remote import Remote
from pytest_vft.web.fetching import WebFetcher
from pytest_vft.web.network import Network
from pytest_vft.web.resolver import CheckingResolver
from pytest_vft.web.throttle import FetchLimits

from .server import Server, serving

PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111"]
NOT_PUBLIC = {
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "0.0.0.0": "unspecified",  # noqa: S104 - it is what is refused
    "10.0.0.5": "private",
    "172.16.0.1": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "shared by a carrier's customers",
    "169.254.169.254": "link-local",
    "192.0.0.8": "reserved",
    "198.18.0.1": "private",
    "224.0.0.1": "multicast",
    "255.255.255.255": "private",
    "::1": "loopback",
    "::": "unspecified",
    "::127.0.0.1": "reserved",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:8.8.8.8": "an IPv4-mapped address",
    "64:ff9b::a9fe:a9fe": "a NAT64 address",
    "2002:a9fe:a9fe::": "a 6to4 address",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "a Teredo address",
    "fc00::1": "private",
    "fe80::1": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
    "3fff::1": "reserved",
    "5f00::1": "reserved",
}
# Spellings of 127.0.0.1 that some client takes.
ODD = [
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.0.0.1.",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "%31%32%37.0.0.1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert why_not_public(ip_address(address)) is None


@pytest.mark.parametrize(("address", "kind"), NOT_PUBLIC.items())
def test_addresses_that_are_not_public(address: str, kind: str) -> None:
    assert why_not_public(ip_address(address)) == kind


@given(st.ip_addresses())
@example(IPv6Address("64:ff9b::808:808"))
def test_what_python_calls_private_is_never_public(address: IPv4Address | IPv6Address) -> None:
    if address.is_private or address.is_multicast or address.is_reserved or not address.is_global:
        assert why_not_public(address) is not None


@pytest.mark.parametrize("host", ODD)
def test_odd_spellings_are_understood(host: str) -> None:
    assert literal_address(host) == IPv4Address("127.0.0.1")


@pytest.mark.parametrize("host", ["example.com", "1.example", "127.0.0.1.nip.io", "256.1.1.1", ""])
def test_names_are_no_addresses(host: str) -> None:
    assert literal_address(host) is None


@given(st.text())
def test_no_host_is_too_odd(host: str) -> None:
    literal_address(host)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("nas.local", True),
        ("x.internal", True),
        ("local.com", False),
        ("localhost.example.com", False),
        ("%6cocalhost", True),
        ("localhost%2e", True),
        ("localhost%2E%2E", True),
        ("\uff4c\uff4f\uff43alhost", True),
        ("nas\uff0elocal", True),
        ("nas｡local。", True),
        ("lo\u00adcal\u200bhost", True),
        ("localhost\0", True),
        ("localhost%00.example.com", True),
        ("%E2%93%9Bocalhost", True),
    ],
)
def test_names_of_local_networks(host: str, local: bool) -> None:  # noqa: FBT001 - parametrized
    assert is_local_name(host) is local


# What follows dials. public.example is an address that VFT_RESOLVE would give: loopback in the part
# of the internet. All else must be refused.


@pytest.fixture
def internal() -> Iterator[Server]:
    with serving() as server:
        yield server
    assert server.connections == 0


@pytest.fixture(scope="module")
def public() -> Iterator[Server]:
    with serving() as server:
        yield server


def found(public: Server, url: str) -> Remote:
    network = Network(overrides={"public.example": ("127.0.0.1", public.port)}, cache=False)
    limits = FetchLimits(interval=0, connect=2, total=2, backoff=0.01)
    fetcher = WebFetcher(max_bytes=1_000_000, network=network, limits=limits)
    return fetcher.fetch([url, "http://public.example/ok.jpg"]).remotes[url]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0", *ODD])  # noqa: S104 - as above
def test_literals_and_odd_spellings_are_not_dialled(public: Server, internal: Server, host: str) -> None:
    remote = found(public, f"http://{host}:{internal.port}/ok.jpg")

    assert (remote.reachable, remote.public) == (False, False)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:7f00:1]", "127.1", "internal.example", "localhost"])
def test_redirects_are_not_followed_there(
    public: Server, internal: Server, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, {"internal.example": ["127.0.0.1"]})
    target = f"http://{host}:{internal.port}/ok.jpg"
    remote = found(public, f"http://public.example/to/{target.encode().hex()}")

    assert (remote.reachable, remote.public) == (False, False)
    assert "after a redirect to" in str(remote.cause)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1", "2606:4700::1111"]])
def test_every_address_of_a_name_counts(
    public: Server, internal: Server, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, {"internal.example": addresses})
    remote = found(public, f"http://internal.example:{internal.port}/ok.jpg")

    assert (remote.reachable, remote.public) == (False, False)
    assert str(remote.cause).startswith("internal.example is ")


def test_a_name_that_changes_its_address_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"rebind.example": ["8.8.8.8"]}
    asked = names(monkeypatch, known)

    async def dial() -> list[str]:
        resolver = CheckingResolver(Network(), seconds=2)
        await resolver.check("rebind.example")
        known["rebind.example"] = ["127.0.0.1"]
        results = await resolver.resolve("rebind.example", 80)
        with pytest.raises(PermissionError, match="was not checked"):
            resolver.socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80)))
        resolver.socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 80))).close()
        return [result["host"] for result in results]

    assert asyncio.run(dial()) == ["8.8.8.8"]
    assert asked == ["rebind.example"]


def test_a_name_server_that_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = threading.Event()

    def getaddrinfo(*_: Any, **__: Any) -> Any:
        waiting.wait(10)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    fetcher = WebFetcher(max_bytes=1, network=Network(), limits=FetchLimits(connect=0.1))

    result = fetcher.fetch(["http://a.example/", "http://b.example/"])
    waiting.set()

    assert result.trouble == "no network"


def names(monkeypatch: pytest.MonkeyPatch, known: dict[str, list[str]]) -> list[str]:
    """Have the system know *known* names and no others; return the list of what it is asked."""
    asked: list[str] = []

    def getaddrinfo(host: str, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        found = known.get(host) or ([host] if literal_address(host) else [])
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(0, 0, 0, "", (address, 0)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked
