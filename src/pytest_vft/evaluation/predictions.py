"""Predictions read from a file, and matched to the questions of a test split."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.evaluation.gc_pause import gc_paused
from pytest_vft.evaluation.questions import Question, read_objects
from pytest_vft.text import count, nearest, safe

MatchMethod = Literal["id", "pattern", "line", "order", "none"]
"""How predictions are matched to questions: `none` without a test split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of a line of predictions; the first key that a line has is used.

    The first key of each list is that of OpenAI's cookbook.
    """

    id: Sequence[str] = ("example_id", "id")
    predicted: Sequence[str] = ("predicted_answer", "prediction")
    actual: Sequence[str] = ("actual_answer", "truth")


_NO_FIELDS: Mapping[str, Any] = {}


class Answer(NamedTuple):
    """The answer of a model to a question.

    *id* is "" in a file without ids until the answer is matched. *line* is the line of the prediction;
    without a prediction it is None and *said* is "". *truth* is the actual answer, None if neither the
    prediction nor the test split has it; *question* is None without a test split. *fields* holds all
    keys of the prediction, or nothing if it has only id, predicted and actual answer.
    """

    id: str
    line: int | None
    said: str
    truth: str | None
    question: Question | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Irregularities:
    """The ids of irregular questions and predictions.

    *missing* questions have no prediction; they and *empty* answers count as wrong. *repeated*
    questions have the same answer several times and count once. *refused* and *cut* answers are
    reported as such by the model.
    The other kinds fail every gate: *contradictory* questions have several different answers, *unknown*
    ids are not in the test split, and the actual answer of *disputed* predictions differs from that of
    the test split.
    """

    missing: Sequence[str] = ()
    empty: Sequence[str] = ()
    refused: Sequence[str] = ()
    cut: Sequence[str] = ()
    repeated: Sequence[str] = ()
    contradictory: Sequence[str] = ()
    unknown: Sequence[str] = ()
    disputed: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedPredictions:
    """The answers in the order of the questions, the number of *predictions*, and *how* both were matched."""

    how: MatchMethod
    predictions: int
    answers: Sequence[Answer] = field(repr=False)
    irregular: Irregularities = field(default_factory=Irregularities, repr=False)


def read_predictions(path: str, keys: Keys) -> list[Answer]:
    """Return the predictions in the file at *path*.

    Raises EvaluationError for a file without predictions and for a line that is not a prediction.
    """
    with gc_paused():
        answers = as_answers(path, read_objects(path), keys)
    if not answers:
        raise EvaluationError(f"{path}: has no predictions")
    return answers


def as_answers(path: str, lines: Iterable[tuple[int, Mapping[str, Any]]], keys: Keys) -> list[Answer]:
    """Return the answers in *lines*, pairs of line number and object, of the file at *path*."""
    found = []
    id_key = predicted = actual = ""
    for line, fields in lines:
        if predicted not in fields:
            id_key, predicted, actual = _keys_of(path, line, fields, keys)
        id_, said, truth = fields.get(id_key), fields[predicted], fields.get(actual)
        if type(id_) is not str:
            id_ = str(id_) if type(id_) is int else _text(path, line, id_)
        if type(said) is not str:
            said = _text(path, line, said)
        if truth is not None and type(truth) is not str:
            truth = _text(path, line, truth)
        used = 1 + (id_ is not None) + (truth is not None)
        more = fields if len(fields) > used else _NO_FIELDS  # saves the memory of 100,000 dictionaries
        found.append(Answer(id_ or "", line, said or "", truth, None, more))
    return found


def _keys_of(path: str, line: int, fields: Mapping[str, Any], keys: Keys) -> tuple[str, str, str]:
    id_, predicted, actual = (
        next((name for name in names if name in fields), "")
        for names in (keys.id, keys.predicted, keys.actual)
    )
    if predicted not in fields:
        expected = " or ".join(keys.predicted)
        hint = nearest(keys.predicted[0], fields) or f" among {safe(', '.join(fields))}"
        raise EvaluationError(f"{path}:{line}: no key {expected}{hint}; set it with keys predicted=KEY")
    return id_, predicted, actual


def _text(path: str, line: int, value: object) -> str | None:
    """Return a JSON scalar as text, so that 14 and "14" are the same id."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        raise EvaluationError(f"{path}:{line}: an id or answer is {safe(value)}; expected text or a number")
    return str(value)


def match_without_split(path: str, predictions: Sequence[Answer]) -> MatchedPredictions:
    """Return *predictions* matched without a test split: each line is its own question."""
    if any(not given.id for given in predictions):
        predictions = [given if given.id else given._replace(id=str(given.line)) for given in predictions]
    firsts, repeated, contradictory = _distinct(predictions, [given.id for given in predictions])
    answers = list(firsts.values())
    for answer in answers:
        if answer.truth is None:
            raise EvaluationError(
                f"{path}:{answer.line}: no actual answer; set its key (actual=KEY) or give a test split"
            )
    irregular = _irregular(answers, repeated=repeated, contradictory=contradictory)
    return MatchedPredictions(how="none", predictions=len(predictions), answers=answers, irregular=irregular)


