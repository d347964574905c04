"""Turns of an example: its last question with the answer, and the few-shot answers before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson
from xxhash import xxh3_64_intdigest

from pytest_vft.facts.image import Image
from pytest_vft.formats.base import MessageRow
from pytest_vft.formats.chat import Bounds
from pytest_vft.model import from_tuple

# Stripped from both ends before answers are compared, so that "Yes." equals "yes".
_MARKS = " \t\r\n.!"


class Turn(NamedTuple):
    """The target turn of an example and the answer to it, as hashes of their texts and images.

    *answer* is None if there is none; case and punctuation at its ends do not count. *words* is the
    length of the answer; *images* are the keys of the turn's images, of which *repeated* appear in an
    earlier turn as well.
    """

    key: int
    answer: int | None
    words: int
    images: tuple[int, ...]
    repeated: int


_turn = from_tuple(Turn)


class Shot(NamedTuple):
    """An answer before the target turn that is trained on: the position of its message, and a key.

    The key is a hash of the answer with its question.
    """

    position: int
    key: int


# The role of a message, and all text in it: of its parts, a refusal, the arguments of calls.
Said = tuple[str, Sequence[str]]


def measure_turn(bounds: Bounds, said: Sequence[Said], images: Sequence[Image]) -> Turn:
    """Return the target turn with its answer; *said* holds all messages, *bounds* those of the turn.

    A turn without an image of its own ("And the second one?") has the same key only if everything
    before its answer is the same, earlier images included.
    """
    start, end = bounds
    shown: list[int] = []
    earlier: list[int] = []
    for message, _, key, _, _ in images:
        if message < end:
            (shown if message >= start else earlier).append(key)
    asked = _key(said[start:end], shown) if shown else _key(said[:end], earlier)
    answers: list[str] = []
    for role, texts in said[end:]:
        if role == "assistant":
            answers += texts
    answer = " ".join(answers).strip(_MARKS).casefold()
    return _turn(
        (
            asked,
            xxh3_64_intdigest(answer.encode()) if answers else None,
            answer.count(" ") + 1,
            tuple(shown),
            len(set(shown).intersection(earlier)) if earlier else 0,
        )
    )


def few_shot_answers(
    bounds: Bounds, rows: Sequence[MessageRow], said: Sequence[Said], images: Sequence[Image]
) -> Sequence[Shot]:
    """Return the answers before the target turn, except those with `weight` 0, which are not trained on."""
    shots = []
    start = 0
    for position, role, _, _, _, source, _ in rows[: bounds[0]]:
        if role == "assistant":
            if source.get("weight") != 0:
                shown = [image.key for image in images if start <= image.message <= position]
                turn = [one for one in said[start : position + 1] if one[0] != "system"]
                shots.append(Shot(position, _key(turn, shown)))
            start = position + 1
    return shots


def _key(said: Sequence[Said], images: Sequence[int]) -> int:
    """Return a hash of the texts of *said* and the keys of *images*."""
    return xxh3_64_intdigest(orjson.dumps((said, list(map(hex, images)))))
