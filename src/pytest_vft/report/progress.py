"""Progress of a run, shown on stderr if it is a terminal; and what a run waits for, always shown."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_vft.reading.remote import ReadProgress, UrlProgress, Watch
from pytest_vft.text import count, safe

if TYPE_CHECKING:
    from rich.status import Status

    from pytest_vft.checking.cluster import ClusterWait

SHORT = 1.0  # seconds; a shorter run does not show progress
_BAR = 20  # columns
SLOWEST = 3  # number of hosts in the summary


@contextmanager
def watching(begin: Callable[[], None] = lambda: None) -> Iterator[Watch | None]:
    """Yield a function that calls *begin* once and shows progress; None in pipes and in CI."""
    if not sys.stderr.isatty() or os.environ.get("CI"):
        yield None
        return
    progress = ProgressLine(begin)
    try:
        yield progress.see
    finally:
        progress.end()


def tell_wait(wait: ClusterWait) -> None:
    """Write *wait* to stderr, also if it is no terminal."""
    if wait.answers:
        words = f"the cluster at {wait.address} has had no workers"
        step = f"start some with: dask worker {wait.address} --nthreads 1"
    else:
        words, step = f"the scheduler at {wait.address} has not answered", "see its log"
    past, most = (count(round(seconds), "second") for seconds in (wait.seconds, wait.patience))
    sys.stderr.write(f"vft: {words} for {past}; the check ends after {most}; {step}\n")


class ProgressLine:
    """A line that shows the progress since the start."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin
        self._started = self._reading = time.monotonic()
        self._urls = Urls()
        self._status: Status | None = None

    def see(self, event: UrlProgress | ReadProgress) -> None:
        """Show the progress after *event*, unless the run is short."""
        now = time.monotonic()
        if isinstance(event, UrlProgress):
            line = self._urls.add(event, now)
            self._reading = now  # reading continues when all URLs are fetched
        else:
            line = read_line(event, now - self._reading)
        if now - self._started < SHORT:
            return
        if self._status is None:
            from rich.console import Console  # noqa: PLC0415 - 40 ms, for a terminal only

            self._begin()
            self._status = Console(stderr=True, highlight=False, markup=False).status("")
            self._status.start()
        self._status.update(line)

    def end(self) -> None:
        """Clear the line, and print a summary of the URLs."""
        if self._status is not None:
            self._status.stop()
            if self._urls.done:
                self._status.console.print(f"vft: {self._urls.summary()}")


class Urls:
    """Totals of the URLs that have been fetched."""

    def __init__(self) -> None:
        self.done = self._failed = self._unsettled = 0
        self._started = self._last = 0.0
        self._slowest: dict[str, float] = {}

    def add(self, seen: UrlProgress, now: float) -> str:
        """Count one URL and return the progress."""
        self._started, self._last = self._started or now - seen.seconds, now
        self.done += 1
        self._failed += seen.remote.reachable is False
        self._unsettled += seen.remote.reachable is None
        self._slowest[seen.host] = max(seen.seconds, self._slowest.get(seen.host, 0.0))
        return f"{self._line()}; {seen.total - self.done:,} left"

    def summary(self) -> str:
        """Return the totals and the slowest hosts."""
        slowest = sorted(self._slowest.items(), key=lambda item: -item[1])[:SLOWEST]
        hosts = ", ".join(f"{safe(host)} {seconds:.1f} s" for host, seconds in slowest)
        return f"{self._line()}; slowest: {hosts}"

    def _line(self) -> str:
        rate = self.done / max(self._last - self._started, 0.001)
        outcome = f"{self._failed:,} failed, {self._unsettled:,} not settled"
        return f"{count(self.done, 'URL')}, {outcome}, {rate:,.0f} per second"


def read_line(read: ReadProgress, seconds: float) -> str:
    """Return the progress of reading after *seconds*: a bar, percent, bytes, rate and remaining time."""
    rate = read.done / max(seconds, 0.001)
    left = (read.total - read.done) / rate
    share = read.done / max(read.total, 1)
    full = int(share * _BAR)
    bar = f"{'#' * full}{'-' * (_BAR - full)} {int(share * 100):>3} %"  # rich reads brackets as markup
    numbers = f"{read.done / 1e6:,.0f} of {read.total / 1e6:,.0f} MB, {rate / 1e6:,.0f} MB/s"
    return f"{bar}  {numbers}, {left:,.0f} s left"
