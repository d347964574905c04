"""Build training data that passes: turns to examples, examples to a file.

examples = (
build_example("Who wrote this book?", row.author, row.cover, system="Answer briefly.")
for row in rows
)
write_jsonl("train.jsonl", examples)
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

from pytest_vft.encoding import ImageFormat, ImageSource, check_encoding, encode_image, is_url, type_of
from pytest_vft.errors import UsageError
from pytest_vft.writing import replacing

if TYPE_CHECKING:
    from collections.abc import Callable

Detail = Literal["low", "high", "auto"]
ImageSources: TypeAlias = "ImageSource | Sequence[ImageSource] | None"


class FewShot(NamedTuple):
    """A turn shown before the question, with its answer; a plain tuple of the three does as well."""

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
) -> dict[str, Any]:
    """Return one training example, `{"messages": [...]}`, in OpenAI's format for vision.

    Its messages are the *system* prompt, the *few_shot* turns, the *question* with its images,
    and the *answer*; leave the answer out for a test split. A few-shot turn is a FewShot or a
    tuple (question, answer, image); its answer carries `"weight": 0`: it is shown, not trained on.

    *image*, here and in a few-shot turn, is one image, a list of them, or None. An image is a
    Pillow image, a path, or a str that starts with http://, https:// or data:, which is used as it
    is. So encode an image of many examples once, with encode_image, and hand over its data URL.

    *detail* is set on every image, or left out if None. *format* and *quality* are those of
    encode_image.

    Raises UsageError for a wrong argument and for an image that cannot be read or written.
    """
    _check_detail(detail)
    check_encoding(format, quality)
    ask = partial(
        _user_message,
        encode=partial(encode_image, format=format, quality=quality),
        detail=detail,
    )
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
    return {"messages": messages}


def write_jsonl(path: str | os.PathLike[str], examples: Iterable[Mapping[str, Any]]) -> int:
    r"""Write *examples* to *path*, one JSON object a line, and return how many there were.

    The file is UTF-8 without a byte-order mark, and every line ends with "\n". It is written under
    a temporary name in the same folder and renamed at the end: whatever fails, also in *examples*
    itself, *path* is what it was before.

    Raises UsageError for an example that is not a mapping or cannot stand in JSON, OSError if the
    file cannot be written.
    """
    written = 0
    with replacing(path) as file:
        for written, example in enumerate(examples, start=1):
            file.write(_json_line(example, f"example {written}"))
    return written


# Messages


def _user_message(
    question: str,
    image: ImageSources,
    *,
    encode: Callable[[ImageSource], str],
    detail: Detail | None,
) -> dict[str, Any]:
    images = _as_sequence(image)
    if not images:
        return {"role": "user", "content": question}
    urls = [str(image) if is_url(image) else encode(image) for image in images]
    text_part = {"type": "text", "text": question}
    return {"role": "user", "content": [text_part, *(_image_part(url, detail) for url in urls)]}


def _as_sequence(image: ImageSources) -> Sequence[ImageSource]:
    if image is None:
        return ()
    return image if isinstance(image, Sequence) and not isinstance(image, str) else [image]


def _image_part(url: str, detail: Detail | None) -> dict[str, Any]:
    image_url = {"url": url} if detail is None else {"url": url, "detail": detail}
    return {"type": "image_url", "image_url": image_url}


def _few_shot(turn: object, name: str) -> FewShot:
    if not isinstance(turn, list | tuple) or len(turn) != len(FewShot._fields):
        raise UsageError(f"{name} is {type_of(turn)}, want FewShot(question, answer, image)")
    question, answer, image = turn
    return FewShot(_text(question, f"the question of {name}"), _text(answer, f"the answer of {name}"), image)


def _json_line(example: object, name: str) -> bytes:
    if not isinstance(example, Mapping):
        raise UsageError(f"{name} is {type_of(example)}, want a dict such as build_example returns")
    try:
        text = json.dumps(dict(example), ensure_ascii=False, allow_nan=False)
        return text.encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{name} cannot be written as JSON: {error}") from error


# Arguments


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name} is {type_of(value)}, want a str")
    return value


def _check_detail(detail: object) -> None:
    if detail is not None and detail not in get_args(Detail):
        raise UsageError(f'detail is {detail!r}, want "low", "high", "auto" or None')
