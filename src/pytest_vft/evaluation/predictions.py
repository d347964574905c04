"""Predictions read from a file, and matched to the questions of a test split."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.evaluation.questions import Question, read_objects
from pytest_vft.text import nearest, safe

How = Literal["id", "pattern", "line", "order", "none"]
"""What tells which question an answer is to: `none` where there is no test split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of a line of predictions, the first that is there; those of the cookbook's notebook first."""

    id: Sequence[str] = ("example_id", "id")
    predicted: Sequence[str] = ("predicted_answer", "prediction")
    actual: Sequence[str] = ("actual_answer", "truth")


class Prediction(NamedTuple):
    """A line of predictions; *test_line* names a line of the test split, as transcripts do."""

    line: int
    id: str | None
    said: str
    truth: str | None
    test_line: int | None
    fields: Mapping[str, Any]


class Answer(NamedTuple):
    """A question with what was said to it: what is judged.

    *line* is that of the prediction, None when there is none; *said* is then "". *truth* is None when
    neither it nor the test split tells. *question* is None when there is no test split.
    """

    id: str
    line: int | None
    said: str
    truth: str | None
    question: Question | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Irregular:
    """The ids of what is not as it should be.

    *missing* questions have no prediction and count as wrong, as *empty* answers do; *repeated*
    ones have the same answer more than once and count once; *cut* and *refused* are answers whose
    model said so. No gate passes over the others: *unknown* ids stand in no question,
    *contradictory* ones have answers that differ, *disputed* ones an actual answer that the test
    split does not give.
    """

    missing: Sequence[str] = ()
    empty: Sequence[str] = ()
    repeated: Sequence[str] = ()
    cut: Sequence[str] = ()
    refused: Sequence[str] = ()
    unknown: Sequence[str] = ()
    contradictory: Sequence[str] = ()
    disputed: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The answers, in the order of their questions, and how they were found."""

    how: How
    predictions: int
    answers: Sequence[Answer]
    irregular: Irregular = field(default_factory=Irregular)


def read_predictions(path: str, keys: Keys) -> list[Prediction]:
    """Return the predictions in the file at *path*.

    Raises EvaluationError, which names file and line, for a file without any and for a line that
    is none.
    """
    found = [as_prediction(path, line, fields, keys) for line, fields in read_objects(path)]
    if not found:
        raise EvaluationError(f"{path}: holds no predictions")
    return found


def as_prediction(path: str, line: int, fields: Mapping[str, Any], keys: Keys) -> Prediction:
    """Return what line *line* of *path*, the object *fields*, says."""
    for key in keys.predicted:
        if key in fields:
            said = fields[key]
            break
    else:
        wanted = " or ".join(keys.predicted)
        hint = nearest(keys.predicted[0], fields) or f" among {safe(', '.join(fields))}"
        raise EvaluationError(f"{path}:{line}: no key {wanted}{hint}; name it with keys predicted=KEY")
    if not isinstance(said, str):
        said = _text(path, line, said) or ""
    test_line = fields.get("line")
    return Prediction(
        line,
        _text(path, line, _first(fields, keys.id)),
        said,
        _text(path, line, _first(fields, keys.actual)),
        test_line if isinstance(test_line, int) else None,
        fields,
    )


def _first(fields: Mapping[str, Any], keys: Sequence[str]) -> Any:
    for key in keys:
        if key in fields:
            return fields[key]
    return None


def _text(path: str, line: int, value: object) -> str | None:
    """Return a scalar of JSON as text: 14 and "14" are one id."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        raise EvaluationError(f"{path}:{line}: an id or answer is {safe(value)}; want text or a number")
    return str(value)


def alone(path: str, predictions: Sequence[Prediction]) -> Matched:
    """Return *predictions* as the answers to the questions that they are themselves."""
    labels = [str(given.line) if given.id is None else given.id for given in predictions]
    firsts, repeated, contradictory = _distinct(predictions, labels)
    for given in firsts.values():
        if given.truth is None:
            raise EvaluationError(f"{path}:{given.line}: no actual answer; name its key, or the test split")
    answers = [
        Answer(label, given.line, given.said, given.truth, None, given.fields)
        for label, given in firsts.items()
    ]
    irregular = _irregular(answers, repeated=repeated, contradictory=contradictory)
    return Matched(how="none", predictions=len(predictions), answers=answers, irregular=irregular)


def match(path: str, predictions: Sequence[Prediction], questions: Sequence[Question]) -> Matched:
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
    return Matched(how=how, predictions=len(predictions), answers=answers, irregular=irregular)


def only(matched: Matched, ids: Collection[str]) -> Matched:
    """Return those of *matched* that *ids* name. Raises UsageError for an id that is not there."""
    wanted = set(ids)
    answers = [answer for answer in matched.answers if answer.id in wanted]
    absent = wanted - {answer.id for answer in answers}
    if absent:
        raise UsageError(f"no question has the id {safe(min(absent))!r}")
    return Matched(
        how=matched.how, predictions=matched.predictions, answers=answers, irregular=matched.irregular
    )


def _labels(
    path: str, predictions: Sequence[Prediction], questions: Sequence[Question]
) -> tuple[How, list[str], list[str]]:
    """Return how the two are matched, and the labels of questions and of predictions."""
    ids = [given.id for given in predictions if given.id is not None]
    if len(ids) == len(predictions):
        for how, own in _ids(questions):
            if len(own) == len(questions):
                _check_distinct(own, questions)
                return how, own, ids
            if own:
                first = next(q for q in questions if (q.id if how == "id" else q.numbered) is None)
                raise EvaluationError(f"{first.place}: no id here, but others have one; the answers have ids")
    lines = [given.test_line for given in predictions if given.test_line is not None]
    if len(lines) == len(predictions):
        return "line", [str(question.line) for question in questions], [str(line) for line in lines]
    if len(predictions) != len(questions):
        raise EvaluationError(
            f"{path}: {len(predictions):,} predictions to {len(questions):,} questions, which only their "
            "order could match; give both an id"
        )
    labels = [str(question.line) for question in questions]
    return "order", labels, labels


def _ids(questions: Sequence[Question]) -> Iterator[tuple[How, list[str]]]:
    yield "id", [question.id for question in questions if question.id is not None]
    yield "pattern", [question.numbered for question in questions if question.numbered is not None]


def _check_distinct(labels: Sequence[str], questions: Sequence[Question]) -> None:
    places: dict[str, str] = {}
    for label, question in zip(labels, questions, strict=True):
        first = places.setdefault(label, question.place)
        if first != question.place:
            raise EvaluationError(f"{question.place}: the id {safe(label)!r} stands at {first}, too")


def _distinct(
    predictions: Sequence[Prediction], labels: Sequence[str]
) -> tuple[dict[str, Prediction], list[str], list[str]]:
    """Return the first prediction of each label, the labels that recur, those whose answers differ."""
    firsts: dict[str, Prediction] = {}
    repeated: dict[str, bool] = {}
    for given, label in zip(predictions, labels, strict=True):
        first = firsts.setdefault(label, given)
        if first is not given:
            repeated[label] = repeated.get(label, False) or first.said.strip() != given.said.strip()
    return firsts, [one for one in repeated if not repeated[one]], [one for one in repeated if repeated[one]]


def _irregular(answers: Sequence[Answer], **found: Sequence[str]) -> Irregular:
    return Irregular(
        empty=[one.id for one in answers if one.line is not None and not one.said.strip()],
        cut=[one.id for one in answers if one.fields.get("finish_reason") == "length"],
        refused=[one.id for one in answers if one.fields.get("refusal")],
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
