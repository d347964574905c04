"""The questions of a test split, and the images that they are about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from xxhash import xxh3_128_hexdigest

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.reading.files import BYTE_ORDER_MARK, open_file
from pytest_vft.reading.lines import lift, parse_line
from pytest_vft.reading.shards import LongLine, Shard, read_lines
from pytest_vft.text import safe

ID_PATTERN = r"\[(\d+)\]"


class Question(NamedTuple):
    """A line of a test split.

    *id* is its own, *numbered* what a pattern finds in its *text*; *truth* is its actual answer,
    where it is written there; *image* says what the target turn is about: answers on the same
    images depend on each other. None: text only.
    """

    path: str
    line: int
    id: str | None
    numbered: str | None
    text: str
    truth: str | None
    image: str | None
    fields: Mapping[str, Any]

    @property
    def place(self) -> str:
        """Where it stands, as path:line."""
        return f"{safe(self.path, None)}:{self.line}"


def read_objects(
    path: str, parse: Callable[[Any], Any] = orjson.loads
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield number and object of each line of the file at *path*, as *parse* reads it.

    Raises EvaluationError for what is none.
    """
    for line, raw in enumerate(_lines(path), 1):
        try:
            value = parse(raw)
        except orjson.JSONDecodeError:  # a line that is too long is no bytes, and comes here, too
            value = None
        if type(value) is dict:
            yield line, value
            continue
        parsed = parse_line(raw)
        if not parsed.blank:
            reason = "too long" if isinstance(raw, LongLine) else "not a JSON object"
            reason = parsed.encoding_error or parsed.syntax_error or reason
            raise EvaluationError(f"{safe(path, None)}:{line}: {reason}")


def _parse_lifted(raw: bytes | LongLine) -> Any:
    """Return the value of *raw*, the payloads of its images as their hashes."""
    return parse_line(raw, None if isinstance(raw, LongLine) else lift(raw, _hashed)).value


def _lines(path: str) -> Iterator[bytes | LongLine]:
    """Return the lines of the file at *path*. Raises EvaluationError when it has none."""
    opened = open_file(path)
    if opened.error or opened.container != "JSONL":
        what = opened.error or f"is {opened.container}, want JSON Lines"
        raise EvaluationError(f"{safe(path, None)}: {what}")
    start = len(BYTE_ORDER_MARK) if opened.byte_order_mark else 0
    return read_lines(Shard(path, "test", start, opened.bytes))


def _hashed(payload: memoryview) -> bytes:
    return b"#" + xxh3_128_hexdigest(payload).encode()


def read_questions(
    path: str, *, id_keys: Sequence[str], actual_keys: Sequence[str], id_pattern: str = ID_PATTERN
) -> list[Question]:
    """Return the questions of the test split at *path*.

    The actual answer is that of an assistant message at the end, else the value of one of
    *actual_keys*. Raises EvaluationError for what is no test split, UsageError for a wrong pattern.
    """
    try:
        pattern = re.compile(id_pattern)
    except re.error as error:
        raise UsageError(f"id pattern {id_pattern!r}: {error}") from None
    if pattern.groups != 1:
        raise UsageError(f"id pattern {id_pattern!r}: want one group, as in {ID_PATTERN}")
    found = [
        _question(path, line, example, pattern, (id_keys, actual_keys))
        for line, example in read_objects(path, _parse_lifted)
    ]
    if not found:
        raise EvaluationError(f"{safe(path, None)}: holds no questions")
    return found


def _question(
    path: str,
    line: int,
    example: Mapping[str, Any],
    pattern: re.Pattern[str],
    keys: tuple[Sequence[str], Sequence[str]],
) -> Question:
    messages = _messages(path, line, example)
    asked = prompt(messages)
    if not asked:
        raise EvaluationError(f"{safe(path, None)}:{line}: no user message to answer")
    text = "\n".join(text for message in _target_turn(asked) for text in _texts(message))
    images = [url for part in images_of(asked) if (url := _url(part))]
    truths = [text for message in messages[len(asked) :] for text in _texts(message)]
    numbered = pattern.search(text)
    id_, actual = (next((example[key] for key in names if key in example), None) for names in keys)
    return Question(
        path,
        line,
        None if id_ is None else str(id_),
        numbered[1] if numbered else None,
        text,
        truths[-1] if truths else None if actual is None else str(actual),
        xxh3_128_hexdigest("\n".join(images).encode("utf-8", "surrogatepass")) if images else None,
        {key: value for key, value in example.items() if key != "messages"},
    )


def _messages(path: str, line: int, example: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    messages = example.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise EvaluationError(f"{safe(path, None)}:{line}: no list of messages; run 'vft check' on it")
    return messages


def prompt(messages: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return *messages* up to the last one of a user: what a model is asked, without the answer."""
    end = len(messages)
    while end and messages[end - 1].get("role") != "user":
        end -= 1
    return messages[:end]


def read_prompts(path: str) -> Iterator[tuple[int, Sequence[Mapping[str, Any]]]]:
    """Yield the number of each line of the test split at *path* and what is asked there, as it is sent."""
    for line, raw in enumerate(_lines(path), 1):
        if isinstance(raw, bytes) and raw.strip():
            yield line, prompt(orjson.loads(raw)["messages"])


def images_of(asked: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the image parts of the target turn of *asked*; without any, all that stood before it.

    "And the second one?" asks about what stood before.
    """
    for messages in (_target_turn(asked), asked):
        found = [part for message in messages for part in _parts(message) if part.get("type") == "image_url"]
        if found:
            return found
    return []


def _target_turn(asked: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the messages at the end of *asked* that are a user's, up to the first that is not."""
    start = len(asked) - 1
    while start and asked[start - 1].get("role") == "user":
        start -= 1
    return asked[start:]


def _parts(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    content = message.get("content")
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict):
            yield part


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in _parts(message):
        if isinstance(part.get("text"), str):
            yield part["text"]


def _url(part: Mapping[str, Any]) -> str | None:
    image_url = part.get("image_url")
    url = image_url.get("url") if isinstance(image_url, dict) else None
    return url if isinstance(url, str) else None
