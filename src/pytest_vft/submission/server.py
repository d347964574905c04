"""A server that is asked: its answers as plain data, its errors in our words, and how long to wait."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import openai

from pytest_vft.client import Credentials
from pytest_vft.errors import ServerError
from pytest_vft.submission.job_api import JobApi, job_api
from pytest_vft.text import safe

T = TypeVar("T")

_BUSY = (408, 409, 429)
_LONGEST_RETRY_AFTER = 600.0  # seconds; who asks for more is not waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to wait, in seconds: between two looks, *first* and then longer, and in all.

    *tries* is how often a request that failed is sent in all; *deadline* None is for ever.
    """

    first: float = 2.0
    longest: float = 30.0
    tries: int = 4
    deadline: float | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def waits(self) -> Iterator[float]:
        """Yield ever longer waits, with some jitter so that many clients do not keep step."""
        wait = self.first
        while True:
            yield wait * random.uniform(0.8, 1.0)  # noqa: S311 - no secret
            wait = min(wait * 1.5, self.longest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server of the API of fine-tuning jobs, *api*; *progress* hears name, bytes sent and bytes in all."""

    client: openai.OpenAI
    credentials: Credentials
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    api: JobApi = field(default_factory=job_api)
    progress: Callable[[str, int, int], None] = lambda _name, _done, _total: None

    @property
    def once(self) -> openai.OpenAI:
        """The client without retries of its own: it would make a job or a file twice."""
        return self.client.with_options(max_retries=0)

    @property
    def address(self) -> str:
        """Where requests go."""
        return str(self.client.base_url).rstrip("/")

    @contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Raise ServerError, which says what was being done, for whatever the server does wrong."""
        try:
            yield
        except openai.APIError as error:
            raise ServerError(f"{doing}: {self.words(error)}") from None
        except json.JSONDecodeError:
            self.data(None)

    def words(self, error: openai.APIError) -> str:
        """Return what *error* means, without the key."""
        if isinstance(error, openai.APITimeoutError):
            return f"{self.address} did not answer in time"
        if isinstance(error, openai.APIConnectionError):
            return f"{self.address} cannot be reached: {self.safe(error.__cause__ or error)}"
        code = error.code or ""
        said = self.safe(_message(error))
        meaning = self.api.errors.get(code)
        if isinstance(error, openai.AuthenticationError):
            meaning = "the server does not accept the key"
        status = f"{error.status_code} " if isinstance(error, openai.APIStatusError) else ""
        answer = f"{status}{self.safe(code)}".strip()
        return f"{meaning} ({answer}: {said})" if meaning else f"{answer}: {said}"

    def safe(self, text: object) -> str:
        """Return what a server said as text that is harmless and holds no key."""
        return safe(self.credentials.masked(str(text)), 300)

    def data(self, answer: object) -> dict[str, Any]:
        """Return an answer as plain data without the key. Raises ServerError for one that is none."""
        if not isinstance(answer, openai.BaseModel):
            raise ServerError(f"{self.address}: answers with something else than the API documents")
        data: dict[str, Any] = json.loads(self.credentials.masked(answer.to_json()))
        return data

    def listed(self, ask: Callable[[], Iterable[object]], most: int) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages that *ask* gets as plain data, each once and *most* at most.

        A server that does not know about pages sends the same items for ever.
        """
        seen = set()
        try:
            for item in islice(ask(), most):
                data = self.data(item)
                if data.get("id") in seen:
                    return
                if "id" in data:
                    seen.add(data["id"])
                yield data
        except AttributeError:  # what the client raises for a page of HTML
            self.data(None)

    def wait(self, error: openai.APIError, seconds: float) -> None:
        """Wait before the next try: *seconds*, or longer if the server asked for it."""
        self.retry_policy.sleep(max(seconds, retry_after(error)))

    def retried(self, ask: Callable[[], T]) -> T:
        """Return what *ask* returns; asked again when that may help. Only for what may be done twice."""
        for number, wait in enumerate(self.retry_policy.waits(), start=1):
            try:
                return ask()
            except openai.APIError as error:
                if number >= self.retry_policy.tries or not is_passing(error):
                    raise
                self.wait(error, wait)
        raise AssertionError("waits never end")


def is_passing(error: openai.APIError) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, openai.APIStatusError):
        busy = error.status_code in _BUSY or error.status_code >= 500  # noqa: PLR2004 - the server's fault
        return busy and error.code != "insufficient_quota"
    return isinstance(error, openai.APIConnectionError)


def retry_after(error: openai.APIError) -> float:
    """Return the seconds that the server asks to be left alone for, 0 if it does not."""
    headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
    try:
        seconds = float(headers.get("retry-after", 0))
    except ValueError:  # a date
        return 0
    return seconds if 0 < seconds <= _LONGEST_RETRY_AFTER else 0


def _message(error: openai.APIError) -> str:
    body = error.body
    return str(body["message"]) if isinstance(body, Mapping) and "message" in body else error.message
