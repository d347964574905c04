"""A live evaluation: a model is asked the questions of a test split, and its answers are evaluated."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from pytest_vft.evaluation.live import Live, LiveOptions, LiveProgress, ask_questions
from pytest_vft.evaluation.matching import match
from pytest_vft.evaluation.predictions import Answer, Keys, as_answers, as_keys
from pytest_vft.evaluation.questions import ID_PATTERN, read_questions
from pytest_vft.evaluation.scoring import Scoring, kinds_of, score
from pytest_vft.evaluation.transcript import open_transcript
from pytest_vft.runs.evaluation import Evaluation, StrPath, evaluate


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
    """Ask the model of *live* the questions of the split at *test* and return the evaluation.

    Only questions without an answer in *transcript* are asked, so an interrupted run can be resumed.
    *keys*, *id_pattern* and *ids* are those of evaluate().
    Raises EvaluationError if a question has no answer in the end.
    """
    path, split, keys = os.fspath(transcript), os.fspath(test), as_keys(keys)
    questions = read_questions(split, id_keys=keys.id, actual_keys=keys.actual, id_pattern=id_pattern)
    if ids is not None:
        wanted = set(ids)
        questions = [one for one in questions if {one.id, one.numbered, str(one.line)} & wanted]
    with open_transcript(Path(path)) as opened:
        lines = ask_questions(questions, opened, live, on_answer)
    own = Keys(id=(), predicted=("predicted_answer",), actual=("actual_answer", *keys.actual))
    matched = match(path, as_answers(path, enumerate(lines, 1), own), questions)
    return Evaluation(path=path, test=split, matched=matched, keys=keys, id_pattern=id_pattern)


def run_live(
    *,
    model: str,
    test: StrPath,
    transcript: StrPath,
    keys: Keys | Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    **options: Unpack[LiveOptions],
) -> Evaluation:
    """Like evaluate_live(), for *model* and the *options* of Live."""
    live = Live(model=model, **options)
    return evaluate_live(transcript, live, test=test, keys=keys, id_pattern=id_pattern)


@dataclass(slots=True)
class LiveTally:
    """The answers of a live run so far that are *right*, of those that can be scored without a judge."""

    scoring: Scoring
    right: int = 0
    scored: int = 0

    def add(self, progress: LiveProgress) -> None:
        """Count the last answer of *progress* if it can be scored."""
        question = progress.question
        if question.truth is None:
            return
        answer = Answer("", None, progress.said, question.truth, question, {})
        (kind,) = kinds_of([answer], self.scoring.choices)
        (mark,) = score([(answer, kind)], self.scoring, {})
        if mark.right is not None:
            self.scored += 1
            self.right += mark.right


class Evaluator:
    """The value of the fixture vft_eval: a call evaluates predictions, `run` asks a model for them."""

    __call__ = staticmethod(evaluate)
    run = staticmethod(run_live)
