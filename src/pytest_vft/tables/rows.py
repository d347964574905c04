"""Rows of a table as examples: a row with lists of questions and answers is several examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pytest_vft.evaluation.questions import read_truths
from pytest_vft.formats.base import ImagePart
from pytest_vft.formats.conversation import ChatTurn, NotConvertedError, Piece
from pytest_vft.tables.columns import BadCellError, Column, Columns, as_text
from pytest_vft.text import count

_REMOTE = ("data:", "http://", "https://", "s3://", "gs://")
_IMAGE_KEYS = ("bytes", "url", "path", "image_url")


class RowExample(NamedTuple):
    """A question with its images, the answer that is trained on, all accepted answers, and an id if any."""

    question: str
    answer: str
    truths: tuple[str, ...]
    images: tuple[ImagePart, ...]
    id: str | None = None

    def turns(self) -> tuple[ChatTurn, ChatTurn]:
        """Return the question and the answer."""
        pieces: list[Piece] = [self.question, *self.images]
        return ChatTurn("user", pieces, in_parts=True), ChatTurn("assistant", [self.answer])


def read_row(row: Mapping[str, Any], columns: Columns, number: int, detail: str | None) -> list[RowExample]:
    """Return the examples in *row*, of which the first has this *number*; *detail* is that of the images.

    Raises NotConvertedError, which says why, for a row that cannot be used.
    """
    try:
        questions = columns.question.values(row, number)
        length = len(questions) if isinstance(questions, list) else None
        answers = columns.answer.values(row, number, length)
        ids = columns.id.values(row, number, length) if columns.id else None
    except BadCellError as error:
        raise NotConvertedError(str(error)) from None
    images = tuple(read_images(columns.image, row, detail))
    if not isinstance(questions, list):
        return [_example(questions, answers, images, ids)]
    if not isinstance(answers, list):
        raise NotConvertedError("the questions are a list, the answer is not; expected two lists")
    if len(answers) != len(questions):
        raise NotConvertedError(f"{count(len(questions), 'question')} for {count(len(answers), 'answer')}")
    if not questions:
        raise NotConvertedError("the list of questions is empty")
    if not isinstance(ids, list):
        ids = [
            ids if ids is None or len(questions) == 1 else f"{as_text(ids)}-{at}"
            for at, _ in enumerate(questions, 1)
        ]
    if len(ids) != len(questions):
        raise NotConvertedError(f"{count(len(questions), 'question')} for {count(len(ids), 'id')}")
    return [
        _example(question, answer, images, id_)
        for question, answer, id_ in zip(questions, answers, ids, strict=True)
    ]


def _example(question: Any, answer: Any, images: tuple[ImagePart, ...], id_: Any) -> RowExample:
    truths = tuple(text for text in read_truths(answer) if text.strip())
    asked = "" if question is None else as_text(question)
    if not asked.strip():
        raise NotConvertedError("the question is empty")
    if not truths:
        raise NotConvertedError("the answer is empty")
    return RowExample(asked, truths[0], truths, images, None if id_ is None else as_text(id_))


def read_images(column: Column, row: Mapping[str, Any], detail: str | None) -> Iterator[ImagePart]:
    """Yield the images in *row*, at least one. Raises NotConvertedError for what is none."""
    try:
        value = column.values(row, 0)
    except BadCellError as error:
        raise NotConvertedError(str(error)) from None
    values = value if isinstance(value, list) else [value]
    if not values or any(one is None or one == "" for one in values):
        raise NotConvertedError("the image is missing")
    for one in values:
        reference = _reference(one)
        local = not reference[:8].lower().startswith(_REMOTE)
        yield ImagePart(0, reference, detail, local)


def _reference(value: Any) -> str:
    """Return the URL or path in the value of an image."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        found = next((value[key] for key in _IMAGE_KEYS if value.get(key) is not None), None)
        if found is not None:
            return _reference(found)
    raise NotConvertedError("the image is neither a path, a URL nor an object with bytes, path or url")
