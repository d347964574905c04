"""Questions as they are sent to a model: messages in OpenAI's format, with all images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pybase64

from pytest_vft.errors import EvaluationError
from pytest_vft.evaluation.splits import Split, conversation
from pytest_vft.facts.placeholders import missing_image
from pytest_vft.formats.base import Chat, ImageRow, MessageRow
from pytest_vft.formats.chat import target_turn
from pytest_vft.formats.registry import URLS_ONLY
from pytest_vft.formats.written import TAG
from pytest_vft.naming import option
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.images import image_format
from pytest_vft.reading.local_images import LocalImages, image_roots
from pytest_vft.reading.roots import NOTHING, REGULAR, UNREADABLE
from pytest_vft.text import count, safe

_SENT = ("data:", "http:", "https:")  # starts of URLs that a server reads
_KEPT = ("name", "tool_calls", "tool_call_id")  # keys of a message besides role and content
_EMBEDDED = frozenset({"JPEG", "PNG", "WEBP", "GIF"})


class Prompt(NamedTuple):
    """The *messages* of a question without the answer, and the content parts of its *images*."""

    messages: Sequence[Mapping[str, Any]]
    images: Sequence[Mapping[str, Any]]


@contextmanager
def open_images(split: Split) -> Iterator[LocalImages]:
    """Open images at local paths in the folder of *split* and its image roots."""
    images = LocalImages(image_roots(split.path, split.image_roots), ImageStore(full=False))
    try:
        yield images
    finally:
        images.close()


def make_prompt(split: Split, example: Any, local: LocalImages, place: str) -> Prompt:
    """Return the prompt of *example* at *place*. Raises EvaluationError if it would lack an image."""
    chat = split.read(example)
    rows = conversation(chat)
    start, end = target_turn(rows)
    _check_complete(chat, rows[:end], place)
    if split.data_format in URLS_ONLY:
        return Prompt(
            [row[5] for row in rows[:end]],
            [source["content"][image[0]] for source, image in images_of(rows)],
        )
    contents = [_content(row, local, place) for row in rows[:end]]
    messages = [
        {"role": row[1], "content": content, **{key: row[5][key] for key in _KEPT if row[5].get(key)}}
        for row, content in zip(rows, contents, strict=False)
    ]
    turn, earlier = (
        [part for content in some if isinstance(content, list) for part in content if "image_url" in part]
        for some in (contents[start:], contents)
    )
    return Prompt(messages, turn or earlier)


def images_of(rows: Sequence[MessageRow]) -> list[tuple[Mapping[str, Any], ImageRow]]:
    """Return the images of the target turn with their messages, else those of all earlier turns.

    "And the second one?" refers to an image of an earlier turn.
    """
    start, end = target_turn(rows)
    for turn in (rows[start:end], rows[:end]):
        found = [(row[5], image) for row in turn for image in row[4]]
        if found:
            return found
    return []


def _check_complete(chat: Chat, rows: Sequence[MessageRow], place: str) -> None:
    """Raise EvaluationError if *rows*, the prompt of *chat*, lack an image that the example refers to."""
    images = sum(len(row[4]) for row in chat.rows)
    expected = max(chat.placeholders, chat.listed or 0)
    if images < expected:
        reason = f"{count(images, 'image')} for {count(expected, 'placeholder or listed image')}"
        if expected > 1:
            reason = f"{count(images, 'image')} for {expected:,} placeholders or listed images"
    elif chat.placeholders and any(TAG in text for row in rows for text in row[3]):
        reason = f"{TAG} in a text, but no image for it"
    else:
        reason = missing_image(rows, {}, sum(len(row[4]) for row in rows))
        if reason == "none":
            return
    raise EvaluationError(f"{place}: {reason}; nothing was sent; run 'vft check' on the file")


def _content(row: MessageRow, local: LocalImages, place: str) -> Any:
    """Return the content of the message *row*: a text, or parts with all images as URLs."""
    texts, images = row[3], row[4]
    if not images:
        return None if row[2] in ("null", "absent") else "".join(texts)
    by_number = {image[0]: image for image in images}
    rest = iter(texts)
    parts: list[Mapping[str, Any]] = []
    for number in range(len(texts) + len(images)):
        if number in by_number:
            parts.append(_image(by_number[number], local, place))
        else:
            parts.append({"type": "text", "text": next(rest)})
    return parts


def _image(image: ImageRow, local: LocalImages, place: str) -> Mapping[str, Any]:
    _, reference, detail, is_local, _ = image
    url = _embedded(reference, local, place) if is_local else reference
    if not url.lower().startswith(_SENT):
        scheme = safe(url.partition(":")[0])
        raise EvaluationError(
            f"{place}: an image is a URL of the scheme {scheme}; expected data, http or https"
        )
    more = {} if detail == "auto" else {"detail": detail}
    return {"type": "image_url", "image_url": {"url": url, **more}}


def _embedded(path: str, local: LocalImages, place: str) -> str:
    """Return the image at the local *path* as a data URL. Raises EvaluationError if it is not opened."""
    data = local.read(path)
    if data is None:
        kind, _, words, _ = local.look_up(path).target
        problems = {NOTHING: "is not found", UNREADABLE: f"is not readable: {words}", REGULAR: "is too large"}
        problem = problems.get(kind) or words or f"is {kind}"
        raise EvaluationError(
            f"{place}: image {safe(path)!r} {problem}; nothing was sent; expected a file "
            f"in the folder of the test split or in {option('image-root', 'DIR')}"
        )
    format_ = image_format(data)
    if format_ not in _EMBEDDED:
        raise EvaluationError(
            f"{place}: image {safe(path)!r} is not a JPEG, PNG, WEBP or GIF; nothing was sent"
        )
    return f"data:image/{format_.lower()};base64,{pybase64.b64encode(data).decode()}"
