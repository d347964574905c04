"""Each way in which a server behaves ends in the right verdict, in bounded time and memory."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from typing import Any
from unittest.mock import Mock

import pytest

from pytest_vft.reading.remote import FetchResults, Remote
from pytest_vft.web.fetching import WebFetcher
from pytest_vft.web.network import Network
from pytest_vft.web.requesting import user_agent
from pytest_vft.web.throttle import FetchLimits

from .server import BIG, JPEG, LATE, MB, NOISE, Server, serving

QUICK = FetchLimits(interval=0, connect=2, total=1, backoff=0.01, max_pause=2)
LOOPBACK = Network(allow_private=True, cache=False)
MOST = 10 * MB


def fetch(*urls: str, limits: FetchLimits = QUICK, network: Network = LOOPBACK, **more: Any) -> FetchResults:
    return WebFetcher(max_bytes=MOST, limits=limits, network=network, **more).fetch(urls)


def found(server: Server, path: str, **more: Any) -> Remote:
    """Return what is found behind *path*; a second URL shows that there is a network."""
    url, other = (f"http://127.0.0.1:{server.port}/{name}" for name in (path, "ok.jpg"))
    return fetch(url, other, **more).remotes[url]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "path", ["ok.jpg", "no-range.jpg", "wrong-type.jpg", "gzip.jpg", "429", "500-thrice", "chain/5"]
)
def test_images_are_measured(server: Server, path: str, full: bool) -> None:  # noqa: FBT001 - parametrized
    remote = found(server, f"{path}?{full}" if "/" not in path else path, full=full)

    assert (remote.reachable, remote.cause, remote.served) == (True, None, None)
    assert remote.image is not None
    assert remote.image[:7] == (len(JPEG), "JPEG", True, "RGB", 64, 48, "none")


@pytest.mark.parametrize(
    ("path", "size", "asked"),
    [
        ("big.jpg?1", len(BIG), ["bytes=0-65535"]),
        ("big-no-range.jpg?1", len(BIG), ["bytes=0-65535"]),
        ("late.jpg?1", len(LATE), ["bytes=0-65535", f"bytes=0-{MOST}"]),
        ("gzip-ranged.jpg?1", len(LATE), ["bytes=0-65535", f"bytes=0-{MOST}"]),
    ],
)
def test_no_more_is_asked_for_than_the_header_needs(
    server: Server, path: str, size: int, asked: list[str]
) -> None:
    image = found(server, path).image

    assert image is not None
    assert (image.bytes, image.width, image.damage) == (size, 64, "none")
    assert [headers["range"] for _, name, headers in server.asked if name == f"/{path}"] == asked


@pytest.mark.parametrize("digits", [40, 4_000, 5_000])
def test_a_size_of_any_length_is_no_fault_of_the_url(server: Server, digits: int) -> None:
    image = found(server, f"endless-size/{digits}").image

    assert image is not None
    assert image[:7] == (len(JPEG), "JPEG", True, "RGB", 64, 48, "none")


def test_an_image_of_unknown_size_is_requested_whole(server: Server) -> None:
    image = found(server, "unknown-size").image

    assert image is not None
    assert image[:7] == (len(NOISE), "JPEG", True, "RGB", 512, 512, "none")


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("404", "404 Not Found"),
        ("410", "410 Gone"),
        ("403", "403 Forbidden"),
        ("loop", "more than 5 redirects, after a redirect to 127.0.0.1"),
        ("chain/6", "more than 5 redirects, after a redirect to 127.0.0.1"),
        (f"to/{b'ftp://example.com/a.jpg'.hex()}", "redirect to scheme ftp"),
        (f"to/{b'http://[::1/'.hex()}", "invalid URL"),
        (
            f"to/{b'http://a%00b.c/'.hex()}",
            "its host contains '\\x00', after a redirect to a%00b.c",
        ),
    ],
)
def test_what_nobody_gets_is_unreachable(server: Server, path: str, cause: str) -> None:
    remote = found(server, path)

    assert (remote.reachable, remote.cause, remote.image) == (False, cause, None)


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("500", "500 Internal Server Error"),
        ("503", "503 Service Unavailable"),
        ("busy-for-an-hour", "429 Too Many Requests"),
        ("drip", "no complete answer within 1 s"),
        ("never", "no complete answer within 1 s"),
        ("midway", "connection closed during the answer"),
        ("long-length", "connection closed during the answer"),
        ("no-http", "the answer is not valid HTTP"),
        ("short-length", "the answer is not valid HTTP"),
        ("000", "the answer is not valid HTTP"),
        ("endless-length/40", "the answer is not valid HTTP"),
        ("endless-length/5000", "the answer is not valid HTTP"),
        ("brotli.jpg", "sent in an encoding that was not requested"),
        ("no-gzip.jpg", "sent as gzip that cannot be decompressed"),
    ],
)
def test_what_may_be_better_tomorrow_is_not_settled(server: Server, path: str, cause: str) -> None:
    started = time.monotonic()
    remote = found(server, path)

    assert (remote.reachable, remote.cause) == (None, cause)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("path", "served"),
    [
        ("page", "an HTML page"),
        ("login", "an HTML login page"),
        ("json", "data declared as application/json"),
        ("pointer.jpg", "a Git LFS pointer"),
        ("empty.jpg", "nothing"),
    ],
)
def test_what_is_no_image_is_named(server: Server, path: str, served: str) -> None:
    remote = found(server, path)

    assert (remote.reachable, remote.served, remote.image) == (True, served, None)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("path", ["endless", "bomb.jpg", "big.jpg"])
def test_bodies_without_end_are_cut_just_above_the_limit(server: Server, path: str, full: bool) -> None:  # noqa: FBT001 - parametrized
    tracemalloc.start()
    image = found(server, path, full=full, limits=FetchLimits(total=10)).image
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert image is not None
    assert image.bytes > MOST
    assert peak < 6 * MOST


def test_requests_say_who_asks_and_nothing_else(server: Server) -> None:
    found(server, "ok.jpg?who")

    (method, _, headers), *_ = (one for one in server.asked if one[1] == "/ok.jpg?who")
    assert method == "GET"
    assert headers["user-agent"] == user_agent()
    assert headers["accept-encoding"] == "identity"
    assert not headers.keys() & {"cookie", "authorization", "referer"}


def test_each_url_is_asked_for_once_and_cookies_are_not_kept(server: Server) -> None:
    url = f"http://127.0.0.1:{server.port}/ok.jpg?once"

    assert fetch(url, url).remotes.keys() == {url}
    assert server.paths["/ok.jpg?once"] == 1


def test_redirects_are_named_without_their_secrets(server: Server) -> None:
    target = f"http://127.0.0.1:{server.port}/ok.jpg?X-Amz-Signature=secret"
    remote = found(server, f"to/{target.encode().hex()}")

    assert remote.redirected_to == target.replace("secret", "***")


def test_no_network_is_said_once_and_accuses_no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    names_fail(monkeypatch, socket.EAI_AGAIN)
    urls = [f"http://a.example/{number}.jpg" for number in range(40)]
    result = fetch(*urls, "http://user@127.0.0.1/")

    assert result.trouble == "no network"
    assert {result.remotes[url] for url in urls} == {Remote(None, "no network", public=None)}
    assert result.remotes["http://user@127.0.0.1/"].reachable is False


def names_fail(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Mock(side_effect=socket.gaierror(number, "")))


def test_a_refused_connection_is_a_failure_even_if_there_is_no_other_host() -> None:
    urls = [f"http://127.0.0.1:1/{number}.jpg" for number in range(40)]
    result = fetch(*urls)

    assert result.trouble is None
    assert set(result.remotes.values()) == {Remote(False, "connection refused")}


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="without a network, names are unknown there")
def test_an_unknown_name_is_a_failure_even_if_there_is_no_other_host(monkeypatch: pytest.MonkeyPatch) -> None:
    names_fail(monkeypatch, socket.EAI_NONAME)
    urls = ["http://a.example/1.jpg", "http://a.example/2.jpg", "http://b.example/1.jpg"]
    result = fetch(*urls)

    assert result.trouble is None
    assert set(result.remotes.values()) == {Remote(False, "DNS: no such host")}


def test_a_name_server_that_fails_for_one_name_proves_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    names_fail(monkeypatch, socket.EAI_FAIL)
    network = Network(overrides={"b.example": ("127.0.0.1", server.port)}, cache=False)
    result = fetch("http://a.example/a.jpg", "http://b.example/ok.jpg", network=network)

    assert result.trouble is None
    assert result.remotes["http://a.example/a.jpg"].reachable is None
    assert result.remotes["http://b.example/ok.jpg"].reachable


def test_a_server_that_is_not_there_is_no_lack_of_network(server: Server) -> None:
    dead = "http://127.0.0.1:1/a.jpg"
    result = fetch(dead, f"http://127.0.0.1:{server.port}/404")

    assert result.trouble is None
    assert result.remotes[dead] == Remote(False, "connection refused")


def test_a_host_that_never_answers_is_given_up(server: Server) -> None:
    urls = [f"http://127.0.0.1:{server.port}/never?{number}" for number in range(200)]
    result = fetch(*urls, limits=FetchLimits(interval=0, total=0.2, per_host=6))

    assert len(result.remotes) == 200
    assert 24 <= sum(path.startswith("/never?") for path in server.paths) <= 60


def test_a_host_that_is_busy_for_long_is_left_alone(server: Server) -> None:
    urls = [f"http://127.0.0.1:{server.port}/busy-for-an-hour?{number}" for number in range(100)]
    result = fetch(*urls)

    assert {remote.cause for remote in result.remotes.values()} == {
        "429 Too Many Requests",
        "not requested after: 429 Too Many Requests",
    }
    assert sum(path.startswith("/busy-for-an-hour?") for path in server.paths) <= 6


@pytest.mark.parametrize("name", ["busy/0", "busy-but-for-every-twentieth"])
def test_a_host_whose_answers_settle_nothing_is_given_up(name: str) -> None:
    with serving() as server:
        base = f"http://127.0.0.1:{server.port}"
        remotes = fetch(*(f"{base}/{name}?{number}" for number in range(1_000))).remotes

    assert len(remotes) == 1_000
    assert 24 <= len(server.asked) <= 100
    assert (
        sum(remote.cause == "not requested after: 429 Too Many Requests" for remote in remotes.values()) > 900
    )


def test_a_host_is_not_waited_for_once_it_is_given_up() -> None:
    limits = replace(QUICK, max_pause=600, patience=100)
    with serving() as server:
        base = f"http://127.0.0.1:{server.port}"
        remotes = fetch(*(f"{base}/busy/500?{number}" for number in range(100)), limits=limits).remotes

    assert {remote.reachable for remote in remotes.values()} == {None}
    assert len(server.asked) <= 6


def test_a_host_that_settles_most_urls_is_not_given_up() -> None:
    with serving() as server:
        base = f"http://127.0.0.1:{server.port}"
        names = [f"{'500' if number % 3 == 0 else '404'}?{number}" for number in range(150)]
        remotes = fetch(*(f"{base}/{name}" for name in names)).remotes

    assert len(server.paths) == 150
    assert [remote.cause for remote in remotes.values()].count("500 Internal Server Error") == 50


def test_after_the_time_for_all_urls_the_rest_is_not_settled(server: Server) -> None:
    base = f"http://127.0.0.1:{server.port}"
    waiting = [f"{base}/never?late{number}" for number in range(50)]
    result = fetch(f"{base}/ok.jpg?late", *waiting, limits=replace(QUICK, total=60, budget=0.5))

    assert result.out_of_time
    assert result.remotes[f"{base}/ok.jpg?late"].reachable
    assert {result.remotes[url] for url in waiting} == {Remote(None, "no time left of 0.5 s")}


def test_a_host_is_asked_politely() -> None:
    with serving() as server:
        fetch(
            *(f"http://127.0.0.1:{server.port}/slow.jpg?{number}" for number in range(40)),
            limits=FetchLimits(),
        )

    gaps = [later - earlier for earlier, later in pairwise(server.times)]
    assert server.most_at_once <= 6
    assert sum(gaps) / len(gaps) > 0.045


def test_a_notebook_with_a_running_loop_can_fetch(server: Server) -> None:
    async def cell() -> Remote:
        return found(server, "ok.jpg")

    assert asyncio.run(cell()).reachable
