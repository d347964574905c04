"""Writing of formats with a system text beside the messages and two roles: Gemini's and Bedrock's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pytest_vft.formats.base import ImagePart
from pytest_vft.formats.conversation import ChatTurn, Conversation, NotConvertedError, Piece
from pytest_vft.formats.writers.base import (
    BareWriter,
    FileShape,
    WrittenExample,
    count_losses,
    with_refusal_as_text,
    with_system_first,
    without_tools,
)
from pytest_vft.formats.writers.tagged import check_tags
from pytest_vft.formats.writers.tools import (
    arguments_of,
    bedrock_tools,
    check_ids,
    gemini_tools,
    named_results,
    result_texts,
)

# A role and the parts of a message.
Message = tuple[str, list[dict[str, Any]]]
WriteParts = Callable[[ChatTurn], list[dict[str, Any]]]

_LOST = ("weight", "refusals", "name", "other keys")
_LEVELS = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}
_MEDIA_TYPES = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
_MEDIA_TYPES |= {"gif": "image/gif", "heic": "image/heic", "heif": "image/heif"}
# Tags that Amazon reserves: https://docs.aws.amazon.com/nova/latest/userguide/fine-tune-prepare-data-understanding.html
_RESERVED = ("<image>", "<video>")
# The schemaVersion that Amazon's own validator requires (amzn-nova-forge 1.4.10, read 2026-11-25).
_SCHEMA_VERSION = "bedrock-conversation-2024"


class GeminiWriter(BareWriter):
    """Writes {"systemInstruction": {...}, "contents": [...], "tools": [...]}.

    The tuning page shows calls without ids, so results follow in the order of their calls.
    """

    has_preferences = False

    def write(self, conversation: Conversation, shape: FileShape) -> WrittenExample:
        """Return *conversation* as an example."""
        system, turns, losses = _two_roles(conversation, shape)
        losses += count_losses(conversation, *_LOST, "preferences")
        calls = [call for turn in turns for call in turn.calls]
        losses["ids"] += sum(call.id != f"call_{number}" for number, call in enumerate(calls, 1))
        roles = {"assistant": "model"}
        contents, merged = _messages(named_results(turns), _gemini_parts)
        losses += merged
        example: dict[str, Any] = {
            "contents": [{"role": roles.get(role, role), "parts": parts} for role, parts in contents]
        }
        if system:
            texts = [{"text": text} for text in system]
            example = {"systemInstruction": {"role": "system", "parts": texts}} | example
        if conversation.tools and "tools" not in shape.drops:
            example["tools"], lost = gemini_tools(conversation.tools)
            losses += lost
        return WrittenExample(example, +losses)


class BedrockWriter(BareWriter):
    """Writes {"schemaVersion": ..., "system": [...], "toolConfig": {...}, "messages": [...]}, as Converse."""

    has_preferences = True

    def write(self, conversation: Conversation, shape: FileShape) -> WrittenExample:
        """Return *conversation* as an example."""
        check_tags(conversation, _RESERVED)
        system, turns, losses = _two_roles(conversation, shape)
        losses += count_losses(conversation, *_LOST, "detail")
        if shape.system and not system:
            raise NotConvertedError(
                "the example has no system message, but others have one; add one to each, or remove all"
            )
        check_ids(turns)
        parts = _bedrock_parts(shape)
        written, merged = _messages(turns, parts)
        losses += merged
        messages: list[dict[str, Any]] = [{"role": role, "content": content} for role, content in written]
        if conversation.rejected:
            rejected = conversation.rejected[0]
            if (
                turns[-1].role != "assistant"
                or len(conversation.rejected) > 1
                or turns[-1].calls
                or rejected.calls
            ):
                raise NotConvertedError("an answer has several messages or calls a tool; expected a text")
            answers = {"preferred": messages.pop()["content"], "non-preferred": parts(rejected)}
            candidates = [{"content": one, "preferenceLabel": label} for label, one in answers.items()]
            messages.append({"role": "assistant", "candidates": candidates})
        example: dict[str, Any] = {"schemaVersion": _SCHEMA_VERSION}
        if system:
            example["system"] = [{"text": text} for text in system]
        if conversation.tools and "tools" not in shape.drops:
            tools, lost = bedrock_tools(conversation.tools)
            example["toolConfig"] = {"tools": tools}
            losses += lost
        return WrittenExample(example | {"messages": messages}, losses)


def _two_roles(
    conversation: Conversation, shape: FileShape
) -> tuple[Sequence[str], Sequence[ChatTurn], Counter[str]]:
    """Return the system texts of *conversation*, its other turns, and what is lost.

    If tools are dropped, so are their calls and results.
    """
    turns, losses = with_system_first(list(map(with_refusal_as_text, conversation.turns)))
    system = turns.pop(0) if turns and turns[0].role == "system" else None
    if system and system.images:
        raise NotConvertedError("a system message has an image")
    if "tools" in shape.drops:
        losses += count_losses(conversation, "tools")
        turns = [turn._replace(role="user") if turn.role == "tool" else turn for turn in without_tools(turns)]
    return system.texts if system else (), turns, losses


def _messages(turns: Iterable[ChatTurn], write: WriteParts) -> tuple[list[Message], Counter[str]]:
    """Return the messages of *turns*, each a role and its parts, with turns of one role in a row as one.

    Results of tools are parts of a message of the user. What is lost is returned, too.
    """
    found: list[Message] = []
    losses: Counter[str] = Counter()
    before = ""
    for turn in turns:
        role = "user" if turn.role == "tool" else turn.role
        if found and found[-1][0] == role:
            found[-1][1].extend(write(turn))
            losses["turns"] += before == turn.role != "tool"
        else:
            found.append((role, write(turn)))
        before = turn.role
    return found, +losses


def _gemini_parts(turn: ChatTurn) -> list[dict[str, Any]]:
    if turn.role == "tool":
        output = "\n".join(result_texts(turn))
        return [{"functionResponse": {"name": turn.name, "response": {"output": output}}}]
    calls = [{"functionCall": {"name": call.name, "args": arguments_of(call)}} for call in turn.calls]
    return [*map(_gemini_part, turn.pieces), *calls]


def _bedrock_parts(shape: FileShape) -> WriteParts:
    """Return what writes a turn as parts in a file with *shape*."""

    def parts(turn: ChatTurn) -> list[dict[str, Any]]:
        if turn.role == "tool":
            content = [{"text": text} for text in result_texts(turn)]
            return [{"toolResult": {"toolUseId": turn.call_id, "content": content}}]
        calls = [
            {"toolUse": {"toolUseId": call.id, "name": call.name, "input": arguments_of(call)}}
            for call in turn.calls
        ]
        return [*(_bedrock_part(piece, shape) for piece in turn.pieces), *calls]

    return parts


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
