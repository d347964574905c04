"""Messages of formats whose parts have no type and hold calls and results of tools (Gemini, Bedrock)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import orjson

from pytest_vft.formats.base import Fault, KeyPath
from pytest_vft.formats.forms import IsFaulty
from pytest_vft.formats.keys import IMAGE_KEYS, unknown_keys
from pytest_vft.formats.written import WrittenMessage

# A part in OpenAI's format, a call in that format (of type function), or a message with the result of a tool.
Piece = Mapping[str, Any] | WrittenMessage

# A part that is neither text, image, call nor result; it keeps the numbers of the others.
OTHER: Mapping[str, Any] = {"type": "other"}
# A video, an audio or a document, which is not checked.
MEDIA: Mapping[str, Any] = {"type": "file", "file": {}}

_CALL = "function"
_SHOWN = ("text", "image_url")


def text_piece(text: str) -> Piece:
    """Return *text* as a part."""
    return {"type": "text", "text": text}


def image_piece(reference: str, detail: str = "auto", **others: Any) -> Piece:
    """Return the image at *reference*, a URL or a path, as a part with *others* as additional keys."""
    return {"type": "image_url", "image_url": {"url": reference, "detail": detail}, **others}


def call_piece(id_: Any, name: Any, arguments: Any) -> Piece:
    """Return the call of the function *name* with *arguments*, a JSON value."""
    function = {"name": name, "arguments": json_text(arguments)}
    return {"type": _CALL, "id": id_, _CALL: function}


def result_message(id_: Any, content: Any, place: KeyPath, **others: Any) -> WrittenMessage:
    """Return the message with *content*, a text or parts, and *others*, as the result of the call *id_*."""
    source = {**others, "role": "tool", "tool_call_id": id_, "content": content}
    return WrittenMessage("tool", content, place, source)


def json_text(value: Any) -> str:
    """Return *value* as JSON."""
    return orjson.dumps(value).decode()


def read_turn(  # noqa: PLR0913 - what the formats differ in
    role: str,
    turn: Any,
    place: KeyPath,
    is_faulty: IsFaulty,
    *,
    key: str,
    read_part: Callable[[Any, KeyPath], Piece],
    unknown: Sequence[Fault] = (),
) -> list[WrittenMessage]:
    """Return the messages of *turn*, an object at *place* with parts at *key*, with *role*.

    Results of tools are messages of their own, before the others parts. *read_part* reads a part at a place.
    """
    if is_faulty(place) or not isinstance(turn, dict):
        return [WrittenMessage("", None, place, turn, sound=False)]
    listed = turn.get(key) or ()
    pieces = [read_part(part, (*place, key, number)) for number, part in enumerate(listed)]
    results = [piece for piece in pieces if isinstance(piece, WrittenMessage)]
    parts = [OTHER if isinstance(piece, WrittenMessage) else piece for piece in pieces]
    said = [part for part in parts if part["type"] in _SHOWN]
    calls = [part for part in parts if part["type"] == _CALL]
    if results and not said and not calls:
        return [results[0]._replace(unknown_keys=unknown), *results[1:]]
    source: dict[str, Any] = {"role": role, "content": said}
    if turn.get("weight") is not None:
        source["weight"] = turn["weight"]
    if calls:
        source["tool_calls"] = calls
    return [*results, WrittenMessage(role, parts, place, source, unknown_keys=unknown, key=key)]


def keys_besides(value: Any, known: Collection[str], place: KeyPath, images: str) -> Sequence[Fault]:
    """Return the keys of *value*, at *place*, that are not *known* and not null.

    *images* says where images belong.
    """
    if not isinstance(value, dict) or value.keys() <= set(known):
        return ()
    given = {key: one for key, one in value.items() if one is not None}
    return unknown_keys(given, known, place, dict.fromkeys(IMAGE_KEYS - set(known), images))
