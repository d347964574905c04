"""A model asked the questions of a test split, with limits, retries and a transcript to resume from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pytest_vft.errors import EvaluationError
from pytest_vft.evaluation.chat import (
    AccessOptions,
    ChatFailures,
    ChatModel,
    Completion,
    ModelAccess,
    make_chat,
)
from pytest_vft.evaluation.parallel import in_parallel, paced
from pytest_vft.evaluation.predictions import Answer
from pytest_vft.evaluation.questions import Question, check_prompts, read_prompts
from pytest_vft.evaluation.spending import Budget, Spending, check_number
from pytest_vft.evaluation.transcript import Transcript, request_key
from pytest_vft.text import count


class LiveOptions(AccessOptions, total=False):
    """The optional settings of Live."""

    parameters: Mapping[str, Any]
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Live(ModelAccess):
    """A model to evaluate; *parameters* are sent with each request, and each question *repeat* times."""

    parameters: Mapping[str, Any] = field(default_factory=lambda: {"temperature": 0})
    repeat: int = 1

    def __post_init__(self) -> None:
        ModelAccess.__post_init__(self)  # super() does not work in a dataclass with slots
        check_number("repeat", self.repeat, 1, 100, whole=True)


class LiveProgress(NamedTuple):
    """Progress of a run: answers so far of *total*, and the last *question* with its answer."""

    answered: int
    total: int
    question: Question
    said: str


def ask_questions(
    questions: Sequence[Question],
    transcript: Transcript,
    live: Live,
    spending: Spending,
    on_answer: Callable[[LiveProgress], None],
) -> list[Mapping[str, Any]]:
    """Return the answers to *questions*, all of one file, as lines of *transcript*, one repeat after another.

    Only questions without an answer in *transcript* are sent; without any, no client is created.
    Raises EvaluationError if a limit or failures of the server leave questions without an answer;
    the answers so far are in the transcript.
    """
    by_line = {question.line: question for question in questions}
    split = questions[0].split
    check_prompts(split, by_line)
    numbers = range(1, live.repeat + 1)
    total = len(questions) * live.repeat
    answers: dict[tuple[int, int], Mapping[str, Any]] = {}
    failures, budget = ChatFailures("question"), Budget(spending, live.limits, "model", live.model)
    address = live.address
    chat: ChatModel | None = None

    def add(question: Question, number: int, answer: Mapping[str, Any]) -> None:
        answers[question.line, number] = answer
        on_answer(LiveProgress(len(answers), total, question, answer["predicted_answer"]))

    def unanswered() -> Iterator[_Asking]:
        nonlocal chat
        for number in numbers:
            for line, (messages, _) in read_prompts(split, by_line):
                key = request_key(address, live.model, messages, live.parameters, number)
                if key in transcript.answers:
                    add(by_line[line], number, transcript.answers[key])
                    continue
                chat = chat or make_chat(live, live.parameters, budget)
                if budget.take(key):
                    yield _Asking(chat, by_line[line], number, key, messages)

    work = paced(unanswered(), live.max_rate)
    done = in_parallel(work, lambda one: one.chat.ask(one.messages), live.concurrency)
    for request, completion in failures.left_out(done):
        answer = _answer(request, live, completion)
        transcript.append({**answer, "base_url": address})
        add(request.question, request.number, answer)
    said = f"{len(answers):,} of {count(total, 'question')} answered"
    if len(answers) < total:
        raise EvaluationError(
            f"{said}{failures.summary or f'; {budget.limit_reached}'}; {live.again} to ask the rest"
        )
    budget.check(said)
    return [answers[question.line, number] for number in numbers for question in questions]


class _Asking(NamedTuple):
    chat: ChatModel
    question: Question
    number: int
    key: str
    messages: Sequence[Mapping[str, Any]]


def answer_to_come(question: Question) -> Answer:
    """Return an answer to *question* as it will be in a transcript, without what it says."""
    keys = ("line", "model", "finish_reason", "prompt_tokens", "completion_tokens", "key", "base_url")
    return Answer("", question.line, "", question.truth, question, dict.fromkeys(keys), question.others)


def _answer(request: _Asking, live: Live, completion: Completion) -> dict[str, Any]:
    question = request.question
    id_ = question.id if question.id is not None else question.numbered
    return {
        **({} if id_ is None else {"id": id_}),
        "line": question.line,
        **({} if request.number == 1 else {"repeat": request.number}),
        "predicted_answer": completion.text.strip(),
        **({} if question.truth is None else {"actual_answer": question.truth}),
        "model": live.model,
        "finish_reason": completion.finish_reason,
        **({} if completion.refusal is None else {"refusal": completion.refusal}),
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "key": request.key,
    }
