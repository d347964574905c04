"""The format of Gemini on Vertex AI: contents with parts, a system instruction beside them.

Keys are in camel case or with underscores, as protocol buffers read JSON.

Sources: https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/tuning/image and
https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference, read 2026-11-29.
Calls: https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/tuning/function-calling, read
2026-11-30.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
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

_ROLES = {"user": "user", "model": "assistant", "function": "user"}
_DEFAULT_ROLE = "user"  # the service's own, by google.genai.types.Content (google-genai 3.6.1)
_RESULT = frozenset({"id", "name", "response", "parts"})  # keys of a functionResponse that are read
_IMAGES = "images belong in the parts of a user message, as fileData"
_LEVEL = "MEDIA_RESOLUTION_"
_UNSTATED = "unspecified"
_CAPITAL = re.compile(r"(?=[A-Z])")


def _snake(key: str) -> str:
    return _CAPITAL.sub("_", key).lower()


def _spellings(*keys: str) -> list[str]:
    """Return *keys*, in camel case, and their other spelling."""
    return list(dict.fromkeys(spelt for key in keys for spelt in (key, _snake(key))))


def _spelt(properties: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return *properties* with the other spelling of each key."""
    return {spelt: schema for key, schema in properties.items() for spelt in _spellings(key)}


def _needs(*keys: str) -> list[Schema]:
    """Return schemas of an object that must have each of *keys*, in either spelling."""
    return [{"anyOf": [{"required": [spelt]} for spelt in _spellings(key)], "needs": key} for key in keys]


def _get(value: Mapping[str, Any], key: str) -> Any:
    """Return the value at *key*, in either spelling, of *value*; None without one."""
    found = value.get(key)
    return value.get(_snake(key)) if found is None else found


_OBJECT: Schema = {"type": ["object", "null"]}
_FILE = ("mimeType", "fileUri", "displayName")
_INLINE = ("mimeType", "data", "displayName")
_KINDS = (
    *("text", "fileData", "inlineData", "functionCall", "functionResponse"),
    *("executableCode", "codeExecutionResult"),
)
_PART_KEYS = _spellings(*_KINDS, "mediaResolution", "videoMetadata", "thought", "thoughtSignature")
_RESOLUTION: Schema = {"type": ["object", "string", "null"], "properties": {"level": {"type": "string"}}}
_CALL: Schema = {**_OBJECT, "required": ["name"], "properties": {"name": {"type": "string"}}}
_PART: Schema = {
    "type": "object",
    "properties": {
        "text": TEXT_OR_NULL,
        **_spelt(
            {
                "fileData": {
                    **_OBJECT,
                    "properties": _spelt(dict.fromkeys(_FILE, TEXT_OR_NULL)),
                    "allOf": _needs("mimeType", "fileUri"),
                },
                "inlineData": {
                    **_OBJECT,
                    "properties": _spelt(dict.fromkeys(_INLINE, TEXT_OR_NULL)),
                    "allOf": _needs("mimeType", "data"),
                },
                "functionCall": _CALL,
                "functionResponse": _CALL,
                "mediaResolution": _RESOLUTION,
            }
        ),
    },
    "anyOf": [{"required": [kind]} for kind in _spellings(*_KINDS)],
    "needs": "text, fileData, inlineData, functionCall or functionResponse",
}
_PARTS: Schema = {"type": "array", "items": _PART}
_CONTENT: Schema = {
    "type": "object",
    "required": ["parts"],
    "properties": {"role": {"enum": [*_ROLES, None]}, "parts": _PARTS},
}
_SYSTEM: Schema = {
    **_OBJECT,
    "required": ["parts"],
    "properties": {"role": TEXT_OR_NULL, "parts": _PARTS},
}
_OTHERS = ("tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent", "labels")


def _read(example: Mapping[str, Any], is_faulty: IsFaulty) -> Messages:
    messages: list[WrittenMessage] = []
    ids = _CallIds()
    for key in _spellings("systemInstruction"):
        if example.get(key) is not None:
            messages += _turn("system", example[key], (key,), is_faulty, ids)
    contents, divided = example.get("contents"), 0
    for number, content in enumerate(contents if isinstance(contents, list) else ()):
        place = ("contents", number)
        role = "" if is_faulty(place) else _ROLES[content.get("role") or _DEFAULT_ROLE]
        turn = _turn(role, content, place, is_faulty, ids)
        divided += len(turn) - bool(turn)
        messages += turn
    return Messages(messages, divided=divided)


