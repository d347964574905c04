"""How far fetching is: a line on stderr while it runs, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_vft.reading.remote import Seen, Watch
from pytest_vft.text import count, safe

if TYPE_CHECKING:
    from rich.status import Status

SLOWEST = 3  # hosts that are named in the end


@contextmanager
def watching() -> Iterator[Watch | None]:
    """Give what is to be called with each URL that is done with; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    progress = Progress()
    try:
        yield progress.see
    finally:
        progress.end()


class Progress:
    """What was counted since the first URL, shown as it grows."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._done = self._failed = self._unsettled = 0
        self._slowest: dict[str, float] = {}
        self._status: Status | None = None

    def see(self, seen: Seen) -> None:
        """Count one URL and show where it stands."""
        self._done += 1
        self._failed += seen.remote.reachable is False
        self._unsettled += seen.remote.reachable is None
        self._slowest[seen.host] = max(seen.seconds, self._slowest.get(seen.host, 0.0))
        if self._status is None:
            from rich.console import Console  # noqa: PLC0415 - 40 ms, for a terminal only

            self._status = Console(stderr=True, highlight=False, markup=False).status("")
            self._status.start()
        self._status.update(f"{self.line()}; {seen.of - self._done:,} to go")

    def line(self) -> str:
        """Return how many URLs are done with, how many of them are no good, and how fast."""
        rate = self._done / max(time.monotonic() - self._started, 0.001)
        outcome = f"{self._failed:,} failed, {self._unsettled:,} not settled"
        return f"{count(self._done, 'URL')}, {outcome}, {rate:,.0f} a second"

    def end(self) -> None:
        """Leave one line that says what it came to, and which hosts were slowest."""
        if self._status is None:
            return
        self._status.stop()
        slowest = sorted(self._slowest.items(), key=lambda item: -item[1])[:SLOWEST]
        hosts = ", ".join(f"{safe(host)} {seconds:.1f} s" for host, seconds in slowest)
        self._status.console.print(f"vft: {self.line()}; slowest: {hosts}")
