"""Requests to a chat model over an API."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypedDict, TypeVar

from pytest_vft.catalogue.providers import is_provider_file, load_provider
from pytest_vft.client import Credentials, make_client, read_credentials, redirect_target
from pytest_vft.errors import EvaluationError, UsageError, is_mistake
from pytest_vft.evaluation.request_count import LimitReached, RequestCount
from pytest_vft.evaluation.spending import Budget, Limits, Prices, check_number
from pytest_vft.naming import option
from pytest_vft.text import count, safe

if TYPE_CHECKING:
    import openai

__tracebackhide__ = is_mistake

T = TypeVar("T")
R = TypeVar("R")

MOST_IN_A_ROW = 10
# The code of Azure's error for a prompt that its filter stops: the same prompt would be stopped again
# (https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter).
_FILTERED = "content_filter"
_TEXT_PARTS = ("text", "output_text")  # others hold what a model thinks
_FATAL = (301, 302, 303, 307, 308, 401, 403, 404)
_DEFAULT_URL = "https://api.openai.com/v1"  # of the openai package
_DAY = 86_400  # seconds; sockets refuse time-outs of years
# What a server that does not know a response format names in its error.
_FORMAT_WORDS = ("response_format", "response format", "json_schema", "json_object", "structured output")


class AccessOptions(TypedDict, total=False):
    """The optional settings of ModelAccess."""

    provider: str
    base_url: str | None
    concurrency: int
    timeout: float
    retries: int
    max_rate: float | None
    max_requests: int | None
    max_cost: float | None
    prices: tuple[float, float] | None
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAccess:
    """A model, the address of its server, how requests are sent, and the limits of one run.

    *provider* is the id of a provider, whose server has the API of OpenAI or of Azure. *timeout* is in
    seconds; *retries* are made by the openai package after status 429 or 5xx, timeouts and lost
    connections. *max_rate* is in requests per minute; *max_requests*, and *max_cost* in US dollars, hold for
    all requests of a run. *prices* are US dollars per million tokens of prompts and of answers. Answers
    in flight when a limit is reached still count. With *fresh* saved answers of earlier runs are not used.
    """

    prices_option: ClassVar[str] = "prices"

    model: str
    provider: str = "openai"
    base_url: str | None = None
    concurrency: int = 8
    timeout: float = 60.0
    retries: int = 5
    max_rate: float | None = None
    max_requests: int | None = None
    max_cost: float | None = None
    prices: tuple[float, float] | None = None
    fresh: bool = False

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise UsageError("the name of the model is empty")
        check_number("concurrency", self.concurrency, 1, 1_000, whole=True)
        check_number("timeout", self.timeout, 0.001, _DAY)
        check_number("retries", self.retries, 0, 100, whole=True)
        check_number("max-rate", self.max_rate, 0.001)
        check_number("max-requests", self.max_requests, 1, whole=True)
        check_number("max-cost", self.max_cost, 0.000001)
        if self.prices is not None and len(self.prices) != len(Prices._fields):
            raise UsageError(
                f"{option(self.prices_option)}: expected two, such as 2.50,10: US dollars per million tokens "
                "of prompts and of answers"
            )
        for price in self.prices or ():
            check_number(self.prices_option, price, 0)
        if self.max_cost is not None and self.prices is None:
            raise UsageError(
                f"{option('max-cost')} needs {option(self.prices_option, 'IN,OUT')}: "
                "US dollars per million tokens of prompts and of answers"
            )

    @property
    def limits(self) -> Limits:
        """The limits of one run."""
        prices = self.prices and Prices(*self.prices)
        return Limits(max_requests=self.max_requests, max_cost=self.max_cost, prices=prices)

    @property
    def again(self) -> str:
        """How to continue a run that stopped."""
        return f"run the command again without {option('fresh')}" if self.fresh else "run the command again"

    @property
    def address(self) -> str:
        """The base URL of the server. Raises UsageError if it is not known; no key is needed."""
        return (self.credentials(key_wanted=False).base_url or _DEFAULT_URL).rstrip("/")

    def credentials(self, *, key_wanted: bool = True) -> Credentials:
        """Return address and key of the server. Raises UsageError, MissingKeyError without a key."""
        api = None if is_provider_file(self.provider) else load_provider(self.provider).job_api
        version = api.version if api else None
        found = read_credentials(self.base_url, os.environ, azure_version=version, key_wanted=key_wanted)
        if api is None and found.base_url is None:
            raise UsageError(
                f"the server of the provider {safe(self.provider)} is not known: {option('base-url', 'URL')}"
            )
        return found


class Completion(NamedTuple):
    """An answer of a model; *text* is "" if the model refused. Token counts are None if not reported."""

    text: str
    finish_reason: str
    refusal: str | None
    prompt_tokens: int | None
    completion_tokens: int | None


class ChatFailure(NamedTuple):
    """Why a request has no answer after all retries."""

    reason: str


@dataclass(slots=True)
class ChatModel:
    """A model behind *client*, asked with *parameters*; temperature is left out once it was refused.

    *formats* are response formats: the first that the server knows is sent, or none. *masked* removes the
    API key from texts of the server. *requests* counts the requests of each thread against the budget.
    """

    client: openai.OpenAI
    model: str
    parameters: Mapping[str, Any]
    requests: RequestCount
    formats: Sequence[Mapping[str, Any]] = ()
    masked: Callable[[str], str] = str
    _left_out: set[str] = field(default_factory=set)
    _refused: int = 0  # number of formats that the server does not know

    def ask(self, messages: Sequence[Mapping[str, Any]]) -> Completion | ChatFailure:
        """Return the answer to *messages*, a request that the budget has counted, and settle it.

        Raises EvaluationError if every other request would fail too, because the key, the model or the
        address is wrong.
        """
        tokens = None
        self.requests.start()
        try:
            answer = self._ask(messages)
            if isinstance(answer, Completion):
                tokens = answer.prompt_tokens, answer.completion_tokens
        except LimitReached:
            answer = ChatFailure(str(self.requests.budget.limit_reached))
        finally:
            self.requests.budget.settle(tokens)
        return answer

    def _ask(  # noqa: PLR0911 - one for each kind of answer
        self, messages: Sequence[Mapping[str, Any]]
    ) -> Completion | ChatFailure:
        import openai  # noqa: PLC0415 - 0.6 s, for those who call an API only

        sent = {name: value for name, value in self.parameters.items() if name not in self._left_out}
        refused = self._refused
        if refused < len(self.formats):
            sent["response_format"] = self.formats[refused]
        create: Callable[..., Any] = self.client.chat.completions.create
        try:
            return self._completion(create(model=self.model, messages=messages, **sent))
        except (AttributeError, TypeError, ValueError) as error:  # openai hardly validates responses
            return ChatFailure(f"the server's response is not a completion: {self._reason(error)}")
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if error.code == _FILTERED:
                return Completion("", _FILTERED, self._reason(error), 0, 0)
            said = f"{error.param} {error} {error.response.text}".lower()  # FastAPI names it in "detail"
            if "response_format" in sent and any(word in said for word in _FORMAT_WORDS):
                self._refused = max(self._refused, refused + 1)
                return self._ask(messages)
            if "temperature" in sent and "temperature" in said:
                self._left_out.add("temperature")
                return self._ask(messages)
            return ChatFailure(self._reason(error))
        except openai.OpenAIError as error:
            if isinstance(error, openai.APIStatusError) and error.status_code in _FATAL:
                raise EvaluationError(f"{safe(self.model)}: {self._reason(error)}") from None
            return ChatFailure(self._reason(error))

    def _completion(self, response: Any) -> Completion | ChatFailure:
        if not getattr(response, "choices", None):
            return ChatFailure("the server's response is not a completion: it has no choices")
        usage, choice = response.usage, response.choices[0]
        refusal = getattr(choice.message, "refusal", None)
        return Completion(
            self.masked(_clean(_text(choice.message.content))),
            choice.finish_reason or "",
            self.masked(_clean(refusal)) if refusal else None,
            _tokens(getattr(usage, "prompt_tokens", None)),
            _tokens(getattr(usage, "completion_tokens", None)),
        )

    def _reason(self, error: BaseException) -> str:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        if (target := redirect_target(error)) is not None:
            cause = f" (the server redirects to {target}; redirects are not followed)"
        response = getattr(error, "response", None)
        if response is not None and str(error) == f"Error code: {response.status_code}":
            cause = f" - {response.text}{cause}"  # a body in which openai finds no message
        return safe(self.masked(f"{error}{cause}"), 200)


def make_chat(
    access: ModelAccess,
    parameters: Mapping[str, Any],
    budget: Budget,
    formats: Sequence[Mapping[str, Any]] = (),
) -> ChatModel:
    """Return a chat with the model of *access*. Raises MissingKeyError if there is no API key."""
    credentials, requests = access.credentials(), RequestCount(budget)
    client = make_client(
        credentials,
        before_request=requests.before_request,
        timeout=access.timeout,
        max_retries=access.retries,
    )
    return ChatModel(client, access.model, parameters, requests, formats, credentials.masked)


def _text(content: Any) -> str:
    """Return the text of *content*, which some servers send as a list of parts."""
    if isinstance(content, list):
        texts = (part["text"] for part in content if part.get("type") in _TEXT_PARTS)
        return "".join(map(str, texts))
    return content or ""


def _tokens(number: object) -> int | None:
    return number if type(number) is int and number >= 0 else None


def _clean(text: str) -> str:
    """Return *text* without lone surrogates, which are valid in JSON but not in UTF-8."""
    return text.encode(errors="replace").decode()


@dataclass(frozen=True, slots=True)
class ChatFailures:
    """Reasons of failed requests; *noun* names one request in messages."""

    noun: str
    reasons: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """The number of failures and the first reason, "" without any."""
        if not self.reasons:
            return ""
        return f"; {len(self.reasons):,} failed, the first with: {self.reasons[0]}"

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
