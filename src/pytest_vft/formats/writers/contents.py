"""Writing of formats with a system text beside the messages and two roles: Gemini's and Bedrock's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pytest_vft.formats.base import ImagePart
from pytest_vft.formats.conversation import ChatTurn, Conversation, NotConvertedError, Piece
from pytest_vft.formats.writers.base import (
    BareWriter,
    FileShape,
    WrittenExample,
    count_losses,
    merged,
    with_refusal_as_text,
    with_system_first,
)
from pytest_vft.formats.writers.tagged import check_tags

_LOST = ("weight", "tools", "refusals", "name", "other keys")
_LEVELS = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}
_MEDIA_TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_MEDIA_TYPES |= {"gif": "image/gif", "heic": "image/heic", "heif": "image/heif"}
# The schemaVersion that Amazon's own validator requires (amzn-nova-forge 1.4.10, read 2026-11-25).
_SCHEMA_VERSION = "bedrock-conversation-2024"


class GeminiWriter(BareWriter):
    """Writes {"systemInstruction": {...}, "contents": [...]}."""

    has_preferences = False

    def write(self, conversation: Conversation, shape: FileShape) -> WrittenExample:  # noqa: ARG002 - Writer
        """Return *conversation* as an example."""
        system, turns, losses = _two_roles(conversation)
        losses += count_losses(conversation, *_LOST, "preferences")
        roles = {"assistant": "model"}
        contents = [
            {"role": roles.get(turn.role, turn.role), "parts": list(map(_gemini_part, turn.pieces))}
            for turn in turns
        ]
        example: dict[str, Any] = {"contents": contents}
        if system:
            texts = [{"text": text} for text in system]
            example = {"systemInstruction": {"role": "system", "parts": texts}} | example
        return WrittenExample(example, losses)


class BedrockWriter(BareWriter):
    """Writes {"schemaVersion": ..., "system": [...], "messages": [...]}, the form of Converse."""

    has_preferences = True

    def write(self, conversation: Conversation, shape: FileShape) -> WrittenExample:
        """Return *conversation* as an example."""
        check_tags(conversation)
        system, turns, losses = _two_roles(conversation)
        losses += count_losses(conversation, *_LOST, "detail")
        if shape.system and not system:
            raise NotConvertedError(
                "the example has no system message, but others have one; add one to each, or remove all"
            )
        messages = [_bedrock_message(turn, shape) for turn in turns]
        if conversation.rejected:
            if turns[-1].role != "assistant" or len(conversation.rejected) > 1:
                raise NotConvertedError("an answer has several messages; expected a text")
            answers = {"preferred": messages.pop(), "non-preferred": None}
            answers["non-preferred"] = _bedrock_message(conversation.rejected[0], shape)
            candidates = [
                {"content": answer["content"], "preferenceLabel": label}
                for label, answer in answers.items()
                if answer
            ]
            messages.append({"role": "assistant", "candidates": candidates})
        example: dict[str, Any] = {"schemaVersion": _SCHEMA_VERSION}
        if system:
            example["system"] = [{"text": text} for text in system]
        return WrittenExample(example | {"messages": messages}, losses)


def _two_roles(conversation: Conversation) -> tuple[Sequence[str], Sequence[ChatTurn], Counter[str]]:
    """Return the system texts of *conversation*, its turns of user and assistant, and what is lost."""
    turns, late = with_system_first(list(map(with_refusal_as_text, conversation.turns)))
    system = turns.pop(0) if turns and turns[0].role == "system" else None
    if system and system.images:
        raise NotConvertedError("a system message has an image")
    said = [turn for turn in turns if turn.pieces or not turn.calls]  # the calls of tools are lost
    as_user = [turn._replace(role="user") if turn.role == "tool" else turn for turn in said]
    found, lost = merged(as_user)
    return system.texts if system else (), found, lost + late


def _gemini_part(piece: Piece) -> dict[str, Any]:
    if isinstance(piece, str):
        return {"text": piece}
    if piece.reference[:5].lower() == "data:":
        head, _, payload = piece.reference.partition(",")
        inline = {"mimeType": head[5:].partition(";")[0], "data": payload}
        part: dict[str, Any] = {"inlineData": inline}
    else:
        part = {"fileData": {"mimeType": _media_type(piece), "fileUri": piece.reference}}
    if piece.detail in _LEVELS:
        part["mediaResolution"] = {"level": _LEVELS[piece.detail]}
    return part


def _media_type(image: ImagePart) -> str:
    """Return the media type of *image* by the end of its name.

    Raises NotConvertedError for another name.
    """
    path = image.reference.partition("?")[0]
    suffix = path.rpartition(".")[2].lower()
    if suffix not in _MEDIA_TYPES:
        raise NotConvertedError("the name of an image does not tell its format, such as .png")
    return _MEDIA_TYPES[suffix]


def _bedrock_message(turn: ChatTurn, shape: FileShape) -> dict[str, Any]:
    return {"role": turn.role, "content": [_bedrock_part(piece, shape) for piece in turn.pieces]}


def _bedrock_part(piece: Piece, shape: FileShape) -> dict[str, Any]:
    if isinstance(piece, str):
        return {"text": piece}
    if piece.reference[:5].lower() == "data:":
        head, _, payload = piece.reference.partition(",")
        media_type, source = head[5:].partition(";")[0], {"bytes": payload}
        return {"image": {"format": media_type.partition("/")[2], "source": source}}
    location = {"uri": piece.reference}
    if shape.bucket_owner:
        location["bucketOwner"] = shape.bucket_owner
    media_type = _media_type(piece)
    return {"image": {"format": media_type.partition("/")[2], "source": {"s3Location": location}}}
