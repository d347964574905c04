"""The questions of a test split and their images."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from xxhash import xxh3_128_hexdigest

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.evaluation.prompts import Prompt, images_of, make_prompt, open_images
from pytest_vft.evaluation.splits import Split, conversation, open_split
from pytest_vft.evaluation.truths import Truths, read_truths_beside
from pytest_vft.formats.chat import target_turn
from pytest_vft.reading.arrays import parse_element
from pytest_vft.reading.elements import Element, read_elements
from pytest_vft.reading.files import ARRAY, LINES, OpenedFile, open_file
from pytest_vft.reading.lines import lift, parse_line
from pytest_vft.reading.parquet import read_rows
from pytest_vft.reading.shards import LongLine, read_lines
from pytest_vft.reading.whole import whole_shard
from pytest_vft.text import safe

ID_PATTERN = r"\[(\d+)\]"
_NUMERIC_ID = re.compile(r"\[?(\d+)(?:\.0+)?\]?")


class Question(NamedTuple):
    """An entry of a test split.

    *line* is the number of the entry, from 1: its line or, *in_array*, its place in a JSON array. *id* is
    the value of an id key, *numbered* the id that a pattern finds in *text*; *truth* is the actual answer,
    if the entry has one, and *others* are actual answers that count as well. *image* is a hash of the
    images of the target turn, None for text only: answers with the same hash depend on each other. *fields*
    holds all keys but messages.
    """

    split: Split
    line: int
    id: str | None
    numbered: str | None
    text: str
    truth: str | None
    image: str | None
    fields: Mapping[str, Any]
    others: Sequence[str] = ()
    in_array: bool = False

    @property
    def path(self) -> str:
        """The path of the test split."""
        return self.split.path

    @property
    def place(self) -> str:
        """The place of the question, as path:line or path:#index."""
        return _place(safe(self.path, None), self.line, in_array=self.in_array)


def _place(path: str, line: int, *, in_array: bool) -> str:
    return f"{path}:#{line - 1}" if in_array else f"{path}:{line}"


