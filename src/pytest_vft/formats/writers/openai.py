"""Writing of OpenAI's formats: chats, and preferences with two answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pytest_vft.formats.base import ImagePart
from pytest_vft.formats.conversation import ChatTurn, Conversation, NotConvertedError
from pytest_vft.formats.writers.base import (
    BareWriter,
    FileShape,
    WrittenExample,
    count_losses,
    key_losses,
    with_refusal_as_text,
    with_system_first,
    without_tools,
)

# Losses by the keys of messages and examples that a provider may refuse.
_LOSSES = {"refusal": "refusals", "name": "name", "weight": "weight", "tools": "tools", "detail": "detail"}


class OpenAIWriter(BareWriter):
    """Writes {"messages": [...]}, with image_url parts."""

    has_preferences = False

    def write(self, conversation: Conversation, shape: FileShape) -> WrittenExample:
        """Return *conversation* as an example; another answer is lost."""
        losses = count_losses(conversation, "preferences")
        turns, lost = _in_shape(conversation.turns, shape)
        losses += lost + _dropped(conversation, shape)
        example: dict[str, Any] = {"messages": [openai_message(turn, shape) for turn in turns]}
        return WrittenExample(example | _beside(conversation, shape), losses)


class OpenAIPreferenceWriter(BareWriter):
    """Writes {"input": {"messages": [...]}, "preferred_output": [...], "non_preferred_output": [...]}."""

    has_preferences = True

    def write(self, conversation: Conversation, shape: FileShape) -> WrittenExample:
        """Return *conversation*, which must have another answer, as an example."""
        if not conversation.rejected:
            raise NotConvertedError("the example has one answer; expected two")
        losses = count_losses(conversation, "weight") + _dropped(conversation, shape)
        asked, lost = _in_shape(conversation.turns[: conversation.answer], shape)
        answers = conversation.turns[conversation.answer :], conversation.rejected
        preferred, other = (_preference_messages(answer, shape) for answer in answers)
        messages = _preference_messages(asked, shape)
        example = {
            "input": {"messages": messages, **_beside(conversation, shape)},
            "preferred_output": preferred,
            "non_preferred_output": other,
        }
        return WrittenExample(example, losses + lost)


def _preference_messages(turns: Sequence[ChatTurn], shape: FileShape) -> list[dict[str, Any]]:
    return [openai_message(_plain(turn, shape), shape) for turn in turns]


def _plain(turn: ChatTurn, shape: FileShape) -> ChatTurn:
    """Return *turn* of a preference, which has no weight; texts alone become one text if *shape* says so."""
    if shape.strings and turn.pieces and not turn.images and turn.refusal is None:
        turn = turn._replace(pieces=["\n".join(turn.texts)], in_parts=False)
    return turn._replace(trained=None)


def _beside(conversation: Conversation, shape: FileShape) -> dict[str, Any]:
    """Return the keys beside the messages."""
    beside = {"tools": list(conversation.tools)} if conversation.tools else {}
    beside |= conversation.others
    return {key: value for key, value in beside.items() if key not in shape.drops}


def _dropped(conversation: Conversation, shape: FileShape) -> Counter[str]:
    """Return what *conversation* has of the keys that are dropped."""
    kinds = [kind for key, kind in _LOSSES.items() if key in shape.drops]
    losses = count_losses(conversation, *kinds)
    return losses + key_losses(shape.drops & conversation.others.keys())


def _in_shape(turns: Sequence[ChatTurn], shape: FileShape) -> tuple[Sequence[ChatTurn], Counter[str]]:
    if "tools" in shape.drops:
        turns = without_tools(turns)
    if not shape.one_system:
        return turns, Counter()
    return with_system_first(turns)


def openai_message(turn: ChatTurn, shape: FileShape) -> dict[str, Any]:
    """Return *turn* as a message in OpenAI's format."""
    if "refusal" in shape.drops:
        turn = with_refusal_as_text(turn)._replace(refusal=None)
    message: dict[str, Any] = {"role": turn.role, "content": _content(turn, shape)}
    if turn.name is not None and "name" not in shape.drops:
        message["name"] = turn.name
    if turn.refusal is not None and not turn.refusal_in_part:
        message["refusal"] = turn.refusal
    if turn.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.calls
        ]
    if turn.call_id is not None:
        message["tool_call_id"] = turn.call_id
    if turn.trained is not None and "weight" not in shape.drops:
        message["weight"] = int(turn.trained)
    return message


def _content(turn: ChatTurn, shape: FileShape) -> str | list[dict[str, Any]] | None:
    pieces = turn.pieces
    refused = turn.refusal if turn.refusal_in_part else None
    if not pieces and refused is None:
        return [] if turn.in_parts and not turn.calls else None
    if isinstance(pieces[0] if pieces else None, str) and len(pieces) == 1 and refused is None:
        text = pieces[0]
        if isinstance(text, str) and not (shape.parts or turn.in_parts):
            return text
    parts = [openai_part(piece, shape) for piece in pieces]
    return [*parts, {"type": "refusal", "refusal": refused}] if refused is not None else parts


def openai_part(piece: str | ImagePart, shape: FileShape) -> dict[str, Any]:
    """Return *piece* as a content part in OpenAI's format."""
    if isinstance(piece, str):
        return {"type": "text", "text": piece}
    image = {"url": piece.reference}
    if piece.detail not in (None, "auto") and "detail" not in shape.drops:
        image["detail"] = piece.detail
    return {"type": "image_url", "image_url": image}
