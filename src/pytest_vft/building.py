"""Build training examples and write them to JSONL files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast, get_args

from pytest_vft.encoding import ImageFormat, ImageSource, check_encoding, encode_image, is_url, type_of
from pytest_vft.errors import UsageError
from pytest_vft.writing import replacing

if TYPE_CHECKING:
    from collections.abc import Callable

Detail = Literal["low", "high", "auto"]
ImageSources: TypeAlias = "ImageSource | Sequence[ImageSource] | None"


class FewShot(NamedTuple):
    """A question and its answer, shown before the question of the example."""

    question: str
    answer: str
    image: ImageSources = None


def build_example(  # noqa: PLR0913 - one keyword for each part of an example
    question: str,
    answer: str | None = None,
    image: ImageSources = None,
    *,
    system: str | None = None,
    few_shot: Iterable[tuple[str, str, ImageSources]] = (),
    detail: Detail | None = None,
    format: ImageFormat | None = None,  # noqa: A002 - as in encode_image
    quality: int = 85,
    id: str | int | None = None,  # noqa: A002 - the key of the example
    truth: str | None = None,
) -> dict[str, Any]:
    """Return one training example, `{"messages": [...]}`, in OpenAI's format for vision.

    The messages are the *system* prompt, the *few_shot* turns, the *question* with its images and the
    *answer*; omit the answer for a test split. A few-shot turn is a FewShot or a tuple (question,
    answer, image); its answer has `"weight": 0`, so the model is not trained on it.

    *image*, here and in a few-shot turn, is one image, a list of images or None. An image is what
    encode_image accepts, or a str that starts with http://, https:// or data: and is used unchanged.
    Encode an image that several examples share once, with encode_image, and pass its data URL.

    *id* and *truth*, the actual answer, become keys of the example, in which `vft eval` finds them. They
    are for test splits only: providers refuse them in a training file.

    *detail* is set on every image unless it is None. *format* and *quality* are passed to encode_image.

    Raises UsageError for an invalid argument and for an image that cannot be read or written.
    """
    if detail is not None and detail not in get_args(Detail):
        raise UsageError(f'detail is {detail!r}; expected "low", "high", "auto" or None')
    check_encoding(format, quality)
    encode = partial(encode_image, format=format, quality=quality)
    ask = partial(_user_message, encode=encode, detail=detail)
    messages: list[dict[str, Any]] = []
    if system is not None:
        messages.append({"role": "system", "content": _text(system, "system")})
    for number, turn in enumerate(few_shot):
        shown = _few_shot(turn, f"few_shot[{number}]")
        messages.append(ask(shown.question, shown.image))
        messages.append({"role": "assistant", "content": shown.answer, "weight": 0})
    messages.append(ask(_text(question, "question"), image))
    if answer is not None:
        messages.append({"role": "assistant", "content": _text(answer, "answer")})
    return {**_test_keys(id, truth, answer), "messages": messages}


def write_jsonl(path: str | os.PathLike[str], examples: Iterable[Mapping[str, Any]]) -> int:
    r"""Write *examples* to *path*, one JSON object per line, and return the number of examples.

    The file is UTF-8 without a byte-order mark, and every line ends with "\n". The file is written under
    a temporary name in the same folder and renamed at the end: after an error, also in *examples*
    itself, *path* is unchanged.

    Raises UsageError for an example that is not a mapping or cannot be serialized to JSON, OSError if
    the file cannot be written.
    """
    written = 0
    with replacing(path) as file:
        for written, example in enumerate(examples, start=1):
            file.write(_json_line(example, f"example {written}"))
    return written


def _user_message(
    question: str, image: ImageSources, *, encode: Callable[[ImageSource], str], detail: Detail | None
) -> dict[str, Any]:
    if image is None:
        images: Sequence[ImageSource] = ()
    else:
        is_one = isinstance(image, str | bytes | bytearray | memoryview) or not isinstance(image, Sequence)
        images = cast("Sequence[ImageSource]", [image] if is_one else image)
    if not images:
        return {"role": "user", "content": question}
    content: list[dict[str, Any]] = [{"type": "text", "text": question}]
    for source in images:
        image_url = {"url": str(source) if is_url(source) else encode(source)}
        if detail is not None:
            image_url["detail"] = detail
        content.append({"type": "image_url", "image_url": image_url})
    return {"role": "user", "content": content}


def _test_keys(id_: object, truth: object, answer: str | None) -> dict[str, Any]:
    if id_ is not None and type(id_) not in (str, int):
        raise UsageError(f"id is {type_of(id_)}; expected a str or an int")
    if truth is not None and answer is not None:
        raise UsageError("answer and truth are both given; expected truth only for an example without answer")
    keys = {"id": id_, "truth": None if truth is None else _text(truth, "truth")}
    return {key: value for key, value in keys.items() if value is not None}


def _few_shot(turn: object, name: str) -> FewShot:
    if not isinstance(turn, list | tuple) or len(turn) != len(FewShot._fields):
        raise UsageError(f"{name} is {type_of(turn)}; expected FewShot(question, answer, image)")
    question, answer, image = turn
    return FewShot(_text(question, f"the question of {name}"), _text(answer, f"the answer of {name}"), image)


def _json_line(example: object, name: str) -> bytes:
    if not isinstance(example, Mapping):
        raise UsageError(f"{name} is {type_of(example)}; expected a dict such as build_example returns")
    try:
        return json.dumps(dict(example), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{name} cannot be written as JSON: {error}") from error


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name} is {type_of(value)}; expected a str")
    return value
