"""Turns by a clock of their own: no time passes here."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_vft.web.throttle import USUAL, HostQueue, LostTime, retry_after


def simulate(hosts: list[str], *, latency: float) -> list[tuple[float, str]]:
    """Run a job of *latency* seconds for each of *hosts*; return the start times."""
    turns: HostQueue[str] = HostQueue(at_once=64, per_host=6, interval=0.05)
    for host in hosts:
        turns.put(host, host)
    now, started = 0.0, []
    running: list[tuple[float, str]] = []
    while len(started) < len(hosts):
        job = turns.take(now)
        if job is not None:
            started.append((now, job))
            running.append((now + latency, job))
            assert len(running) <= 64
            assert max(Counter(host for _, host in running).values()) <= 6
            continue
        wait = turns.wait(now)
        ends = [end for end, _ in running]
        now = min([*ends, now + wait] if wait is not None else ends)
        for end, host in [one for one in running if one[0] <= now]:
            running.remove((end, host))
            turns.finish(host)
    return started


def test_twenty_thousand_urls_to_one_host_stay_polite() -> None:
    starts = [start for start, _ in simulate(["a"] * 20_000, latency=0.1)]

    assert min(later - earlier for earlier, later in pairwise(starts)) > 0.0499
    assert starts[-1] == pytest.approx(19_999 * 0.05)


def test_forty_hosts_are_limited_by_what_runs_at_once() -> None:
    starts = [start for start, _ in simulate([f"host {n % 40}" for n in range(4_000)], latency=0.1)]

    assert starts[-1] < 4_000 / 640 * 1.02


@given(st.lists(st.sampled_from("abc")), st.floats(0, 2))
def test_no_limit_is_ever_broken_and_nothing_is_lost(hosts: list[str], latency: float) -> None:
    started = simulate(hosts, latency=latency)

    assert sorted(host for _, host in started) == sorted(hosts)


def test_a_host_that_says_too_many_is_asked_half_as_often() -> None:
    turns: HostQueue[int] = HostQueue(at_once=64, per_host=6, interval=0.05)
    for job in range(9):
        turns.put("a", job)
    assert turns.take(0) == 0
    turns.hold("a", 0.01, 2)
    turns.hold("a", 0.02, 1)  # another request that was under way

    assert turns.take(1.9) is None
    assert turns.take(2.01) == 1
    assert turns.take(2.1) is None
    assert turns.take(2.12) == 2

    for _ in range(10):
        turns.answered("a")
    assert turns.take(2.22) == 3
    assert turns.take(2.28) == 4


def test_a_pause_counts_once_for_requests_that_ran_at_the_same_time() -> None:
    turns: HostQueue[int] = HostQueue(at_once=64, per_host=6, interval=0.05)

    assert turns.hold("a", 0, 30) == 30
    assert turns.hold("a", 1, 30) == 1
    assert turns.hold("a", 2, 10) == 0
    assert turns.hold("a", 40, 30) == 30


def lost(costs: Iterable[float | None]) -> list[float]:
    """Return the time lost after each answer, which costs seconds, or settles a URL (None)."""
    time, totals = LostTime(), []
    for cost in costs:
        time.regain() if cost is None else time.add(cost)
        totals.append(time.seconds)
    return totals


def test_answers_that_settle_nothing_use_up_patience() -> None:
    assert max(lost([0.01] * 24)) == USUAL.patience
    assert max(lost([*[0.01] * 19, None] * 2)) > USUAL.patience
    assert max(lost([30.0] * 2)) == USUAL.patience
    assert max(lost([30.0, None, 30.0, None, 30.0])) > USUAL.patience


@given(st.integers(1, 500), st.integers(0, 3))
def test_a_server_that_settles_a_quarter_is_never_given_up(rounds: int, failures: int) -> None:
    assert max(lost([*[0.01] * failures, None] * rounds)) <= USUAL.patience


def test_a_limit_per_minute_with_pauses_is_no_loss() -> None:
    minute = [*[None] * 60, 30.0, *[0.1] * 5]

    assert max(lost(minute * 100)) < USUAL.patience


def test_dropped_jobs_are_gone() -> None:
    turns: HostQueue[int] = HostQueue(at_once=64, per_host=6, interval=0)
    for job in range(4):
        turns.put("a", job)

    assert turns.drop("a", lambda job: job % 2 == 0) == [0, 2]
    assert [turns.take(0), turns.take(0), turns.take(0)] == [1, 3, None]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 60),
        ("Wed, 31 Dec 1969 00:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, 0) == seconds


def test_a_date_counts_from_now() -> None:
    assert retry_after("Thu, 01 Jan 1970 00:01:00 GMT", time.time()) == 0