def read_objects(
    path: str, parse: Callable[[Any], Any] = orjson.loads
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield line number and JSON object of each line of the file at *path*, parsed by *parse*.

    Raises EvaluationError for any other line that is not blank.
    """
    opened = _opened(path)
    if opened.container != LINES:
        raise EvaluationError(f"{path}: is {opened.container}; expected JSON Lines")
    return _objects(path, opened, parse)


def _objects(
    path: str, opened: OpenedFile, parse: Callable[[Any], Any]
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield number and JSON object of each entry of the file at *path*; see read_objects()."""
    for number, (raw, element) in enumerate(_entries(path, opened), 1):
        try:
            value = parse(raw)
        except orjson.JSONDecodeError:  # also raised for a LongLine, which is not bytes
            value = None
        if type(value) is dict and not (element and element.fault):
            yield number, value
            continue
        parsed = parse_element(element) if element else parse_line(raw)
        if not parsed.blank:
            reason = "too long" if isinstance(raw, LongLine) else "not a JSON object"
            reason = parsed.encoding_error or parsed.syntax_error or reason
            raise EvaluationError(f"{_place(path, number, in_array=element is not None)}: {reason}")


def _parse_hashed(raw: bytes | LongLine) -> Any:
    """Return the value of *raw*, with the payloads of images replaced by hashes."""
    return parse_line(raw, None if isinstance(raw, LongLine) else lift(raw, _hashed)).value


def _hashed(payload: memoryview) -> bytes:
    return b"#" + xxh3_128_hexdigest(payload).encode()


def _opened(path: str) -> OpenedFile:
    """Return size and kind of the file at *path*. Raises EvaluationError if it is not read."""
    opened = open_file(path)
    if not opened.is_read:
        what = opened.error or f"is {opened.container}; expected JSON Lines"
        raise EvaluationError(f"{path}: {what}")
    return opened


def _entries(path: str, opened: OpenedFile) -> Iterator[tuple[bytes | LongLine, Element | None]]:
    """Yield the entries of a test split as they are written, and as elements if it is an array.

    Raises EvaluationError if the file cannot be read.
    """
    try:
        whole = whole_shard(path, "test", opened)
        if whole.part:
            yield from ((element.raw, element) for element in read_elements(whole))
        else:
            yield from ((raw, None) for raw in (read_rows(whole) if whole.rows else read_lines(whole)))
    except OSError as error:
        raise EvaluationError(f"{path}: {error.strerror or type(error).__name__}") from None


def read_questions(  # noqa: PLR0913 - all but the path by keyword, most with a default
    path: str,
    *,
    id_keys: Sequence[str],
    actual_keys: Sequence[str],
    id_pattern: str = ID_PATTERN,
    data_format: str | None = None,
    image_roots: Sequence[str] = (),
) -> list[Question]:
    """Return the questions of the test split at *path*, in *data_format* or that of its first examples.

    The actual answer is that of a final assistant message, the chosen one of several, else the value of one
    of *actual_keys*, else that in a file beside the split (see truths.py). Images at local paths are in the
    folder of the file or in *image_roots*.
    Raises EvaluationError for a file that is not a test split, UsageError for an invalid pattern or format.
    """
    try:
        pattern = re.compile(id_pattern)
    except re.error as error:
        raise UsageError(f"id pattern {id_pattern!r}: {error}") from None
    if pattern.groups != 1:
        raise UsageError(f"id pattern {id_pattern!r}: expected exactly one group, as in {ID_PATTERN}")
    opened = _opened(path)
    split = open_split(path, data_format, image_roots)
    keys = (id_keys, actual_keys)
    in_array = opened.container == ARRAY
    questions = [
        _question(split, line, example, pattern, keys, in_array=in_array)
        for line, example in _objects(path, opened, _parse_hashed)
    ]
    if not questions:
        raise EvaluationError(f"{path}: has no questions")
    beside = read_truths_beside(path, questions[-1].line)
    return [_with_truths(question, beside.get(question.line)) for question in questions]


def _with_truths(question: Question, beside: Truths | None) -> Question:
    """Return *question* with the actual answers *beside* the test split, unless it has one of its own."""
    if beside is None:
        return question
    id_ = question.id if question.id is not None or beside.id is None else normalise_id(beside.id)
    if question.truth is not None:
        return question._replace(id=id_)
    return question._replace(id=id_, truth=beside.answers[0], others=beside.answers[1:])


def _question(  # noqa: PLR0913 - what a question is made of
    split: Split,
    line: int,
    example: Mapping[str, Any],
    pattern: re.Pattern[str],
    keys: tuple[Sequence[str], Sequence[str]],
    *,
    in_array: bool,
) -> Question:
    chat = split.read(example)
    rows = conversation(chat)
    place = _place(split.path, line, in_array=in_array)
    if not rows:
        raise EvaluationError(f"{place}: no list of messages; run 'vft check' on it")
    start, end = target_turn(rows)
    if not end:
        raise EvaluationError(f"{place}: no user message to answer")
    text = "\n".join(text for row in rows[start:end] for text in row[3])
    images = [image[1] for _, image in images_of(rows)]
    truths = [text for row in rows[end:] for text in row[3]][-1:]
    numbered = pattern.search(text)
    id_, actual = (next((example[key] for key in names if key in example), None) for names in keys)
    truths = truths or read_truths(actual)
    return Question(
        split,
        line,
        None if id_ is None else normalise_id(id_),
        numbered[1] if numbered else None,
        text,
        truths[0] if truths else None,
        xxh3_128_hexdigest("\n".join(images).encode("utf-8", "surrogatepass")) if images else None,
        {key: value for key, value in example.items() if key not in split.conversation_keys},
        truths[1:],
        in_array,
    )


def read_truths(value: object) -> list[str]:
    """Return the actual answers in *value*, the most frequent one first: a scalar, or a list.

    An entry of the list may be an object with the key `answer`, as in the annotations of VQA.
    """
    given = value if isinstance(value, list) else [value]
    given = [one.get("answer") if isinstance(one, dict) and one is not value else one for one in given]
    texts = [one if isinstance(one, str) else json_text(one) for one in given if one is not None]
    return [text for text, _ in Counter(texts).most_common()] if len(texts) > 1 else texts


def json_text(value: object) -> str:
    """Return *value* as text: an object or a list as JSON, a scalar as Python writes it."""
    if not isinstance(value, dict | list):
        return str(value)
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # the JSON that orjson reads may be too deep for it to write
        raise EvaluationError("an answer is nested too deeply; expected text or a number") from None


def normalise_id(value: object) -> str:
    """Return *value* as the text of an id; 0, 0.0, "0" and "[0]" are the same id.

    Tools that read a column with a missing value write integers as floats.
    """
    if type(value) is int:
        return str(value)
    if isinstance(value, list) and len(value) == 1:
        return normalise_id(value[0])
    text = str(value)
    found = _NUMERIC_ID.fullmatch(text)
    return found[1] if found else text


def read_prompts(split: Split, lines: Container[int]) -> Iterator[tuple[int, Prompt]]:
    """Yield number and prompt of each question of *split* whose number is in *lines*.

    Raises EvaluationError for a question whose images cannot all be sent.
    """
    opened = _opened(split.path)
    with open_images(split) as images:
        for line, (raw, element) in enumerate(_entries(split.path, opened), 1):
            if line in lines and isinstance(raw, bytes) and raw.strip():
                place = _place(safe(split.path, None), line, in_array=element is not None)
                yield line, make_prompt(split, orjson.loads(raw), images, place)


def check_prompts(split: Split, lines: Container[int]) -> None:
    """Raise EvaluationError if a question of *split* has an image that cannot be sent."""
    for _ in read_prompts(split, lines):
        pass
