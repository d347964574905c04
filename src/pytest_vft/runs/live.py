"""A live evaluation: a model is asked the questions of a test split, and its answers are evaluated."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from pytest_vft.errors import EvaluationError, UsageError, without_inner_frames
from pytest_vft.evaluation.answer_fields import select_field, select_in_answer
from pytest_vft.evaluation.live import Live, LiveOptions, LiveProgress, ask_questions
from pytest_vft.evaluation.matching import match
from pytest_vft.evaluation.predictions import Answer, Keys, as_answers, as_keys
from pytest_vft.evaluation.questions import ID_PATTERN, Question, normalise_id, read_questions
from pytest_vft.evaluation.scoring import Scoring, kinds_of, score
from pytest_vft.evaluation.spending import Spending
from pytest_vft.evaluation.transcript import open_transcript
from pytest_vft.naming import option
from pytest_vft.reading.object_paths import is_object
from pytest_vft.runs.evaluation import Evaluation, StrPath, evaluate
from pytest_vft.text import count, either, safe


def evaluate_live(  # noqa: PLR0913 - all by keyword, most with a default
    transcript: StrPath,
    live: Live,
    *,
    test: StrPath,
    keys: Keys | Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    data_format: str | None = None,
    image_roots: Sequence[str] = (),
    ids: Collection[str] | None = None,
    before: Callable[[Sequence[Question]], None] = lambda _: None,
    on_answer: Callable[[LiveProgress], None] = lambda _: None,
) -> Evaluation:
    """Ask the model of *live* the questions of the split at *test* and return the evaluation.

    Only questions without an answer in *transcript* are asked, so an interrupted run can be resumed.
    All others but *before* and *on_answer* are those of evaluate(). *before* is called with the questions
    before the first request. Raises UsageError if *transcript* is in object storage. Raises EvaluationError
    if a question has no actual answer or an image that cannot be sent, which is found before the first
    request, or no answer in the end.
    """
    path, split, keys = os.fspath(transcript), os.fspath(test), as_keys(keys)
    if is_object(path):
        raise UsageError(f"{path}: is in object storage; expected a file on this machine, for the answers")
    questions = read_questions(
        split,
        id_keys=keys.id,
        actual_keys=keys.actual,
        id_pattern=id_pattern,
        data_format=data_format,
        image_roots=image_roots,
    )
    if ids is not None:
        questions = _selected(questions, {normalise_id(id_) for id_ in ids})
    _check_answerable(questions, keys)
    before(questions)
    spending = Spending()
    try:
        with open_transcript(Path(path), fresh=live.fresh) as opened:
            lines = ask_questions(questions, opened, live, spending, on_answer)
    except EvaluationError as error:
        raise EvaluationError(f"{error}; spent: {spending}") from None
    own = Keys(
        id=_id_keys(questions, keys), predicted=("predicted_answer",), actual=("actual_answer", *keys.actual)
    )
    matched = match(path, as_answers(path, enumerate(lines, 1), own), questions)
    matched = select_field(matched, keys.field)
    keys = replace(keys, predicted=Keys().predicted)  # those of the transcript
    return Evaluation(
        path=path,
        test=split,
        matched=matched,
        keys=keys,
        id_pattern=id_pattern,
        data_format=data_format,
        image_roots=image_roots,
        spending=spending,
    )


def _id_keys(questions: Sequence[Question], keys: Keys) -> Sequence[str]:
    """Return the keys of ids in a transcript of *questions*; none if lines tell the questions apart.

    evaluate() matches the transcript in the same way, so both name a question by the same id.
    """
    for ids in ([one.id for one in questions], [one.numbered for one in questions]):
        if None not in ids and len(set(ids)) == len(ids) and keys.id == Keys().id:
            return ("id",)
        if any(id_ is not None for id_ in ids):
            return ()
    return ()


def _selected(questions: Sequence[Question], wanted: set[str]) -> list[Question]:
    """Return the *questions* with an id, a number or a line in *wanted*. Raises UsageError for other ids."""
    labels = [{one.id, one.numbered, str(one.line)} for one in questions]
    absent = wanted.difference(*labels)
    if absent:
        raise UsageError(f"no question has the id {safe(min(absent))!r}")
    if not wanted:
        raise UsageError(f"{option('ids')} has no id; expected at least one")
    return [one for one, its in zip(questions, labels, strict=True) if its & wanted]


def _check_answerable(questions: Sequence[Question], keys: Keys) -> None:
    """Raise EvaluationError for questions whose answers could not be judged."""
    unknown = [question for question in questions if question.truth is None]
    if unknown:
        raise EvaluationError(
            f"{unknown[0].place}: no actual answer, so the answer of a model cannot be judged "
            f"({count(len(unknown), 'question')} of {len(questions):,}); nothing was asked; add an assistant "
            f"message or the key {either(keys.actual)}"
        )


@without_inner_frames
def run_live(  # noqa: PLR0913 - all by keyword, most with a default
    *,
    model: str,
    test: StrPath,
    transcript: StrPath,
    keys: Keys | Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    data_format: str | None = None,
    image_roots: Sequence[str] = (),
    **options: Unpack[LiveOptions],
) -> Evaluation:
    """Like evaluate_live(), for *model* and the *options* of Live."""
    live = Live(model=model, **options)
    return evaluate_live(
        transcript,
        live,
        test=test,
        keys=keys,
        id_pattern=id_pattern,
        data_format=data_format,
        image_roots=image_roots,
    )


@dataclass(slots=True)
class LiveTally:
    """The answers of a live run so far that are *right*, of those that can be scored without a judge."""

    scoring: Scoring
    field: str | None = None
    right: int = 0
    scored: int = 0

    def add(self, progress: LiveProgress) -> None:
        """Count the last answer of *progress* if it can be scored."""
        question = progress.question
        if question.truth is None:
            return
        answer = Answer("", None, progress.said, question.truth, question, {}, question.others)
        answer = select_in_answer(answer, self.field)
        (kind,) = kinds_of([answer], self.scoring.choices)
        (mark,) = score([(answer, kind)], self.scoring, {})
        if mark.right is not None:
            self.scored += 1
            self.right += mark.right


class Evaluator:
    """The value of the fixture vft_eval: a call evaluates predictions, `run` asks a model for them."""

    __call__ = staticmethod(evaluate)
    run = staticmethod(run_live)