class _CallIds:
    """Ids of the calls of an example: their own, or numbers in order; results are told by name and order."""

    def __init__(self) -> None:
        self._number = 0
        self._waiting: list[tuple[str, str]] = []

    def of_call(self, call: Mapping[str, Any]) -> str:
        """Return the id of *call*, the next one."""
        self._number += 1
        id_ = str(call.get("id") or f"call_{self._number}")
        self._waiting.append((id_, call["name"]))
        return id_

    def of_result(self, result: Mapping[str, Any]) -> str:
        """Return the id of the first call without a result that *result* fits; its name if there is none."""
        given, name = result.get("id"), result["name"]
        for waiting in self._waiting:
            if waiting[0] == given or (not given and waiting[1] == name):
                self._waiting.remove(waiting)
                return waiting[0]
        return str(given or name)


def _turn(
    role: str, content: Any, place: KeyPath, is_faulty: IsFaulty, ids: _CallIds
) -> list[WrittenMessage]:
    unknown = () if is_faulty(place) else tuple(_unread(content, place))
    read_part = partial(_part, ids=ids)
    return read_turn(role, content, place, is_faulty, key="parts", read_part=read_part, unknown=unknown)


def _unread(content: Mapping[str, Any], place: KeyPath) -> Iterator[Fault]:
    """Yield the unknown keys of *content*, which is at *place*, of its parts and their files."""
    yield from keys_besides(content, ("role", "parts"), place, _IMAGES)
    for number, part in enumerate(content["parts"]):
        at = (*place, "parts", number)
        yield from keys_besides(part, _PART_KEYS, at, _IMAGES)
        for kind, keys in (("fileData", _FILE), ("inlineData", _INLINE)):
            for spelt in _spellings(kind):
                yield from keys_besides(part.get(spelt), _spellings(*keys), (*at, spelt), _IMAGES)


def _part(part: Mapping[str, Any], place: KeyPath, ids: _CallIds) -> Piece:
    if part.get("text") is not None:
        return text_piece(part["text"])
    file, inline = _get(part, "fileData"), _get(part, "inlineData")
    if file is not None or inline is not None:
        return _media(file, inline, _detail(_get(part, "mediaResolution")))
    call, result = _get(part, "functionCall"), _get(part, "functionResponse")
    if call is not None:
        return call_piece(ids.of_call(call), call["name"], call.get("args") or {})
    if result is not None:
        text, others = _output(result.get("response")), {key: result[key] for key in result.keys() - _RESULT}
        content = [text_piece(text), *(_part(one, (), ids) for one in result.get("parts") or ())]
        return result_message(ids.of_result(result), content if len(content) > 1 else text, place, **others)
    return OTHER


def _output(response: Any) -> str:
    """Return the *response* of a function as a text: its output if it has nothing but a text as output."""
    if isinstance(response, dict) and response.keys() == {"output"} and isinstance(response["output"], str):
        return response["output"]
    return json_text(response)


def _media(file: Mapping[str, Any] | None, inline: Mapping[str, Any] | None, detail: str) -> Piece:
    """Return the image of *file* or *inline*; what has another media type is not checked."""
    media_type = str(_get(file or inline or {}, "mimeType") or "")
    kind, _, image_format = media_type.lower().partition("/")
    if kind != "image":
        return MEDIA
    if file is not None:
        return image_piece(str(_get(file, "fileUri") or ""), detail, format=image_format)
    return image_piece(f"data:{media_type};base64,{_get(inline or {}, 'data') or ''}", detail)


def _detail(resolution: Any) -> str:
    """Return *resolution* of a part, {"level": "MEDIA_RESOLUTION_LOW"}, as detail: low."""
    level = resolution.get("level") if isinstance(resolution, dict) else resolution
    name = str(level or _UNSTATED).removeprefix(_LEVEL).lower()
    return "auto" if name == _UNSTATED else name


class Gemini(FormsFormat):
    """{"systemInstruction": {...}, "contents": [{"role": "user", "parts": [{"text": ...}]}, ...]}."""

    name = "gemini"

    def __init__(self) -> None:
        super().__init__(
            [
                Form(
                    told_by=["contents"],
                    required=["contents"],
                    consumed=["contents", *_spellings("systemInstruction")],
                    properties={
                        "contents": {"type": "array", "minItems": 1, "items": _CONTENT},
                        **_spelt({"systemInstruction": _SYSTEM, **dict.fromkeys(_OTHERS, ANYTHING)}),
                    },
                    read=_read,
                    images=(),
                    tags=False,
                )
            ]
        )
