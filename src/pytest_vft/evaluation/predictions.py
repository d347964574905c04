"""Predictions read from a file, and matched to the questions of a test split."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.evaluation.gc_pause import gc_paused
from pytest_vft.evaluation.questions import Question, read_objects
from pytest_vft.text import nearest, safe

MatchMethod = Literal["id", "pattern", "line", "order", "none"]
"""What tells which question an answer is to: `none` where there is no test split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of a line of predictions, the first that is there; those of the cookbook's notebook first."""

    id: Sequence[str] = ("example_id", "id")
    predicted: Sequence[str] = ("predicted_answer", "prediction")
    actual: Sequence[str] = ("actual_answer", "truth")


_NO_MORE: Mapping[str, Any] = {}


class Answer(NamedTuple):
    """What was said to a question: what is judged.

    *line* is that of the prediction, None when there is none; *said* is then "". *id* is "" in a
    file without ids, until it is matched. *truth* is None when neither the prediction nor the test
    split tells; *question* is None when there is no test split. *fields* is all that the prediction
    says, empty when it says no more than these.
    """

    id: str
    line: int | None
    said: str
    truth: str | None
    question: Question | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Irregularities:
    """The ids of questions and predictions that are not as they should be.

    *missing* questions have no prediction and count as wrong, as *empty* answers do; *repeated*
    ones have the same answer more than once and count once; *cut* and *refused* are answers whose
    model said so. No gate passes over the others: *unknown* ids stand in no question,
    *contradictory* ones have answers that differ, *disputed* ones an actual answer that the test
    split does not give.
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
    """The answers, in the order of their questions, and how the two were matched."""

    how: MatchMethod
    predictions: int
    answers: Sequence[Answer] = field(repr=False)
    irregular: Irregularities = field(default_factory=Irregularities, repr=False)


def read_predictions(path: str, keys: Keys) -> list[Answer]:
    """Return the predictions in the file at *path*.

    Raises EvaluationError, which names file and line, for a file without any and for a line that
    is none.
    """
    with gc_paused():
        found = as_answers(path, read_objects(path), keys)
    if not found:
        raise EvaluationError(f"{path}: holds no predictions")
    return found


def as_answers(path: str, lines: Iterable[tuple[int, Mapping[str, Any]]], keys: Keys) -> list[Answer]:
    """Return what *lines* of *path*, numbered objects, say; the first one tells which of *keys* they have."""
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
        told = 1 + (id_ is not None) + (truth is not None)
        more = fields if len(fields) > told else _NO_MORE  # 100,000 dictionaries keep Python busy
        found.append(Answer(id_ or "", line, said or "", truth, None, more))
    return found


def _keys_of(path: str, line: int, fields: Mapping[str, Any], keys: Keys) -> tuple[str, str, str]:
    id_, predicted, actual = (
        next((name for name in names if name in fields), "")
        for names in (keys.id, keys.predicted, keys.actual)
    )
    if predicted not in fields:
        wanted = " or ".join(keys.predicted)
        hint = nearest(keys.predicted[0], fields) or f" among {safe(', '.join(fields))}"
        raise EvaluationError(f"{path}:{line}: no key {wanted}{hint}; name it with keys predicted=KEY")
    return id_, predicted, actual


def _text(path: str, line: int, value: object) -> str | None:
    """Return a scalar of JSON as text: 14 and "14" are one id."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        raise EvaluationError(f"{path}:{line}: an id or answer is {safe(value)}; want text or a number")
    return str(value)


def match_without_split(path: str, predictions: Sequence[Answer]) -> MatchedPredictions:
    """Return *predictions* matched without a test split: each line is its own question."""
    ids = [given.id for given in predictions]
    if "" in ids:
        predictions = [given if given.id else given._replace(id=str(given.line)) for given in predictions]
        ids = [given.id for given in predictions]
    firsts, repeated, contradictory = _distinct(predictions, ids)
    answers = list(firsts.values()) if repeated or contradictory else predictions
    if None in [given.truth for given in answers]:
        unknown = next(given for given in answers if given.truth is None)
        raise EvaluationError(f"{path}:{unknown.line}: no actual answer; name its key, or the test split")
    irregular = _irregular(answers, repeated=repeated, contradictory=contradictory)
    return MatchedPredictions(how="none", predictions=len(predictions), answers=answers, irregular=irregular)


