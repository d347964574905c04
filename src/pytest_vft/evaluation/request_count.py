"""The requests that are really sent, which include retries, counted against a budget."""

from __future__ import annotations

import threading

from pytest_vft.evaluation.spending import Budget


class LimitReached(BaseException):
    """Raised instead of a request for which there is no budget; after an Exception, openai tries again."""


class RequestCount:
    """Counts the requests of a thread to *budget*: retries and requests without what the server refused."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._thread = threading.local()

    def start(self) -> None:
        """Begin with a request that is counted already."""
        self._thread.counted = True

    def before_request(self, _: object) -> None:
        """Count a request that is about to be sent. Raises LimitReached if it may not."""
        if not self._thread.counted and not self.budget.take_again():
            raise LimitReached
        self._thread.counted = False
