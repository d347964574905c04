"""The target turn of an example with its answer, and the few-shot answers before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson
from xxhash import xxh3_64_intdigest

from pytest_vft.facts.image import Image
from pytest_vft.formats.base import Chat
from pytest_vft.formats.chat import Bounds
from pytest_vft.tuples import from_tuple

# Stripped from both ends before answers are compared, so that "Yes." equals "yes".
_PUNCTUATION = " \t\r\n.!"

# The role of a message and all its texts: of parts, a refusal, the arguments of calls.
RoleTexts = tuple[str, Sequence[str]]


class Turn(NamedTuple):
    """The target turn of an example and its answer, as hashes of texts and images.

    *answer* is None if there is none; case and punctuation at its ends are ignored. *words* is the
    length of the answer; *images* are the keys of the images that the turn is about: its own, of which
    *repeated* also appear in an earlier turn, or without any those of the last message that has some.
    """

    key: int
    answer: int | None
    words: int
    images: tuple[int, ...]
    repeated: int


_turn = from_tuple(Turn)


class Shot(NamedTuple):
    """A few-shot answer that is trained on: position of its message, and a hash with its question."""

    position: int
    key: int


def measure_turn(bounds: Bounds, texts: Sequence[RoleTexts], images: Sequence[Image]) -> Turn:
    """Return the target turn with its answer; *texts* holds all messages, *bounds* those of the turn.

    A turn without images of its own ("And the second one?") has the same key only if everything before
    its answer is the same, earlier images included.
    """
    start, end = bounds
    shown: list[int] = []
    earlier: list[int] = []
    for message, _, key, _, _ in images:
        if message < end:
            (shown if message >= start else earlier).append(key)
    question = _key(texts[start:end], shown) if shown else _key(texts[:end], earlier)
    answers: list[str] = []
    for role, parts in texts[end:]:
        if role == "assistant":
            answers += parts
    answer = " ".join(answers).strip(_PUNCTUATION).casefold()
    answer_key = xxh3_64_intdigest(answer.encode()) if answers else None
    repeated = len(set(shown).intersection(earlier)) if earlier else 0
    about = shown or (_last_shown(images, start) if earlier else ())
    return _turn((question, answer_key, answer.count(" ") + 1, tuple(about), repeated))


def _last_shown(images: Sequence[Image], start: int) -> Sequence[int]:
    """Return the keys of the images of the last message before *start* that has some."""
    last = max(image.message for image in images if image.message < start)
    return [image.key for image in images if image.message == last]


def few_shot_answers(
    bounds: Bounds, chat: Chat, texts: Sequence[RoleTexts], images: Sequence[Image]
) -> Sequence[Shot]:
    """Return the answers of *chat* before the target turn, except those that are not trained on.

    Of an example with another answer, only these two answers are trained on.
    """
    if chat.alternatives:
        return ()
    shots = []
    start = 0
    for position, role, _, _, _, source, _, _ in chat.rows[: bounds[0]]:
        if role == "assistant":
            is_trained = source.get("weight") != 0 and source.get("loss") != 0
            if is_trained and position >= chat.read_only:
                shown = [image.key for image in images if start <= image.message <= position]
                turn = [message for message in texts[start : position + 1] if message[0] != "system"]
                shots.append(Shot(position, _key(turn, shown)))
            start = position + 1
    return shots


def _key(texts: Sequence[RoleTexts], images: Sequence[int]) -> int:
    return xxh3_64_intdigest(orjson.dumps((texts, list(map(hex, images)))))