def match(path: str, predictions: Sequence[Answer], questions: Sequence[Question]) -> MatchedPredictions:
    """Return *predictions*, of the file at *path*, matched to *questions*.

    They are matched by the ids of the questions, else by the ids that a pattern finds in the questions,
    else by the lines that the predictions name, else by order.
    Raises EvaluationError if none of these is possible, or if there is no actual answer.
    """
    how, labels, given = _labels(path, predictions, questions)
    by_label = dict(zip(labels, questions, strict=True))
    firsts, repeated, contradictory = _distinct(predictions, given)
    answers, missing, disputed = [], [], []
    for label, question in by_label.items():
        found = firsts.get(label)
        if found is None:
            missing.append(label)
            answers.append(Answer(label, None, "", question.truth, question, {}))
            continue
        truth = found.truth if question.truth is None else question.truth
        if truth is None:
            raise EvaluationError(f"{question.place}: no actual answer here or in {path}:{found.line}")
        if found.truth is not None and found.truth.strip() != truth.strip():
            disputed.append(label)
        answers.append(Answer(label, found.line, found.said, truth, question, found.fields))
    irregular = _irregular(
        answers,
        missing=missing,
        repeated=repeated,
        contradictory=contradictory,
        disputed=disputed,
        unknown=[label for label in firsts if label not in by_label],
    )
    return MatchedPredictions(how=how, predictions=len(predictions), answers=answers, irregular=irregular)


def select_ids(matched: MatchedPredictions, ids: Collection[str]) -> MatchedPredictions:
    """Return *matched* with only the answers with *ids*. Raises UsageError for an id without an answer."""
    wanted = set(ids)
    answers = [answer for answer in matched.answers if answer.id in wanted]
    absent = wanted - {answer.id for answer in answers}
    if absent:
        raise UsageError(f"no question has the id {safe(min(absent))!r}")
    return replace(matched, answers=answers)


def _labels(
    path: str, predictions: Sequence[Answer], questions: Sequence[Question]
) -> tuple[MatchMethod, list[str], list[str]]:
    """Return the method of matching, and the labels of questions and of predictions."""
    ids = [given.id for given in predictions]
    own: dict[MatchMethod, list[str | None]] = {
        "id": [question.id for question in questions],
        "pattern": [question.numbered for question in questions],
    }
    for how, found in own.items() if all(ids) else ():
        labels = [label for label in found if label is not None]
        if len(labels) == len(questions):
            _check_distinct(labels, questions)
            return how, labels, ids
        if labels:
            place = questions[found.index(None)].place
            raise EvaluationError(f"{place}: no id, but other questions and the predictions have ids")
    labels = [str(question.line) for question in questions]
    if all(isinstance(given.fields.get("line"), int) for given in predictions):
        return "line", labels, [str(given.fields["line"]) for given in predictions]
    if len(predictions) != len(questions):
        raise EvaluationError(
            f"{path}: {count(len(predictions), 'prediction')} and {count(len(questions), 'question')} cannot "
            "be matched by order; give both an id"
        )
    return "order", labels, labels


def _check_distinct(labels: Sequence[str], questions: Sequence[Question]) -> None:
    places: dict[str, str] = {}
    for label, question in zip(labels, questions, strict=True):
        first = places.setdefault(label, question.place)
        if first != question.place:
            raise EvaluationError(f"{question.place}: the id {safe(label)!r} is also the id of {first}")


def _distinct(
    predictions: Sequence[Answer], labels: Sequence[str]
) -> tuple[dict[str, Answer], list[str], list[str]]:
    """Return the first prediction by label, the labels with equal answers, and those with different ones."""
    firsts = dict(zip(labels, predictions, strict=True))
    if len(firsts) == len(predictions):
        return firsts, [], []
    firsts = {}
    differs: dict[str, bool] = {}
    for given, label in zip(predictions, labels, strict=True):
        first = firsts.setdefault(label, given)
        if first is not given:
            differs[label] = differs.get(label, False) or first.said.strip() != given.said.strip()
    return firsts, [one for one in differs if not differs[one]], [one for one in differs if differs[one]]


def _irregular(answers: Sequence[Answer], **others: Sequence[str]) -> Irregularities:
    return Irregularities(
        empty=[one.id for one in answers if (not one.said or one.said.isspace()) and one.line is not None],
        cut=[one.id for one in answers if one.fields and one.fields.get("finish_reason") == "length"],
        refused=[one.id for one in answers if one.fields and one.fields.get("refusal")],
        **others,
    )


def read_ids(given: str) -> list[str]:
    """Return the ids in *given*: comma-separated, or @FILE with one id per line."""
    if not given.startswith("@"):
        return [part for part in re.split(r"\s*,\s*", given.strip()) if part]
    try:
        text = Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"{given[1:]}: {reason}") from None
    return [line for line in text.split("\n") if line]


def as_keys(keys: Keys | Mapping[str, str] | None) -> Keys:
    """Return *keys* as Keys with defaults for keys that are left out. Raises UsageError for other names."""
    if keys is None or isinstance(keys, Keys):
        return keys or Keys()
    known = ("id", "predicted", "actual")
    for name in keys:
        if name not in known:
            raise UsageError(f"no key {name!r}{nearest(name, known)}; known: {', '.join(known)}")
    return Keys(**{name: (key,) for name, key in keys.items()})
