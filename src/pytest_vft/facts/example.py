"""Facts of one example, and the walk that measures all that is in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypedDict

import orjson
from xxhash import xxh3_128_intdigest

from pytest_vft.facts.image import ImageFacts, image_facts
from pytest_vft.facts.message import MessageFacts
from pytest_vft.model import Split
from pytest_vft.reading.album import Album
from pytest_vft.reading.remote import Remote

# An example may have a thousand faults of one cause; the first ones tell it.
MOST_FAULTS = 100


class Fault(NamedTuple):
    """A place in an example that is not as its schema wants it: its path of keys and indexes."""

    path: tuple[str | int, ...]
    words: str

    def __str__(self) -> str:
        return self.words


class Shape(Protocol):
    """Knows the shape of an example."""

    def is_valid(self, example: object) -> bool:
        """Return whether *example* has the shape."""

    def faults(self, example: object) -> Sequence[Fault]:
        """Return each place where *example* has not, up to MOST_FAULTS."""


class ExampleFacts(TypedDict):
    """What is measured in an example."""

    split: Split
    shape_faults: Sequence[Fault]
    """Places where the example is not as example.schema.json wants it."""
    messages: int
    """Messages in it."""
    assistant_messages: int
    """Those of role assistant."""
    images: int
    """Images in it, over all messages."""
    last_role: str | None
    """The role of its last message; None when it has none."""


class Image(NamedTuple):
    """An image of an example: where it stands, the key of its content, its facts."""

    message: int
    part: int
    key: int
    facts: ImageFacts


class Message(NamedTuple):
    """A message of an example: where it stands, and its facts."""

    position: int
    facts: MessageFacts


class Example(NamedTuple):
    """All that was measured in one example.

    *turn* is the key of its target turn: what makes two examples ask the same of the same picture.
    None when no user speaks in it.
    """

    facts: ExampleFacts
    messages: list[Message]
    images: list[Image]
    turn: int | None


def measure_example(
    example: Mapping[str, Any], split: Split, album: Album, remotes: Mapping[str, Remote], shape: Shape
) -> Example:
    """Return the facts of *example*, a JSON object, of its messages and of its images.

    Messages and parts that the shape refuses yield no facts; the rest is measured all the same.
    """
    faults: Sequence[Fault] = () if shape.is_valid(example) else shape.faults(example)
    refused = _refused(faults) if faults else ()
    listed = () if ("messages",) in refused else example["messages"]
    messages: list[Message] = []
    images: list[Image] = []
    assistants = 0
    for index, message in enumerate(listed):
        if refused and ("messages", index) in refused:
            continue
        role: str = message["role"]
        assistants += role == "assistant"
        content = message.get("content", ...)
        before = len(images)
        kind, length = "parts", 0
        if isinstance(content, str):
            kind, length = "string", len(content)
        elif isinstance(content, list):
            for position, part in enumerate(content):
                if refused and ("messages", index, "content", position) in refused:
                    continue
                if part["type"] == "image_url":
                    key, facts = image_facts(part["image_url"], role, split, album, remotes)
                    images.append(Image(index, position, key, facts))
                else:
                    length += len(part[part["type"]])
        else:
            kind = "null" if content is None else "absent"
        messages.append(
            Message(
                index,
                {
                    "split": split,
                    "role": role,
                    "content": kind,
                    "images": len(images) - before,
                    "text_length": length,
                },
            )
        )
    return Example(
        {
            "split": split,
            "shape_faults": faults,
            "messages": len(listed),
            "assistant_messages": assistants,
            "images": len(images),
            "last_role": messages[-1].facts["role"] if messages else None,
        },
        messages,
        images,
        None if faults else _turn_key(listed, images),
    )


def _refused(faults: Sequence[Fault]) -> Collection[tuple[str | int, ...]]:
    """Return the paths of the parts, else messages, else lists of them that *faults* lie in."""
    if len(faults) == MOST_FAULTS:
        return {("messages",)}  # nobody knows where the further ones lie
    refused: set[tuple[str | int, ...]] = set()
    for path, _ in faults:
        if path[:1] == ("messages",) or not path:
            if len(path) > 3:  # noqa: PLR2004 - messages, index, content, part
                refused.add(path[:4] if path[2] == "content" else ())
            elif len(path) < 3 or path[2] in ("role", "content"):  # noqa: PLR2004 - as above
                refused.add(path[:2] or ("messages",))
    return refused


def _turn_key(messages: Sequence[Mapping[str, Any]], images: Sequence[Image]) -> int | None:
    """Return the key of the target turn: the last user messages in a row, text and pictures.

    Without a picture of its own it says too little ("And the second one?"): then all that stands
    before the answer belongs to the key, earlier pictures too.
    """
    end = len(messages)
    while end and messages[end - 1]["role"] != "user":
        end -= 1
    if not end:
        return None
    start = end - 1
    while start and messages[start - 1]["role"] == "user":
        start -= 1
    pictures = [f"{image.key:x}" for image in images if start <= image.message < end]
    if not pictures:
        start = 0
        pictures = [f"{image.key:x}" for image in images if image.message < end]
    said = [_said(message) for message in messages[start:end]]
    return xxh3_128_intdigest(orjson.dumps([said, pictures]))


def _said(message: Mapping[str, Any]) -> list[str]:
    """Return the role and all text of *message*, arguments of tool calls too."""
    content = message.get("content")
    if isinstance(content, str):
        texts = [content]
    else:
        texts = [part["text"] for part in content or () if part["type"] == "text"]
    # On other messages than an assistant's, tool_calls are an unknown key and may hold anything.
    if message["role"] == "assistant" and message.get("tool_calls"):
        texts += [call["function"]["arguments"] for call in message["tool_calls"]]
    return [message["role"], *texts]
