"""Requests to a chat model over an API, several at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pytest_vft.client import make_client, read_credentials
from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.text import count, safe

if TYPE_CHECKING:
    import openai

T = TypeVar("T")
R = TypeVar("R")

MOST_IN_A_ROW = 10
_FATAL = (401, 403, 404)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAccess:
    """A model, the address of its server, and how requests are sent.

    *timeout* is in seconds; *retries* are made by the openai package after status 429 or 5xx, timeouts
    and lost connections.
    """

    model: str
    base_url: str | None = None
    concurrency: int = 8
    timeout: float = 60.0
    retries: int = 5

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.timeout <= 0 or self.retries < 0:
            raise UsageError("concurrency must be at least 1, timeout above 0 and retries at least 0")


class Completion(NamedTuple):
    """An answer of a model; *text* is "" if the model refused. Token counts are 0 if not reported."""

    text: str
    finish_reason: str
    refusal: str | None
    prompt_tokens: int
    completion_tokens: int


class ChatFailure(NamedTuple):
    """Why a request has no answer after all retries."""

    reason: str


@dataclass(slots=True)
class ChatModel:
    """A model behind *client*, asked with *parameters*; temperature is left out once it was refused.

    *masked* removes the API key from texts of the server.
    """

    client: openai.OpenAI
    model: str
    parameters: Mapping[str, Any]
    masked: Callable[[str], str] = str
    _left_out: set[str] = field(default_factory=set)

    def ask(self, messages: Sequence[Mapping[str, Any]]) -> Completion | ChatFailure:
        """Return the answer to *messages*.

        Raises EvaluationError if every other request would fail too, because the key, the model or the
        address is wrong.
        """
        import openai  # noqa: PLC0415 - 0.6 s, for those who call an API only

        sent = {name: value for name, value in self.parameters.items() if name not in self._left_out}
        create: Callable[..., Any] = self.client.chat.completions.create
        try:
            return _completion(create(model=self.model, messages=messages, **sent))
        except (AttributeError, TypeError, ValueError) as error:  # openai hardly validates responses
            return ChatFailure(f"the server's response is not a completion: {self._reason(error)}")
        except openai.BadRequestError as error:
            if "temperature" in sent and "temperature" in f"{error.param} {error}".lower():
                self._left_out.add("temperature")
                return self.ask(messages)
            return ChatFailure(self._reason(error))
        except openai.OpenAIError as error:
            if isinstance(error, openai.APIStatusError) and error.status_code in _FATAL:
                raise EvaluationError(f"{safe(self.model)}: {self._reason(error)}") from None
            return ChatFailure(self._reason(error))

    def _reason(self, error: BaseException) -> str:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        return safe(self.masked(f"{error}{cause}"), 200)


def make_chat(access: ModelAccess, parameters: Mapping[str, Any]) -> ChatModel:
    """Return a chat with the model of *access*. Raises MissingKeyError if there is no API key."""
    credentials = read_credentials(access.base_url, os.environ)
    client = make_client(credentials, timeout=access.timeout, max_retries=access.retries)
    return ChatModel(client, access.model, parameters, credentials.masked)


def _completion(response: Any) -> Completion | ChatFailure:
    if not getattr(response, "choices", None):
        return ChatFailure("the server's response is not a completion: it has no choices")
    usage, choice = response.usage, response.choices[0]
    refusal = getattr(choice.message, "refusal", None)
    return Completion(
        _clean(choice.message.content or ""),
        choice.finish_reason or "",
        _clean(refusal) if refusal else None,
        (usage and usage.prompt_tokens) or 0,
        (usage and usage.completion_tokens) or 0,
    )


def _clean(text: str) -> str:
    """Return *text* without lone surrogates, which are valid in JSON but not in UTF-8."""
    return text.encode(errors="replace").decode()


def in_parallel(work: Iterable[T], do: Callable[[T], R], concurrency: int) -> Iterator[tuple[T, R]]:
    """Yield each item of *work* with the result of *do*, as they complete, *concurrency* at a time.

    Items are taken from *work* only when they can start. Exceptions of *do* are raised here.
    """
    pending: dict[Future[R], T] = {}
    waiting = iter(work)
    with ThreadPoolExecutor(concurrency, thread_name_prefix="vft-eval") as pool:
        while True:
            while len(pending) < concurrency and (taken := next(waiting, pool)) is not pool:
                one: T = taken  # type: ignore[assignment]  # the pool only marks the end
                pending[pool.submit(do, one)] = one
            if not pending:
                return
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                yield pending.pop(future), future.result()


def paced(work: Iterable[T], per_minute: float | None) -> Iterator[T]:
    """Yield *work* at an even pace of at most *per_minute* items a minute, without a limit if None."""
    due = time.monotonic()
    for one in work:
        if per_minute is not None:
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic() - 60 / per_minute) + 60 / per_minute
        yield one


@dataclass(frozen=True, slots=True)
class ChatFailures:
    """Reasons of failed requests; *noun* names one request in messages."""

    noun: str
    reasons: list[str] = field(default_factory=list)

    def left_out(self, results: Iterable[tuple[T, R | ChatFailure]]) -> Iterator[tuple[T, R]]:
        """Yield *results* without failures, whose reasons are recorded.

        Raises EvaluationError after MOST_IN_A_ROW consecutive failures.
        """
        in_a_row = 0
        for one, result in results:
            if not isinstance(result, ChatFailure):
                in_a_row = 0
                yield one, result
                continue
            in_a_row += 1
            self.reasons.append(result.reason)
            if in_a_row == MOST_IN_A_ROW:
                raise EvaluationError(
                    f"{count(in_a_row, self.noun)} failed in a row, the last with: {result.reason}; answers "
                    "so far are saved; run the command again to continue"
                )
