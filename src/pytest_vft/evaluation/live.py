"""A model asked the questions of a test split, with limits, retries and a transcript to resume from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.evaluation.chat import ChatFailure, ChatFailures, ChatModel, Completion, in_parallel, paced
from pytest_vft.evaluation.questions import Question, read_prompts
from pytest_vft.evaluation.transcript import Transcript, request_key
from pytest_vft.text import count


class Prices(NamedTuple):
    """US dollars for a million tokens of prompts and of answers."""

    prompt: float
    completion: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A model to be asked, and how.

    *max_requests* and *max_cost*, in US dollars at *prices*, bound one run; answers in flight when
    a bound is reached still count. *timeout* is in seconds, *max_rate* in questions a minute;
    *retries* are OpenAI's library's, after 429, 5xx, time-outs and lost connections.
    """

    model: str
    base_url: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"temperature": 0})
    concurrency: int = 8
    timeout: float = 60.0
    retries: int = 5
    max_rate: float | None = None
    max_requests: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None

    def __post_init__(self) -> None:
        check_client(self.concurrency, self.timeout, self.retries)
        for name in ("max_rate", "max_requests", "max_cost"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"{name} is {value}, want more than 0")
        if self.max_cost is not None and self.prices is None:
            raise UsageError("max_cost needs prices: US dollars for a million tokens of prompts and answers")


def check_client(concurrency: int, timeout: float, retries: int) -> None:
    """Raise UsageError for what no client can be made of."""
    if concurrency < 1 or timeout <= 0 or retries < 0:
        raise UsageError("want a concurrency of 1 or more, a timeout above 0 and no fewer than 0 retries")


class LiveProgress(NamedTuple):
    """How far a run is: questions *answered* of all, and the *last* question with its answer."""

    answered: int
    of: int
    question: Question
    said: str


@dataclass(slots=True)
class Budget:
    """What one run has spent of what *live* allows."""

    live: Live
    requests: int = 0
    cost: float = 0.0

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be asked."""
        most, dollars = self.live.max_requests, self.live.max_cost
        return (most is not None and self.requests >= most) or (dollars is not None and self.cost >= dollars)

    def pay(self, completion: Completion) -> None:
        """Add what *completion* cost, where prices are known."""
        if self.live.prices:
            prompt, answer = self.live.prices
            dollars = completion.prompt_tokens * prompt + completion.completion_tokens * answer
            self.cost += dollars / 1_000_000


def ask_questions(
    questions: Sequence[Question],
    transcript: Transcript,
    chat: Callable[[], ChatModel],
    live: Live,
    on_answer: Callable[[LiveProgress], None],
) -> list[Mapping[str, Any]]:
    """Return the answers to *questions*, all of one file, as lines of *transcript*; ask for those it lacks.

    A *chat* is begun only if there are any.
    Raises EvaluationError when not every question has its answer in the end: a limit was reached,
    or the server failed. What was answered is in the transcript.
    """
    by_line = {question.line: question for question in questions}
    answers: dict[int, Mapping[str, Any]] = {}
    failures, budget = ChatFailures("questions"), Budget(live)
    begun: ChatModel | None = None

    def tell(question: Question, answer: Mapping[str, Any]) -> None:
        answers[question.line] = answer
        on_answer(LiveProgress(len(answers), len(questions), question, answer["predicted_answer"]))

    def open_questions() -> Iterator[tuple[ChatModel, Question, str, Sequence[Mapping[str, Any]]]]:
        nonlocal begun
        for line, (messages, _) in read_prompts(questions[0].path):
            if line not in by_line:
                continue
            key = request_key(live.model, messages, live.parameters)
            if key in transcript.answers:
                tell(by_line[line], transcript.answers[key])
            elif not budget.is_spent:
                budget.requests += 1
                begun = begun or chat()
                yield begun, by_line[line], key, messages

    work = paced(open_questions(), live.max_rate)
    done = in_parallel(work, lambda one: one[0].ask(one[3]), live.concurrency)
    for (_, question, key, _), completion in done:
        if isinstance(completion, ChatFailure):
            failures.add(completion)
            continue
        failures.end_row()
        answer = _answer(question, key, live, completion)
        transcript.append(answer)
        budget.pay(completion)
        tell(question, answer)
    if len(answers) < len(questions):
        raise EvaluationError(_why_incomplete(len(answers), len(questions), failures, budget))
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


def _why_incomplete(answered: int, of: int, failures: ChatFailures, budget: Budget) -> str:
    said = f"{answered:,} of {count(of, 'question')} answered"
    if failures.reasons:
        said += f"; {len(failures.reasons)} failed, the first with: {failures.reasons[0]}"
    else:
        paid = f" and ${budget.cost:.4f}" if budget.cost else ""
        said += f"; the limit is reached after {count(budget.requests, 'request')}{paid}"
    return f"{said}; run it again to ask the rest"
