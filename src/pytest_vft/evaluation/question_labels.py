"""The labels by which predictions and questions are matched: ids, lines, or numbers in order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

from pytest_vft.errors import EvaluationError
from pytest_vft.evaluation.batch import line_label
from pytest_vft.evaluation.predictions import Answer
from pytest_vft.evaluation.questions import Question
from pytest_vft.naming import option
from pytest_vft.text import count, safe

MatchMethod = Literal["id", "pattern", "line", "order", "none"]
"""How predictions are matched to questions: `none` without a test split."""


def label_answers(
    path: str, predictions: Sequence[Answer], questions: Sequence[Question]
) -> tuple[MatchMethod, list[str], Sequence[str]]:
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
            return how, labels, _without_prefix(ids, labels)
        if labels:
            place = questions[found.index(None)].place
            raise EvaluationError(f"{place}: no id, but other questions and the predictions have ids")
    labels = [str(question.line) for question in questions]
    if all(has_line(given) for given in predictions):
        return "line", labels, [str(given.fields["line"]) for given in predictions]
    if "custom_id" in predictions[0].fields:
        raise EvaluationError(
            f"{path}: the output of the Batch API is in any order, and the questions of {questions[0].path} "
            f"have no ids; give each question its id, such as {safe(predictions[0].id)!r}"
        )
    if all(ids) and not _are_numbers(ids):
        raise EvaluationError(
            f"{path}: the predictions have ids ({first_ids(ids)}), the questions of {questions[0].path} have "
            f"none; name the key of both: {option('keys', 'id=KEY')}, or remove the ids to match by order"
        )
    if len(predictions) != len(questions):
        raise EvaluationError(
            f"{path}: {count(len(predictions), 'prediction')} and {count(len(questions), 'question')} cannot "
            "be matched by order; give both an id"
        )
    return "order", labels, labels


def _are_numbers(ids: Sequence[str]) -> bool:
    """Return whether *ids* number the predictions in their order, from 0 or 1, with or without a prefix."""
    for start in (0, 1):
        numbers = [str(number) for number in range(start, start + len(ids))]
        if _without_prefix(ids, numbers) == numbers:
            return True
    return False


def _without_prefix(ids: Sequence[str], labels: Sequence[str]) -> Sequence[str]:
    """Return *ids* without a common prefix, as in task-0 and task-1, if this makes all of them *labels*."""
    known = set(labels)
    if known.isdisjoint(ids):
        prefix = os.path.commonprefix(ids).rstrip("0123456789")  # noqa: RUF071 - ids are no paths
        shorter = [id_.removeprefix(prefix) for id_ in ids]
        if known.issuperset(shorter):
            return shorter
    return ids


def label_questions(questions: Sequence[Question]) -> list[str]:
    """Return the labels by which the predictions of a batch are matched: ids, else numbers, else lines.

    Raises EvaluationError if only some questions have an id, or two have the same.
    """
    for found in ([one.id for one in questions], [one.numbered for one in questions]):
        labels = [label for label in found if label is not None]
        if len(labels) == len(questions):
            _check_distinct(labels, questions)
            return labels
        if labels:
            raise EvaluationError(
                f"{questions[found.index(None)].place}: no id, but other questions have ids"
            )
    return [line_label(question) for question in questions]


def _check_distinct(labels: Sequence[str], questions: Sequence[Question]) -> None:
    places: dict[str, str] = {}
    for label, question in zip(labels, questions, strict=True):
        first = places.setdefault(label, question.place)
        if first != question.place:
            raise EvaluationError(f"{question.place}: the id {safe(label)!r} is also the id of {first}")


def has_line(given: Answer) -> bool:
    """Return whether a prediction names the line of its question, as those of a transcript do."""
    return isinstance(given.fields.get("line"), int)


def first_ids(ids: Sequence[str]) -> str:
    """Return the first of *ids*, to recognise a file by."""
    return ", ".join(map(safe, ids[:3])) + (", ..." if len(ids) > 3 else "")  # noqa: PLR2004 - enough to recognise
