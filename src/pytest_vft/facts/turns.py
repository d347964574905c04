"""Turns of an example: its last question with the answer, and the few-shot answers before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from xxhash import xxh3_64_intdigest

from pytest_vft.facts.image import Image

# What makes no other answer when it stands at its ends: "Yes." says "yes".
_MARKS = " \t\r\n.!"


class Turn(NamedTuple):
    """The target turn of an example, and the answer to it, as keys of what they say and show.

    *answer* is None when there is none; case and marks at its ends do not matter. *words* is its
    length; *pictures* are those of the turn, *repeated* how many of them an earlier turn shows, too.
    """

    key: int
    answer: int | None
    words: int
    pictures: tuple[int, ...]
    repeated: int


class Shot(NamedTuple):
    """An answer before the target turn that is trained on: its message, its key with its question."""

    position: int
    key: int


def target_turn(messages: Sequence[Mapping[str, Any]], images: Sequence[Image]) -> Turn | None:
    """Return the target turn: the last user messages in a row, text and pictures, and the answer.

    Without a picture of its own it says too little ("And the second one?"): then all that stands
    before the answer belongs to its key, earlier pictures too.
    """
    start, end = _target(messages)
    if not end:
        return None
    earlier: list[int] = []
    shown: list[int] = []
    for image in images:
        if image.message < end:
            (shown if image.message >= start else earlier).append(image.key)
    asked = _key(messages[start:end], shown) if shown else _key(messages[:end], earlier)
    answer, words = _answer(messages[end:])
    repeated = len(set(shown).intersection(earlier)) if earlier else 0
    return Turn(asked, answer, words, tuple(shown), repeated)


def _answer(messages: Sequence[Mapping[str, Any]]) -> tuple[int | None, int]:
    """Return key and words of what an assistant says in *messages*; None and 0 when it says nothing."""
    texts = [text for message in messages if message["role"] == "assistant" for text in _texts(message)]
    if not texts:
        return None, 0
    text = " ".join(texts).strip(_MARKS).casefold()
    return xxh3_64_intdigest(text.encode()), text.count(" ") + 1


def _target(messages: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return where the last user messages in a row start and end; 0 and 0 when there are none."""
    end = len(messages)
    while end and messages[end - 1]["role"] != "user":
        end -= 1
    start = end
    while start and messages[start - 1]["role"] == "user":
        start -= 1
    return start, end


def few_shot_answers(messages: Sequence[Mapping[str, Any]], images: Sequence[Image]) -> Sequence[Shot]:
    """Return the answers before the target turn, without those that `weight` leaves out of training."""
    shots = []
    start = 0
    target, _ = _target(messages)
    for position, message in enumerate(messages[:target]):
        if message["role"] == "assistant":
            if message.get("weight") != 0:
                shown = [image.key for image in images if start <= image.message <= position]
                turn = [one for one in messages[start : position + 1] if one["role"] != "system"]
                shots.append(Shot(position, _key(turn, shown)))
            start = position + 1
    return shots


def _key(messages: Sequence[Mapping[str, Any]], pictures: Sequence[int]) -> int:
    """Return a key of all that *messages* say and of the *pictures* in them."""
    said = [(message["role"], _texts(message)) for message in messages]
    return xxh3_64_intdigest(orjson.dumps((said, [f"{key:x}" for key in pictures])))


def _texts(message: Mapping[str, Any]) -> Sequence[str]:
    """Return all text of *message*, refusals and arguments of tool calls too."""
    content = message.get("content")
    if isinstance(content, str):
        texts = [content]
    else:
        texts = [part[part["type"]] for part in content or () if part["type"] != "image_url"]
    # On other messages than an assistant's these keys are unknown ones and may hold anything.
    if len(message) == 2 or message["role"] != "assistant":  # noqa: PLR2004 - role and content
        return texts
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    if message.get("function_call"):
        calls.append(message["function_call"])
    refusal = message.get("refusal")
    return [*texts, *([refusal] if refusal else []), *(call["arguments"] for call in calls)]
