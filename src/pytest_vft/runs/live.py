"""A live evaluation: a model is asked the questions of a test split, and its answers are evaluated."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_vft.evaluation.live import Live, LiveProgress, ask_questions
from pytest_vft.evaluation.predictions import Answer, Keys, as_answers, as_keys, match
from pytest_vft.evaluation.questions import ID_PATTERN
from pytest_vft.evaluation.scoring import Scoring, kinds_of, score
from pytest_vft.evaluation.transcript import open_transcript
from pytest_vft.runs.evaluation import Evaluation, StrPath, evaluate, make_chat, questions_of


def evaluate_live(  # noqa: PLR0913 - all by keyword, most with a default
    transcript: StrPath,
    live: Live,
    *,
    test: StrPath,
    keys: Keys | Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    ids: Collection[str] | None = None,
    on_answer: Callable[[LiveProgress], None] = lambda _: None,
) -> Evaluation:
    """Ask the model of *live* the questions of the split at *test* that *transcript* has no answer to.

    Returns all answers of this model. Killed at any point and started again, it asks each question
    once. Raises EvaluationError when not every question has an answer in the end.
    """
    path, keys = os.fspath(transcript), as_keys(keys)
    questions = questions_of(os.fspath(test), keys, id_pattern)
    if ids is not None:
        wanted = set(ids)
        questions = [one for one in questions if {one.id, one.numbered, str(one.line)} & wanted]
    with open_transcript(Path(path)) as kept:
        answers = ask_questions(questions, kept, lambda: make_chat(live, live.parameters), live, on_answer)
    own = Keys(id=(), predicted=("predicted_answer",), actual=("actual_answer", *keys.actual))
    given = as_answers(path, enumerate(answers, 1), own)
    matched = match(path, given, questions)
    return Evaluation(path=path, test=os.fspath(test), matched=matched, keys=keys, id_pattern=id_pattern)


def run_live(
    *,
    model: str,
    test: StrPath,
    transcript: StrPath,
    keys: Keys | Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    **settings: Any,
) -> Evaluation:
    """Ask *model* the questions of the split at *test*; the answers stand in *transcript*.

    *settings* are those of Live.
    """
    live = Live(model=model, **settings)
    return evaluate_live(transcript, live, test=test, keys=keys, id_pattern=id_pattern)


@dataclass(slots=True)
class LiveTally:
    """How many answers of a live run are right so far, of those that can be scored at their letters."""

    scoring: Scoring
    right: int = 0
    scored: int = 0

    def add(self, progress: LiveProgress) -> None:
        """Count the last answer of *progress*, if its question has an actual answer and needs no judge."""
        question = progress.question
        if question.truth is None:
            return
        answer = Answer("", None, progress.said, question.truth, question, {})
        (mark,) = score([answer], kinds_of([answer], self.scoring.choices), self.scoring, {}, ())
        if mark.right is not None:
            self.scored += 1
            self.right += mark.right


class Evaluator:
    """What the fixture vft_eval is: called, it reads predictions; `run` asks a model for them."""

    __call__ = staticmethod(evaluate)
    run = staticmethod(run_live)
