"""A model asked the questions of a test split, with limits, retries and a transcript to resume from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.evaluation.chat import (
    ChatFailures,
    ChatModel,
    Completion,
    ModelAccess,
    in_parallel,
    make_chat,
    paced,
)
from pytest_vft.evaluation.questions import Question, read_prompts
from pytest_vft.evaluation.transcript import Transcript, request_key
from pytest_vft.text import count


class Prices(NamedTuple):
    """US dollars per million tokens of prompts and of answers."""

    prompt: float
    completion: float


class LiveOptions(TypedDict, total=False):
    """The optional settings of Live."""

    base_url: str | None
    parameters: Mapping[str, Any]
    concurrency: int
    timeout: float
    retries: int
    max_rate: float | None
    max_requests: int | None
    max_cost: float | None
    prices: Prices | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Live(ModelAccess):
    """A model to evaluate, and the limits of one run.

    *parameters* are sent with each request. *max_rate* is in questions per minute, *max_cost* in US
    dollars at *prices*. Answers in flight when *max_requests* or *max_cost* is reached still count.
    """

    parameters: Mapping[str, Any] = field(default_factory=lambda: {"temperature": 0})
    max_rate: float | None = None
    max_requests: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None

    def __post_init__(self) -> None:
        ModelAccess.__post_init__(self)  # super() does not work in a dataclass with slots
        for name in ("max_rate", "max_requests", "max_cost"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"{name} is {value:g}; expected a number above 0")
        if self.max_cost is not None and self.prices is None:
            raise UsageError("max_cost needs prices: US dollars per million tokens of prompts and of answers")


class LiveProgress(NamedTuple):
    """Progress of a run: questions *answered* of *total*, and the last *question* with its answer."""

    answered: int
    total: int
    question: Question
    said: str


@dataclass(slots=True)
class Budget:
    """Requests and US dollars that one run has spent."""

    live: Live
    requests: int = 0
    cost: float = 0.0

    @property
    def is_spent(self) -> bool:
        """Whether a limit of the run is reached."""
        max_requests, max_cost = self.live.max_requests, self.live.max_cost
        return (max_requests is not None and self.requests >= max_requests) or (
            max_cost is not None and self.cost >= max_cost
        )

    def pay(self, completion: Completion) -> None:
        """Add the cost of *completion* if prices are known."""
        if self.live.prices:
            prompt, answer = self.live.prices
            dollars = completion.prompt_tokens * prompt + completion.completion_tokens * answer
            self.cost += dollars / 1_000_000


def ask_questions(
    questions: Sequence[Question],
    transcript: Transcript,
    live: Live,
    on_answer: Callable[[LiveProgress], None],
) -> list[Mapping[str, Any]]:
    """Return the answers to *questions*, all of one file, as lines of *transcript*.

    Only questions without an answer in *transcript* are sent; without any, no client is created.
    Raises EvaluationError if a limit or failures of the server leave questions without an answer;
    the answers so far are in the transcript.
    """
    by_line = {question.line: question for question in questions}
    answers: dict[int, Mapping[str, Any]] = {}
    failures, budget = ChatFailures("question"), Budget(live)
    chat: ChatModel | None = None

    def add(question: Question, answer: Mapping[str, Any]) -> None:
        answers[question.line] = answer
        on_answer(LiveProgress(len(answers), len(questions), question, answer["predicted_answer"]))

    def unanswered() -> Iterator[tuple[ChatModel, Question, str, Sequence[Mapping[str, Any]]]]:
        nonlocal chat
        for line, (messages, _) in read_prompts(questions[0].path):
            if line not in by_line:
                continue
            key = request_key(live.model, messages, live.parameters)
            if key in transcript.answers:
                add(by_line[line], transcript.answers[key])
            elif not budget.is_spent:
                budget.requests += 1
                chat = chat or make_chat(live, live.parameters)
                yield chat, by_line[line], key, messages

    work = paced(unanswered(), live.max_rate)
    done = in_parallel(work, lambda one: one[0].ask(one[3]), live.concurrency)
    for (_, question, key, _), completion in failures.left_out(done):
        answer = _answer(question, key, live, completion)
        transcript.append(answer)
        budget.pay(completion)
        add(question, answer)
    if len(answers) < len(questions):
        said = f"{len(answers):,} of {count(len(questions), 'question')} answered"
        if failures.reasons:
            said += f"; {len(failures.reasons):,} failed, the first with: {failures.reasons[0]}"
        else:
            cost = f" and ${budget.cost:.4f}" if budget.cost else ""
            said += f"; the limit was reached after {count(budget.requests, 'request')}{cost}"
        raise EvaluationError(f"{said}; run the command again to ask the rest")
    return [answers[question.line] for question in questions]


def _answer(question: Question, key: str, live: Live, completion: Completion) -> dict[str, Any]:
    id_ = question.id if question.id is not None else question.numbered
    return {
        **({} if id_ is None else {"id": id_}),
        "line": question.line,
        "predicted_answer": completion.text.strip(),
        **({} if question.truth is None else {"actual_answer": question.truth}),
        "model": live.model,
        "finish_reason": completion.finish_reason,
        **({} if completion.refusal is None else {"refusal": completion.refusal}),
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "key": key,
    }
