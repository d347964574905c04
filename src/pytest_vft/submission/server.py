"""A server of the fine-tuning API: answers as plain data, error messages, retries."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, TypeVar

import httpx2
import openai

from pytest_vft.client import Credentials, redirect_target
from pytest_vft.errors import ServerError
from pytest_vft.submission.answer import answer_text
from pytest_vft.submission.job_api import JobApi, job_api
from pytest_vft.text import safe

T = TypeVar("T")

_BUSY = (408, 409, 429)
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_MAX_RETRY_AFTER = 600.0  # seconds; a longer Retry-After is ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Waiting times in seconds, growing from *first* to *longest*, and the maximum number of *tries*.

    *search* is how long to look for what a server may have created, or for a job to follow. *patience* is
    how long a job may stay paused, or in a state that is not documented, without news.
    """

    first: float = 2.0
    longest: float = 30.0
    tries: int = 4
    deadline: float | None = None
    search: float = 120.0
    patience: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def waits(self) -> Iterator[float]:
        """Yield growing waiting times, with jitter so that clients do not send requests at the same time."""
        wait = self.first
        while True:
            yield wait * random.uniform(0.8, 1.0)  # noqa: S311 - not a secret
            wait = min(wait * 1.5, self.longest)


class RawAnswer(Protocol):
    """An answer of the client's `with_raw_response`, which does not interpret it."""

    http_response: httpx2.Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server of the fine-tuning API *api*.

    *progress* is called with path, bytes sent and total bytes, *notify* with what is uploaded or waited for.
    """

    client: openai.OpenAI
    credentials: Credentials
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    api: JobApi = field(default_factory=job_api)
    progress: Callable[[str, int, int], None] = lambda _name, _done, _total: None
    notify: Callable[[str], None] = lambda _text: None

    @property
    def once(self) -> openai.OpenAI:
        """The client without its own retries, which could create a job or a file twice."""
        return self.client.with_options(max_retries=0)

    @property
    def address(self) -> str:
        """The base URL of requests."""
        return str(self.client.base_url).rstrip("/")

    @contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Turn errors of the API into a ServerError, whose message starts with *doing*."""
        try:
            yield
        except openai.APIError as error:
            raise ServerError(f"{doing}: {self.words(error)}") from None

    def words(self, error: openai.APIError) -> str:
        """Return a description of *error* that does not contain the key."""
        if isinstance(error, openai.APITimeoutError):
            return f"{self.address} did not answer in time"
        if isinstance(error, openai.APIConnectionError):
            return f"{self.address} cannot be reached: {self.safe(error.__cause__ or error)}"
        target = redirect_target(error)
        if target is not None and isinstance(error, openai.APIStatusError):
            redirects = f"the server redirects to {self.safe(target)}; redirects are not followed"
            return f"{error.status_code}: {redirects}"
        code = error.code or ""
        meaning = self.api.errors.get(code)
        if isinstance(error, openai.AuthenticationError):
            meaning = "the server does not accept the key"
        status = f"{error.status_code} " if isinstance(error, openai.APIStatusError) else ""
        answer = f"{status}{self.safe(code)}".strip() + f": {self.safe(answer_text(error.body) or 'no text')}"
        return f"{meaning} ({answer})" if meaning else answer

    def safe(self, text: object) -> str:
        """Return text from the server, escaped and with the key masked."""
        return safe(self.credentials.masked(str(text)), 300)

    def data(self, answer: RawAnswer) -> dict[str, Any]:
        """Return *answer* as plain data, with the key masked. Raises ServerError if it is not an object."""
        try:
            data = json.loads(answer.http_response.text)
            # The key is masked in the text of JSON without needless escapes.
            data = json.loads(self.credentials.masked(json.dumps(data)))
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise self.unreadable(answer)
        return data

    def new_id(self, answer: RawAnswer, made: object) -> str:
        """Return the id of *made*, which *answer* describes. Raises ServerError if it has no id."""
        id_ = made.get("id") if isinstance(made, dict) else None
        if not isinstance(id_, str) or not id_:
            raise self.unreadable(answer)
        return id_

    def unreadable(self, answer: RawAnswer) -> ServerError:
        """Return an error that names the request and quotes *answer*, which is not as documented."""
        response = answer.http_response
        request = f"{response.request.method} {self.safe(response.request.url.copy_with(query=None))}"
        text = self.safe(answer_text(response.text) or "no text")
        return ServerError(f"{request}: the answer does not follow the documentation of the API: {text}")

    def listed(self, list_page: Callable[..., RawAnswer], limit: int) -> Iterator[dict[str, Any]]:
        """Yield at most *limit* items of all pages of *list_page* as plain data, each item once."""
        return islice(self._items(list_page), limit)

    def _items(self, list_page: Callable[..., RawAnswer]) -> Iterator[dict[str, Any]]:
        seen: set[object] = set()
        after: dict[str, str] = {}
        while True:
            answer = list_page(**after)
            page = self.data(answer)
            items = page.get("data", "")
            items = [] if items is None else items  # how some servers write an empty list
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise self.unreadable(answer)
            for item in items:
                if str(item.get("id")) in seen:  # a server without paging repeats the items
                    return
                if item.get("id"):
                    seen.add(str(item["id"]))
                yield item
            if page.get("has_more") is False or not items or not items[-1].get("id"):
                return
            after = {"after": str(items[-1]["id"])}

    def retried(self, send: Callable[[], T]) -> T:
        """Return the result of *send*, which creates nothing and is repeated after temporary errors."""
        for number, wait in enumerate(self.retry_policy.waits(), start=1):
            try:
                return send()
            except openai.APIError as error:
                if number >= self.retry_policy.tries or not is_temporary(error):
                    raise
                self.retry_policy.sleep(max(wait, retry_after(error)))
        raise AssertionError("waits never end")


def is_temporary(error: openai.APIError) -> bool:
    """Return whether the same request may succeed later."""
    if isinstance(error, openai.APIStatusError):
        busy = error.status_code in _BUSY or error.status_code >= 500  # noqa: PLR2004 - errors of the server
        return busy and error.code != "insufficient_quota"
    return isinstance(error, openai.APIConnectionError)


def never_sent(error: openai.APIError) -> bool:
    """Return whether the request did not reach the server."""
    return isinstance(error.__cause__, _NOT_SENT)


def retry_after(error: openai.APIError) -> float:
    """Return the seconds of the Retry-After header, 0 without one."""
    headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
    try:
        seconds = float(headers.get("retry-after", 0))
    except ValueError:  # a date
        return 0
    return seconds if 0 < seconds <= _MAX_RETRY_AFTER else 0
