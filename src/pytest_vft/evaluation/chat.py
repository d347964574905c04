"""Questions put to a chat model over an API, several at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pytest_vft.errors import EvaluationError
from pytest_vft.text import safe

if TYPE_CHECKING:
    import openai

T = TypeVar("T")
R = TypeVar("R")

MOST_IN_A_ROW = 10
_FATAL = (401, 403, 404)


class Completion(NamedTuple):
    """What a model answered; *text* is "" where it refused or was filtered. Tokens are 0 if not told."""

    text: str
    finish_reason: str
    refusal: str | None
    prompt_tokens: int
    completion_tokens: int


class ChatFailure(NamedTuple):
    """Why a question has no answer, after all retries."""

    reason: str


@dataclass(slots=True)
class ChatModel:
    """A model behind *client*, asked with *parameters*; temperature is left out once it was refused.

    *masked* takes the key out of what a server says.
    """

    client: openai.OpenAI
    model: str
    parameters: Mapping[str, Any]
    masked: Callable[[str], str] = str
    _left_out: set[str] = field(default_factory=set)

    def ask(self, messages: Sequence[Mapping[str, Any]]) -> Completion | ChatFailure:
        """Return the answer to *messages*.

        Raises EvaluationError when every other question would fail alike: the key, the model or the
        address is wrong.
        """
        import openai  # noqa: PLC0415 - 0.6 s, for those who call an API only

        sent = {name: value for name, value in self.parameters.items() if name not in self._left_out}
        create: Callable[..., Any] = self.client.chat.completions.create
        try:
            return _completion(create(model=self.model, messages=messages, **sent))
        except (AttributeError, TypeError, ValueError) as error:  # no completion; openai looks at little
            return ChatFailure(f"the server's answer is no completion: {self._reason(error)}")
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


def _completion(answered: Any) -> Completion | ChatFailure:
    if not getattr(answered, "choices", None):
        return ChatFailure("the server's answer is no completion: it holds no choices")
    usage, choice = answered.usage, answered.choices[0]
    refusal = getattr(choice.message, "refusal", None)
    return Completion(
        _clean(choice.message.content or ""),
        choice.finish_reason or "",
        _clean(refusal) if refusal else None,
        (usage and usage.prompt_tokens) or 0,
        (usage and usage.completion_tokens) or 0,
    )


def _clean(text: str) -> str:
    """Return *text* without lone surrogates, which JSON can hold and UTF-8 cannot."""
    return text.encode(errors="replace").decode()


def in_parallel(work: Iterable[T], do: Callable[[T], R], concurrency: int) -> Iterator[tuple[T, R]]:
    """Yield each of *work* with what *do* made of it, as it is done; *concurrency* of them at a time.

    No more of *work* is taken than is being done. What *do* raises is raised here.
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
    """Yield *work*, at most *per_minute* of it a minute, evenly; None: as fast as it is taken."""
    due = time.monotonic()
    for one in work:
        if per_minute is not None:
            time.sleep(max(0.0, due - time.monotonic()))
            due = max(due, time.monotonic() - 60 / per_minute) + 60 / per_minute
        yield one


@dataclass(slots=True)
class ChatFailures:
    """Counts questions without an answer; too many in a row, and the server is not worth asking."""

    what: str
    reasons: list[str] = field(default_factory=list)
    _in_a_row: int = 0

    def add(self, failure: ChatFailure) -> None:
        """Count *failure*. Raises EvaluationError when it is one too many in a row."""
        self.reasons.append(failure.reason)
        self._in_a_row += 1
        if self._in_a_row == MOST_IN_A_ROW:
            raise EvaluationError(
                f"{self._in_a_row} {self.what} failed in a row, the last with: {failure.reason}; what was "
                "answered is kept, run it again to ask the rest"
            )

    def end_row(self) -> None:
        """Note that one did not fail."""
        self._in_a_row = 0
