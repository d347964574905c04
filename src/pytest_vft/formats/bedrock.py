"""The format of Amazon Bedrock's Converse API: messages whose parts have no type, system texts beside them.

Sources: https://docs.aws.amazon.com/nova/latest/userguide/fine-tune-prepare-data-understanding.html and
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html, read 2026-11-29.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_vft.formats.base import Fault, KeyPath
from pytest_vft.formats.forms import ANYTHING, TEXT_OR_NULL, Form, FormsFormat, IsFaulty, Messages, Schema
from pytest_vft.formats.pieces import (
    MEDIA,
    OTHER,
    Piece,
    call_piece,
    image_piece,
    json_text,
    keys_besides,
    read_turn,
    result_message,
    text_piece,
)
from pytest_vft.formats.written import WrittenMessage

_ROLES = ("user", "assistant")
_LABELS = ("preferred", "non-preferred")
_IMAGES = "images belong in the content of a user message, as image parts"
_OBJECT: Schema = {"type": ["object", "null"]}
_KINDS = (
    *("text", "image", "video", "document", "toolUse", "toolResult", "reasoningContent"),
    *("cachePoint", "guardContent"),
)
_MEDIA = ("video", "document")
_SOURCE: Schema = {
    "type": "object",
    "properties": {
        "bytes": TEXT_OR_NULL,
        "s3Location": {
            **_OBJECT,
            "required": ["uri"],
            "properties": {"uri": {"type": "string"}, "bucketOwner": TEXT_OR_NULL},
        },
    },
    "anyOf": [
        {"required": ["bytes"], "properties": {"bytes": {"type": "string"}}},
        {"required": ["s3Location"], "properties": {"s3Location": {"type": "object"}}},
    ],
    "needs": "s3Location and no bytes",
}
_IMAGE: Schema = {
    **_OBJECT,
    "required": ["format", "source"],
    "properties": {"format": {"enum": ["png", "jpeg", "gif", "webp"]}, "source": _SOURCE},
}
_PART: Schema = {
    "type": "object",
    "properties": {
        **dict.fromkeys(_KINDS, _OBJECT),
        "text": TEXT_OR_NULL,
        "image": _IMAGE,
        "toolUse": {**_OBJECT, "required": ["toolUseId", "name", "input"]},
        "toolResult": {
            **_OBJECT,
            "required": ["toolUseId", "content"],
            "properties": {
                "content": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"text": TEXT_OR_NULL, "image": _IMAGE}},
                }
            },
        },
    },
    "anyOf": [{"required": [kind]} for kind in _KINDS],
    "needs": "text, image, toolUse or toolResult",
}
_PARTS: Schema = {"type": "array", "items": _PART}
_ANSWERS: Schema = {
    "type": ["array", "null"],
    "minItems": 2,
    "items": {
        "type": "object",
        "required": ["content", "preferenceLabel"],
        "properties": {"content": _PARTS, "preferenceLabel": {"enum": list(_LABELS)}},
    },
}
_MESSAGE: Schema = {
    "type": "object",
    "required": ["role"],
    "properties": {"role": {"enum": list(_ROLES)}, "candidates": _ANSWERS},
    "if": {"required": ["candidates"], "properties": {"candidates": {"type": "array"}}},
    "else": {"required": ["content"], "properties": {"content": _PARTS}},
}
_SYSTEM: Schema = {
    "type": ["array", "null"],
    "items": {"type": "object", "properties": {"text": TEXT_OR_NULL}},
}


def _read(example: Mapping[str, Any], is_faulty: IsFaulty) -> Messages:
    messages = _system(example.get("system"), is_faulty)
    listed = example.get("messages")
    turns = listed if isinstance(listed, list) else []
    alternatives = divided = 0
    for number, turn in enumerate(turns):
        place = ("messages", number)
        if isinstance(turn, dict) and turn.get("candidates") and not is_faulty(place):
            answers = list(_candidates(turn, place, is_faulty))
            alternatives = len(answers) - 1 if number == len(turns) - 1 else 0
            messages += answers
        else:
            written = _turn(turn, place, is_faulty)
            divided += len(written) - bool(written)
            messages += written
    return Messages(messages, alternatives, divided)


def _system(blocks: Any, is_faulty: IsFaulty) -> list[WrittenMessage]:
    """Return the message with the texts of *blocks*, if there are any."""
    place = ("system",)
    if is_faulty(place):
        return [WrittenMessage("", None, place, {}, sound=False)]
    texts = [text_piece(block["text"]) for block in blocks or () if block.get("text") is not None]
    unknown = [
        fault
        for number, block in enumerate(blocks or ())
        for fault in keys_besides(block, ("text", "cachePoint", "guardContent"), (*place, number), _IMAGES)
    ]
    source = {"role": "system", "content": texts}
    return [WrittenMessage("system", texts, place, source, unknown_keys=unknown)] if blocks else []


def _candidates(turn: Mapping[str, Any], place: KeyPath, is_faulty: IsFaulty) -> Iterator[WrittenMessage]:
    """Yield the answers of *turn*, the preferred one first."""
    answers = list(enumerate(turn["candidates"]))
    answers.sort(key=lambda one: _LABELS.index(one[1]["preferenceLabel"]))
    for number, answer in answers:
        at = (*place, "candidates", number)
        known = ("content", "preferenceLabel")
        yield from _turn({"role": turn["role"], **answer}, at, is_faulty, known)


def _turn(
    turn: Any, place: KeyPath, is_faulty: IsFaulty, known: Sequence[str] = ("content", "candidates")
) -> list[WrittenMessage]:
    if not isinstance(turn, dict) or is_faulty(place):
        return [WrittenMessage("", None, place, turn, sound=False)]
    return read_turn(
        turn["role"],
        turn,
        place,
        is_faulty,
        key="content",
        read_part=_part,
        unknown=[*keys_besides(turn, ("role", *known), place, _IMAGES), *_unread(turn["content"], place)],
    )


def _unread(parts: Sequence[Mapping[str, Any]], place: KeyPath) -> Iterator[Fault]:
    """Yield the unknown keys of *parts*, the content of the message at *place*, and of their images."""
    for number, part in enumerate(parts):
        at = (*place, "content", number)
        yield from keys_besides(part, _KINDS, at, _IMAGES)
        image = part.get("image")
        if image:
            source, at = image["source"], (*at, "image")
            yield from keys_besides(image, ("format", "source"), at, _IMAGES)
            yield from keys_besides(source, ("bytes", "s3Location"), (*at, "source"), _IMAGES)
            location = (*at, "source", "s3Location")
            yield from keys_besides(source.get("s3Location"), ("uri", "bucketOwner"), location, _IMAGES)


def _part(part: Mapping[str, Any], place: KeyPath) -> Piece:
    if part.get("text") is not None:
        return text_piece(part["text"])
    if part.get("image") is not None:
        return _image(part["image"])
    if part.get("toolUse") is not None:
        call = part["toolUse"]
        return call_piece(call["toolUseId"], call["name"], call["input"])
    if part.get("toolResult") is not None:
        result = part["toolResult"]
        content: Any = [_result(one) for one in result["content"]]
        if len(content) == 1 and content[0]["type"] == "text":
            content = content[0]["text"]
        others = {key: result[key] for key in result.keys() - {"toolUseId", "content"}}
        return result_message(result["toolUseId"], content, (*place, "toolResult"), **others)
    return MEDIA if any(part.get(kind) is not None for kind in _MEDIA) else OTHER


def _result(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *part* of the result of a tool: a text, an image, or JSON as a text."""
    piece = text_piece(json_text(part["json"])) if part.get("json") is not None else _part(part, ())
    return OTHER if isinstance(piece, WrittenMessage) else piece


def _image(image: Mapping[str, Any]) -> Piece:
    location = image["source"].get("s3Location")
    if location:
        owner = location.get("bucketOwner")
        others = {"bucketOwner": owner} if owner else {}
        return image_piece(location["uri"], format=image["format"], **others)
    return image_piece(f"data:image/{image['format']};base64,{image['source'].get('bytes') or ''}")


class Bedrock(FormsFormat):
    """{"schemaVersion": ..., "system": [...], "messages": [{"role": ..., "content": [{"text": ...}]}]}."""

    name = "bedrock"

    def __init__(self) -> None:
        super().__init__(
            [
                Form(
                    told_by=["messages"],
                    required=["messages"],
                    consumed=["system", "messages"],
                    properties={
                        "schemaVersion": TEXT_OR_NULL,
                        "system": _SYSTEM,
                        "messages": {"type": "array", "minItems": 1, "items": _MESSAGE},
                        **dict.fromkeys(("toolConfig", "inferenceConfig"), ANYTHING),
                    },
                    read=_read,
                    images=(),
                    tags=False,
                )
            ]
        )
