"""The interface of writers, and what an example may lose when another format is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, NamedTuple, Protocol

from pytest_vft.formats.conversation import ChatTurn, Conversation, NotConvertedError
from pytest_vft.formats.unread import KEY

# Losses that change training, which are refused unless the user allows them.
TRAINING_LOSSES = ("images", "examples", "weight", "tools", "roles", "refusals", "preferences")
_AUTO = (None, "auto")
_USUAL = ChatTurn("", [])[3:]  # what most turns have beside role, pieces and form
# Losses that do not, beside those of keys, "key NAME"; "other keys" are more than can be named, and "turns"
# messages of one role that become one message, and "ids" those of calls.
OTHER_LOSSES = ("name", "detail", "developer", "turns", "ids", "other keys")


@dataclass(frozen=True)
class FileShape:
    """What all examples of a file have in common.

    With *parts* all contents are lists, with *strings* those of preferences without images are strings, and
    with *one_system* a system message is the first message. *drops*
    are keys that the provider refuses or does not use. With *last_answer*
    only the last answer of each example is trained on. *tools*, *preferences* and *system* say that some
    example has tools, another answer or a system message. *bucket_owner* is the account that owns the bucket
    of the images. With *images*, some example has an image. *ordered* examples start with a question and end
    with an answer.
    """

    parts: bool = False
    strings: bool = False
    one_system: bool = False
    drops: frozenset[str] = frozenset()
    last_answer: bool = False
    tools: bool = False
    preferences: bool = False
    system: bool = False
    bucket_owner: str | None = None
    images: bool = False
    ordered: bool = False


class WrittenExample(NamedTuple):
    """An example in its new format, and what of the conversation it does not have, by kind."""

    example: dict[str, Any]
    losses: Mapping[str, int]


class Writer(Protocol):
    """Writes examples of one data format."""

    @property
    def has_preferences(self) -> bool:
        """Whether an example may have another answer."""

    @property
    def has_image_list(self) -> bool:
        """Whether the images of an example are in a list beside its messages."""

    def write(self, conversation: Conversation, shape: FileShape) -> WrittenExample:
        """Return *conversation* as an example of a file with *shape*.

        Raises NotConvertedError if the format cannot have it.
        """

    def side_files(self, files: Sequence[str], shape: FileShape) -> Mapping[str, Any]:
        """Return the JSON values of files that a trainer needs beside *files*, by name."""

    def advice(self, shape: FileShape) -> Sequence[str]:
        """Return what a trainer must be told to train on files with *shape*."""


class BareWriter:
    """A writer whose files need no others beside them, and no advice."""

    has_image_list = False

    def side_files(self, files: Sequence[str], shape: FileShape) -> Mapping[str, Any]:  # noqa: ARG002 - Writer
        """Return no files."""
        return {}

    def advice(self, shape: FileShape) -> Sequence[str]:  # noqa: ARG002 - Writer
        """Return no advice."""
        return ()


def count_losses(conversation: Conversation, *kinds: str) -> Counter[str]:
    """Return how much *conversation* has of each of *kinds*, which its new format does not have."""
    found: Counter[str] = Counter()
    if conversation.rejected:
        found["preferences"] = 1
    if conversation.tools:
        found["tools"] = 1
    for turn in conversation.everything:
        if turn[3:] != _USUAL:
            found.update(_kinds(turn))
        for piece in turn.pieces:
            if not isinstance(piece, str) and piece.detail not in _AUTO:
                found["detail"] += 1
    if found.get("tools"):  # of an example, however many calls it has
        found["tools"] = 1
    lost = Counter({kind: found[kind] for kind in kinds if found[kind]}) if found else found
    if conversation.others and "other keys" in kinds:
        lost += key_losses(conversation.others)
    return lost


def key_losses(keys: Iterable[str]) -> Counter[str]:
    """Return the losses of *keys*, each of a kind of its own."""
    return Counter(f"{KEY}{key}" for key in keys)


def _kinds(turn: ChatTurn) -> Iterator[str]:
    """Yield a kind for each thing in *turn*, beside texts and images, that a format may not have."""
    if turn.trained is False:
        yield "weight"
    if turn.name is not None:
        yield "name"
    if turn.refusal is not None:
        yield "refusals"
    if turn.calls:
        yield "tools"


def with_refusal_as_text(turn: ChatTurn) -> ChatTurn:
    """Return *turn* with its refusal, if any, as a text: what is written if this loss is allowed."""
    return turn._replace(pieces=[*turn.pieces, turn.refusal]) if turn.refusal else turn


def without_tools(turns: Sequence[ChatTurn]) -> list[ChatTurn]:
    """Return *turns* without calls of tools, messages of nothing else, and the results of the calls.

    What an answer says before a call and after it becomes one answer.
    """
    if not any(turn.calls for turn in turns):
        return list(turns)
    said: list[ChatTurn] = []
    has_called = False
    for turn in turns:
        if turn.role == "tool" or (turn.calls and not turn.pieces):
            continue
        if has_called and turn.role == "assistant":
            said[-1] = said[-1]._replace(pieces=[*said[-1].pieces, *turn.pieces])
        else:
            said.append(turn._replace(calls=()))
        has_called = bool(turn.calls)
    return said


def with_system_first(turns: Sequence[ChatTurn]) -> tuple[list[ChatTurn], Counter[str]]:
    """Return *turns* with one system message, which is first, and what is lost."""
    systems = [turn for turn in turns if turn.role == "system"]
    if not systems:
        return list(turns), Counter()
    if len(systems) == 1 and turns[0] is systems[0]:
        return list(turns), Counter()
    leading = len(list(takewhile(lambda turn: turn.role == "system", turns)))
    one = systems[0]._replace(pieces=[piece for turn in systems for piece in turn.pieces])
    others = (turn for turn in turns if turn.role != "system")
    return [one, *others], +Counter(roles=len(systems) - leading, turns=max(leading - 1, 0))


def merged(turns: Sequence[ChatTurn]) -> tuple[list[ChatTurn], Counter[str]]:
    """Return *turns* with messages of one role in a row as one message, and what is lost."""
    found: list[ChatTurn] = []
    losses: Counter[str] = Counter()
    for turn in turns:
        last = found[-1] if found else None
        if last is None or last.role != turn.role or last.calls or turn.calls:
            found.append(turn)
            continue
        losses["turns"] += 1
        losses["weight"] += last.trained is not False and turn.trained is False
        losses["weight"] += last.trained is False and turn.trained is not False
        found[-1] = last._replace(pieces=[*last.pieces, *turn.pieces])
    return found, +losses if losses else losses


def check_answers(conversation: Conversation, shape: FileShape) -> None:
    """Raise NotConvertedError for an example with one answer in a file of examples with two."""
    if shape.preferences and not conversation.rejected:
        raise NotConvertedError("the example has one answer; expected two, as in other examples")
