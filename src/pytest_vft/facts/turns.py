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
    length; *images* are those of the turn, *repeated* how many of them an earlier turn shows, too.
    """

    key: int
    answer: int | None
    words: int
    images: tuple[int, ...]
    repeated: int


class Shot(NamedTuple):
    """An answer before the target turn that is trained on: its message, its key with its question."""

    position: int
    key: int


# The role of a message, and all text in it: of its parts, a refusal, the arguments of calls.
Said = tuple[str, Sequence[str]]


def target_turn(said: Sequence[Said], images: Sequence[Image]) -> Turn | None:
    """Return the target turn of what is *said*: the last user messages in a row, and the answer.

    Without an image of its own it says too little ("And the second one?"): then all that stands
    before the answer belongs to its key, earlier images too.
    """
    start, end = _target(said)
    if not end:
        return None
    shown: list[int] = []
    earlier: list[int] = []
    for message, _, key, _ in images:
        if message < end:
            (shown if message >= start else earlier).append(key)
    asked = _key(said[start:end], shown) if shown else _key(said[:end], earlier)
    answers: list[str] = []
    for role, texts in said[end:]:
        if role == "assistant":
            answers += texts
    answer = " ".join(answers).strip(_MARKS).casefold()
    return Turn(
        asked,
        xxh3_64_intdigest(answer.encode()) if answers else None,
        answer.count(" ") + 1,
        tuple(shown),
        len(set(shown).intersection(earlier)) if earlier else 0,
    )


def few_shot_answers(
    messages: Sequence[Mapping[str, Any]], said: Sequence[Said], images: Sequence[Image]
) -> Sequence[Shot]:
    """Return the answers before the target turn, without those that `weight` leaves out of training."""
    shots = []
    start = 0
    target, _ = _target(said)
    for position, message in enumerate(messages[:target]):
        if message["role"] == "assistant":
            if message.get("weight") != 0:
                shown = [image.key for image in images if start <= image.message <= position]
                turn = [one for one in said[start : position + 1] if one[0] != "system"]
                shots.append(Shot(position, _key(turn, shown)))
            start = position + 1
    return shots


def _target(said: Sequence[Said]) -> tuple[int, int]:
    """Return where the last user messages in a row start and end; 0 and 0 when there are none."""
    end = len(said)
    while end and said[end - 1][0] != "user":
        end -= 1
    start = end
    while start and said[start - 1][0] == "user":
        start -= 1
    return start, end


def _key(said: Sequence[Said], images: Sequence[int]) -> int:
    """Return a key of all that is *said* and of the *images* shown."""
    return xxh3_64_intdigest(orjson.dumps((said, list(map(hex, images)))))