def match(path: str, predictions: Sequence[Answer], questions: Sequence[Question]) -> MatchedPredictions:
    """Return *predictions*, of the file at *path*, matched to *questions*.

    By the ids of the questions, else those that a pattern finds in their texts, else the lines that
    predictions name, else their order.
    Raises EvaluationError when none of it can be done, and for a prediction without an actual answer.
    """
    how, wanted, given = _labels(path, predictions, questions)
    by_label = dict(zip(wanted, questions, strict=True))
    firsts, repeated, contradictory = _distinct(predictions, given)
    answers, missing, disputed = [], [], []
    for label, question in by_label.items():
        found = firsts.get(label)
        truth = question.truth if question.truth is not None else found.truth if found else None
        if found is None:
            missing.append(label)
            answers.append(Answer(label, None, "", truth, question, {}))
            continue
        if truth is None:
            raise EvaluationError(f"{question.place}: no actual answer here, nor in {path}:{found.line}")
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
    """Return those of *matched* that *ids* name. Raises UsageError for an id that is not there."""
    wanted = set(ids)
    answers = [answer for answer in matched.answers if answer.id in wanted]
    absent = wanted - {answer.id for answer in answers}
    if absent:
        raise UsageError(f"no question has the id {safe(min(absent))!r}")
    return MatchedPredictions(
        how=matched.how, predictions=matched.predictions, answers=answers, irregular=matched.irregular
    )


def _labels(
    path: str, predictions: Sequence[Answer], questions: Sequence[Question]
) -> tuple[MatchMethod, list[str], list[str]]:
    """Return how the two are matched, and the labels of questions and of predictions."""
    ids = [given.id for given in predictions if given.id]
    if len(ids) == len(predictions):
        for how, own in _ids(questions):
            if len(own) == len(questions):
                _check_distinct(own, questions)
                return how, own, ids
            if own:
                first = next(q for q in questions if (q.id if how == "id" else q.numbered) is None)
                raise EvaluationError(f"{first.place}: no id here, but others have one; the answers have ids")
    labels = [str(question.line) for question in questions]
    if all(isinstance(given.fields.get("line"), int) for given in predictions):
        return "line", labels, [str(given.fields["line"]) for given in predictions]
    if len(predictions) != len(questions):
        raise EvaluationError(
            f"{path}: {len(predictions):,} predictions to {len(questions):,} questions, which only their "
            "order could match; give both an id"
        )
    return "order", labels, labels


def _ids(questions: Sequence[Question]) -> Iterator[tuple[MatchMethod, list[str]]]:
    yield "id", [question.id for question in questions if question.id is not None]
    yield "pattern", [question.numbered for question in questions if question.numbered is not None]


def _check_distinct(labels: Sequence[str], questions: Sequence[Question]) -> None:
    places: dict[str, str] = {}
    for label, question in zip(labels, questions, strict=True):
        first = places.setdefault(label, question.place)
        if first != question.place:
            raise EvaluationError(f"{question.place}: the id {safe(label)!r} stands at {first}, too")


def _distinct(
    predictions: Sequence[Answer], labels: Sequence[str]
) -> tuple[dict[str, Answer], list[str], list[str]]:
    """Return the first prediction of each label, the labels that recur, those whose answers differ."""
    firsts = dict(zip(labels, predictions, strict=True))
    if len(firsts) == len(predictions):
        return firsts, [], []
    firsts = {}
    repeated: dict[str, bool] = {}
    for given, label in zip(predictions, labels, strict=True):
        first = firsts.setdefault(label, given)
        if first is not given:
            repeated[label] = repeated.get(label, False) or first.said.strip() != given.said.strip()
    return firsts, [one for one in repeated if not repeated[one]], [one for one in repeated if repeated[one]]


def _irregular(answers: Sequence[Answer], **found: Sequence[str]) -> Irregularities:
    told = [one for one in answers if one.fields]
    return Irregularities(
        empty=[one.id for one in answers if (not one.said or one.said.isspace()) and one.line is not None],
        cut=[one.id for one in told if one.fields.get("finish_reason") == "length"],
        refused=[one.id for one in told if one.fields.get("refusal")],
        **found,
    )


def read_ids(given: str) -> list[str]:
    """Return the ids that *given* lists, comma-separated, or one a line in the file that @FILE names."""
    if not given.startswith("@"):
        return [part for part in re.split(r"\s*,\s*", given.strip()) if part]
    try:
        text = Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"{given[1:]}: {reason}") from None
    return [line for line in text.split("\n") if line]


def as_keys(keys: Keys | Mapping[str, str] | None) -> Keys:
    """Return *keys* as Keys; a key that is not named keeps its default. Raises UsageError for others."""
    if keys is None or isinstance(keys, Keys):
        return keys or Keys()
    known = ("id", "predicted", "actual")
    for name in keys:
        if name not in known:
            raise UsageError(f"no key {name!r}{nearest(name, known)}; want {', '.join(known)}")
    return Keys(**{name: (key,) for name, key in keys.items()})
