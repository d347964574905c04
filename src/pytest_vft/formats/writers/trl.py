"""Writing of the formats of TRL: contents of parts, a placeholder for each image, images in a list beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_vft.formats.conversation import ChatTurn, Conversation, NotConvertedError
from pytest_vft.formats.writers.base import (
    BareWriter,
    FileShape,
    WrittenExample,
    check_answers,
    count_losses,
    with_refusal_as_text,
)
from pytest_vft.formats.writers.openai import openai_message
from pytest_vft.formats.writers.tagged import listed_images, only_last_is_trained

_SHAPE = FileShape(parts=True)


class TrlWriter(BareWriter):
    """Writes messages, a prompt with its completion, or a prompt with two answers."""

    has_preferences = True
    has_image_list = True

    def write(self, conversation: Conversation, shape: FileShape) -> WrittenExample:
        """Return *conversation* as an example."""
        losses = count_losses(conversation, "detail", "name", "refusals", "other keys")
        if conversation.rejected or not only_last_is_trained(conversation.turns, shape):
            losses += count_losses(conversation, "weight")
        # SFT removes the column of the whole file if an example has images.
        if not conversation.rejected and (shape.images or listed_images(conversation)):
            losses += count_losses(conversation, "tools")
        check_answers(conversation, shape)
        messages = list(map(_message, conversation.turns))
        example: dict[str, Any] = {"messages": messages}
        if conversation.rejected:
            end = conversation.answer
            rejected = list(map(_message, conversation.rejected))
            example = {"prompt": messages[:end], "chosen": messages[end:], "rejected": rejected}
        elif shape.last_answer:
            if conversation.turns[-1].role != "assistant":
                raise NotConvertedError("the example has no answer, and the file is trained on answers only")
            example = {"prompt": messages[:-1], "completion": messages[-1:]}
        if shape.tools:  # what is lost is not written: a check would report it
            example["tools"] = [] if losses["tools"] else list(conversation.tools)
        return WrittenExample(example | {"images": listed_images(conversation)}, +losses)


def _message(turn: ChatTurn) -> dict[str, Any]:
    plain = with_refusal_as_text(turn)._replace(refusal=None, trained=None, name=None)
    message = openai_message(plain, _SHAPE)
    if message["content"] is not None:
        message["content"] = [_part(part) for part in message["content"]]
    return message


def _part(part: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "image"} if part["type"] == "image_url" else part
