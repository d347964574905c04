"""Whose turn it is: never too many requests at once, nor too soon after one another."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

Job = TypeVar("Job")

SLOWEST = 5.0  # seconds between requests to a host that keeps saying "too many"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """How a server is treated; seconds and bytes.

    *connect* and *total* are deadlines for a connection and for a whole request, *backoff* the
    longest pause before the first retry, doubled for each further one, *longest_wait* the most that
    a Retry-After is obeyed, *first* what is asked for of an image to begin with.
    """

    at_once: int = 64
    per_host: int = 6
    interval: float = 0.05
    connect: float = 5.0
    total: float = 20.0
    redirects: int = 5
    retries: int = 3
    backoff: float = 1.0
    longest_wait: float = 30.0
    first: int = 65_536


USUAL = FetchLimits()


@dataclass(slots=True, eq=False)
class _HostState(Generic[Job]):
    interval: float
    jobs: deque[Job] = field(default_factory=deque)
    running: int = 0
    ready: float = 0.0
    held: float = 0.0
    queued: bool = False


class HostQueue(Generic[Job]):
    """Jobs by host: *at_once* in all and *per_host* may run, each *interval* seconds after the last.

    A host that says "too many" is left alone for a while and then asked half as often; each answer
    brings it a tenth nearer to the *interval*. Times are seconds of any clock that only goes forward.
    """

    def __init__(self, *, at_once: int, per_host: int, interval: float) -> None:
        self._at_once = at_once
        self._per_host = per_host
        self._interval = interval
        self._hosts: dict[str, _HostState[Job]] = {}
        self._heap: list[tuple[float, int, _HostState[Job]]] = []
        self._number = count()
        self._running = 0

    def put(self, host: str, job: Job) -> None:
        """Queue *job* behind the others of *host*."""
        self._host(host).jobs.append(job)
        self._queue(self._host(host))

    def take(self, now: float) -> Job | None:
        """Return a job that may start at *now*, which then runs until it is finished; else None."""
        while self._running < self._at_once and self._heap and self._heap[0][0] <= now:
            _, _, host = heapq.heappop(self._heap)
            host.queued = False
            if host.jobs and host.ready <= now:
                host.running += 1
                self._running += 1
                host.ready = now + host.interval
                job = host.jobs.popleft()
                self._queue(host)
                return job
            self._queue(host)
        return None

    def wait(self, now: float) -> float | None:
        """Return the seconds until a job may start; None when that takes another to finish first."""
        if self._running >= self._at_once or not self._heap:
            return None
        return max(0.0, self._heap[0][0] - now)

    def finish(self, host: str) -> None:
        """Count one job of *host* as done."""
        self._running -= 1
        self._host(host).running -= 1
        self._queue(self._host(host))

    def waiting(self, host: str) -> int:
        """Return how many jobs of *host* wait."""
        return len(self._host(host).jobs)

    def answered(self, host: str) -> None:
        """Come back a little to the usual interval."""
        one = self._host(host)
        one.interval = max(self._interval, one.interval * 0.9)

    def hold(self, host: str, now: float, seconds: float) -> None:
        """Start no job of *host* for some *seconds*, and fewer of them from then on."""
        one = self._host(host)
        if now >= one.held:  # the others that were under way say the same
            one.interval = min(one.interval * 2, SLOWEST)
        one.held = max(one.held, now + seconds)
        one.ready = max(one.ready, one.held)

    def drop(self, host: str, which: Callable[[Job], bool]) -> list[Job]:
        """Return *which* of the jobs of *host* wait, and forget them."""
        one = self._host(host)
        dropped = [job for job in one.jobs if which(job)]
        one.jobs = deque(job for job in one.jobs if not which(job))
        return dropped

    def _host(self, host: str) -> _HostState[Job]:
        return self._hosts.setdefault(host, _HostState(self._interval))

    def _queue(self, host: _HostState[Job]) -> None:
        if host.jobs and not host.queued and host.running < self._per_host:
            host.queued = True
            heapq.heappush(self._heap, (host.ready, next(self._number), host))


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for, None when it cannot be read.

    *now* is in seconds since 1970 (RFC 9110, 10.2.3: a number of seconds, or a date).
    """
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few servers send dates

    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None
