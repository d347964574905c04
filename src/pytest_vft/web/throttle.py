"""Request scheduling: limits on concurrency and pace, overall and per host."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

Job = TypeVar("Job")

MAX_INTERVAL = 5.0  # seconds between requests to a host that stays busy


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """Limits of requests, in seconds and bytes.

    *connect* and *total* are the timeouts of a connection and of a whole request, *backoff* is the
    maximum pause before the first retry, doubled for each further retry, *max_pause* the maximum
    Retry-After that is obeyed, *first* the number of bytes in the first request of an image. *budget* is
    the time for all URLs of a run (None: unlimited), *patience* the time that may be lost at one server.
    """

    at_once: int = 64
    per_host: int = 6
    interval: float = 0.05
    connect: float = 5.0
    total: float = 20.0
    redirects: int = 5
    retries: int = 3
    backoff: float = 1.0
    max_pause: float = 30.0
    first: int = 65_536
    budget: float | None = 1_800.0
    patience: float = 60.0


USUAL = FetchLimits()


@dataclass(slots=True)
class LostTime:
    """The seconds that are lost at a server by answers that settle nothing, and by pauses.

    An answer that settles nothing costs at least 2.5 seconds, so 24 in a row cost a minute. Any other
    answer regains 10 seconds, so a server that settles more than one URL in five requests is not given up
    for its answers alone.
    """

    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Add *seconds* for an answer that settles nothing."""
        self.seconds += max(seconds, 2.5)

    def regain(self) -> None:
        """Subtract the gain of an answer that settles a URL."""
        self.seconds = max(0.0, self.seconds - 10.0)


@dataclass(slots=True, eq=False)
class _HostState(Generic[Job]):
    interval: float
    jobs: deque[Job] = field(default_factory=deque)
    running: int = 0
    ready: float = 0.0
    held: float = 0.0
    queued: bool = False


class HostQueue(Generic[Job]):
    """Jobs by host: at most *at_once* run in all and *per_host* per host, started *interval* seconds apart.

    The interval of a busy host is doubled after a pause, and reduced by a tenth with each answer, down to
    *interval*. Times are seconds of a monotonic clock.
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
        """Append *job* to the jobs of *host*."""
        self._host(host).jobs.append(job)
        self._queue(self._host(host))

    def take(self, now: float) -> Job | None:
        """Return a job that may start at *now* and count it as running, or None."""
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
        """Return the seconds until a job may start, or None if a running job must finish first."""
        if self._running >= self._at_once or not self._heap:
            return None
        return max(0.0, self._heap[0][0] - now)

    def finish(self, host: str) -> None:
        """Count one job of *host* as finished."""
        self._running -= 1
        self._host(host).running -= 1
        self._queue(self._host(host))

    def waiting(self, host: str) -> int:
        """Return the number of waiting jobs of *host*."""
        return len(self._host(host).jobs)

    def answered(self, host: str) -> None:
        """Reduce the interval of *host* towards the usual one."""
        one = self._host(host)
        one.interval = max(self._interval, one.interval * 0.9)

    def hold(self, host: str, now: float, seconds: float) -> float:
        """Pause the jobs of *host* for *seconds*, double its interval; return by how much the pause grows."""
        one = self._host(host)
        before = max(one.held, now)
        if now >= one.held:  # only once for requests that ran at the same time
            one.interval = min(one.interval * 2, MAX_INTERVAL)
        one.held = max(one.held, now + seconds)
        one.ready = max(one.ready, one.held)
        return max(0.0, one.held - before)

    def drop(self, host: str, which: Callable[[Job], bool]) -> list[Job]:
        """Remove and return the waiting jobs of *host* for which *which* is true."""
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
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3), or None; *now* is seconds since 1970."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few servers send dates

    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None
