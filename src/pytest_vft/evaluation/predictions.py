"""Predictions read from a file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.evaluation.layouts import layout_of, unnested
from pytest_vft.evaluation.prediction_files import Lines, read_lines_of_predictions
from pytest_vft.evaluation.questions import Question, json_text, normalise_id, read_truths
from pytest_vft.garbage import gc_paused
from pytest_vft.naming import option
from pytest_vft.regular_files import read_text
from pytest_vft.text import nearest, safe


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of a line of predictions; the first key that a line has is used.

    The first key of each list is that of OpenAI's cookbook. A key may be a path in nested objects and
    lists, with dots between its steps. *field* is the field of JSON answers to compare.
    """

    id: Sequence[str] = ("example_id", "id", "question_id")
    predicted: Sequence[str] = ("predicted_answer", "prediction")
    actual: Sequence[str] = ("actual_answer", "truth", "answers")
    field: str | None = None

    @property
    def names(self) -> Sequence[str]:
        """All keys."""
        return (*self.id, *self.predicted, *self.actual)


_DEFAULT = Keys()


_NO_FIELDS: Mapping[str, Any] = {}


class Answer(NamedTuple):
    """The answer of a model to a question.

    *id* is "" in a file without ids until the answer is matched. *line* is the line of the prediction;
    without a prediction it is None and *said* is "". *truth* is the actual answer, None if neither the
    prediction nor the test split has it; *others* are actual answers that count as well. *question* is
    None without a test split. *fields* holds all keys of the prediction, or nothing if it has only id,
    predicted and actual answer.
    """

    id: str
    line: int | None
    said: str
    truth: str | None
    question: Question | None
    fields: Mapping[str, Any]
    others: Sequence[str] = ()

    @property
    def truths(self) -> Sequence[str]:
        """All actual answers."""
        return () if self.truth is None else (self.truth, *self.others)


def read_predictions(path: str, keys: Keys) -> list[Answer]:
    """Return the predictions in the file at *path*.

    Raises EvaluationError for a file without predictions and for a line that is not a prediction.
    """
    with gc_paused():
        answers = as_answers(path, unnested(read_lines_of_predictions(path), keys.names), keys)
    if not answers:
        raise EvaluationError(f"{path}: has no predictions")
    return answers


def as_answers(path: str, lines: Lines, keys: Keys) -> list[Answer]:
    """Return the answers in *lines*, pairs of line number and object, of the file at *path*."""
    found = []
    id_key: Any = None  # "" is a key: that of the index that pandas writes
    predicted: Any = None
    actual: Any = None
    for line, fields in lines:
        if predicted not in fields:
            id_key, predicted, actual = _keys_of(path, line, fields, keys)
        id_, said, truth = fields.get(id_key), fields[predicted], fields.get(actual)
        if type(id_) is not str:
            id_ = str(id_) if type(id_) is int else _id(path, line, id_)
        elif not id_.isdecimal():
            id_ = normalise_id(id_)
        if type(said) is not str:
            said = _said(path, line, said)
        others: Sequence[str] = ()
        if truth is not None and type(truth) is not str:
            truths = read_truths(truth)
            truth, others = truths[0] if truths else None, truths[1:]
        used = 1 + (id_ is not None) + (truth is not None)
        more = fields if len(fields) > used else _NO_FIELDS  # saves the memory of 100,000 dictionaries
        found.append(Answer(id_ or "", line, said or "", truth, None, more, others))
    return found


def _keys_of(
    path: str, line: int, fields: Mapping[str, Any], keys: Keys
) -> tuple[str | None, str, str | None]:
    id_, predicted, actual = (
        next((name for name in names if name in fields), None)
        for names in (keys.id, keys.predicted, keys.actual)
    )
    if predicted is None and keys.predicted == _DEFAULT.predicted and (layout := layout_of(fields)):
        predicted = layout.predicted
        if actual is None and keys.actual == _DEFAULT.actual:
            actual = layout.actual
    if id_ is None and keys.id != _DEFAULT.id and keys.id and "line" not in fields:
        expected = " or ".join(map(safe, keys.id))
        hint = nearest(keys.id[0], fields) or f" among {safe(', '.join(fields))}"
        raise EvaluationError(
            f"{path}:{line}: no key {expected}{hint}; name that of the ids: {option('keys', 'id=KEY')}"
        )
    if predicted is None:
        expected = " or ".join(keys.predicted)
        hint = nearest(keys.predicted[0], fields) or f" among {safe(', '.join(fields))}"
        raise EvaluationError(
            f"{path}:{line}: no key {expected}{hint}; name it: {option('keys', 'predicted=KEY')}"
        )
    return id_, predicted, actual


def _id(path: str, line: int, value: object) -> str | None:
    scalar = value[0] if isinstance(value, list) and len(value) == 1 else value
    text = _text(path, line, scalar)
    return text and normalise_id(text)


def _said(path: str, line: int, value: object) -> str | None:
    """Return a predicted answer as text; an object is JSON, of which a field may be compared."""
    return json_text(value) if isinstance(value, dict) else _text(path, line, value)


def _text(path: str, line: int, value: object) -> str | None:
    """Return a JSON scalar as text, so that 14 and "14" are the same id."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        raise EvaluationError(f"{path}:{line}: an id or answer is {safe(value)}; expected text or a number")
    return str(value)


def read_ids(given: str) -> list[str]:
    """Return the ids in *given*: comma-separated, or @FILE with one id per line."""
    if not given.startswith("@"):
        return [part for part in re.split(r"\s*,\s*", given.strip()) if part]
    try:
        text = read_text(given[1:])
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"{given[1:]}: {reason}") from None
    return [line for line in text.split("\n") if line]


def as_keys(keys: Keys | Mapping[str, str] | None) -> Keys:
    """Return *keys* as Keys with defaults for keys that are left out. Raises UsageError for other names."""
    if keys is None or isinstance(keys, Keys):
        return keys or Keys()
    known = ("id", "predicted", "actual", "field")
    for name in keys:
        if name not in known:
            raise UsageError(f"no key {name!r}{nearest(name, known)}; known: {', '.join(known)}")
    given = {name: (key,) for name, key in keys.items() if name != "field"}
    return Keys(**given, field=keys.get("field"))
