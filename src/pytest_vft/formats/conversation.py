"""A chat as formats write it: turns with texts and images in order, another answer, and tools.

Keys that formats spell differently (weight and loss, calls of tools, refusals) have one spelling here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from pytest_vft.errors import VftError
from pytest_vft.formats.base import Chat, DataFormat, ImagePart, ImageRow, MessageRow
from pytest_vft.formats.tools import REQUESTS, TOOL_KEYS, lose_settings, read_tools
from pytest_vft.formats.unread import KEY, add_key_losses
from pytest_vft.text import count, either, safe

# Keys of an example that change training and that no other format has.
_NOT_CONVERTED = (
    *("videos", "video", "audios", "audio", "rejected_images", "objects", "kto_tag", "label", "margin"),
    "channel",
)
_MEDIA_PARTS = ("video", "video_url", "audio", "audio_url", "input_audio")
# Roles of messages whose text is the call of a tool, in LLaMA-Factory, ShareGPT and ms-swift.
_CALLING = ("function_call", "tool_call", "function")
_ROLES = ("system", "user", "assistant", "tool", "function")
_WITHOUT_WEIGHT = ("system", "developer", "user", "tool")
_PLAIN = frozenset({"role", "content"})
_USUAL_PARTS = (None, "text", "image_url", "image")

Piece = str | ImagePart


class NotConvertedError(VftError):
    """An example cannot be written in another format; the message says why."""


class ToolCall(NamedTuple):
    """A call of a tool: its id, the name of the function, and its arguments as JSON text."""

    id: str
    name: str
    arguments: str


class ChatTurn(NamedTuple):
    """A message: its *role* in OpenAI's format, and its texts and images in their order.

    *in_parts* says that the content is a list. *trained* is whether an answer is trained on, None if nothing
    says so. *refusal* is the text of a refusal, in a part of the content if *refusal_in_part*. *call_id* is
    the id of the call that a message of role tool answers.
    """

    role: str
    pieces: Sequence[Piece]
    in_parts: bool = False
    trained: bool | None = None
    name: str | None = None
    refusal: str | None = None
    refusal_in_part: bool = False
    calls: Sequence[ToolCall] = ()
    call_id: str | None = None

    @property
    def images(self) -> Sequence[ImagePart]:
        """The images, in order."""
        return [piece for piece in self.pieces if not isinstance(piece, str)]

    @property
    def texts(self) -> Sequence[str]:
        """The texts, in order."""
        return [piece for piece in self.pieces if isinstance(piece, str)]


class Conversation(NamedTuple):
    """An example: its turns, those of the other answer, tools in OpenAI's format, and further keys.

    *losses* are what the conversation itself does not have, by kind (see formats/writers/base.py).
    """

    turns: Sequence[ChatTurn]
    rejected: Sequence[ChatTurn] = ()
    tools: Sequence[Any] = ()
    others: Mapping[str, Any] = {}
    losses: Mapping[str, int] = {}

    @property
    def everything(self) -> Sequence[ChatTurn]:
        """All turns, those of the other answer included."""
        return [*self.turns, *self.rejected] if self.rejected else self.turns

    @property
    def answer(self) -> int:
        """The index of the first turn of the last run of answers."""
        start = len(self.turns)
        while start and self.turns[start - 1].role == "assistant":
            start -= 1
        return start


def read_conversation(data_format: DataFormat, example: Any) -> Conversation:
    """Return *example*, which has *data_format*. Raises NotConvertedError for one with a fault."""
    losses: dict[str, int] = {}
    chat = data_format.read(example)
    if chat.faults or any(row[1] == "developer" for row in chat.rows):
        example, losses = _with_usual_keys(example)
        chat = data_format.read(example)
    _check(chat)
    turns = list(map(_turn, chat.rows))
    _name_calls(turns)
    end = len(turns) - chat.alternatives
    turns[: chat.read_only] = map(_read_only, turns[: chat.read_only])
    unread = {str(fault.path[-1]) for fault in chat.unknown_keys}
    add_key_losses(chat, example, losses)
    if not chat.others:
        return Conversation(turns[:end], turns[end:], losses=losses)
    try:
        tools = read_tools(chat.others, losses)
    except ValueError as error:
        raise NotConvertedError(str(error)) from None
    if data_format.name in REQUESTS:
        lose_settings(chat.others, losses)
        return Conversation(turns[:end], turns[end:], tools, losses=losses)
    others = {
        key: value for key, value in chat.others.items() if key not in TOOL_KEYS and safe(key) not in unread
    }
    return Conversation(turns[:end], turns[end:], tools, others, losses)


def _check(chat: Chat) -> None:
    """Raise NotConvertedError for a *chat* that cannot be written again."""
    if chat.faults:
        fault = chat.faults[0]
        raise NotConvertedError(str(fault))
    for row in chat.rows:
        if row[1] not in _ROLES:
            raise NotConvertedError(f"role is {safe(row[1])}; expected {either(_ROLES)}")
    for key in _NOT_CONVERTED if chat.others else ():
        if chat.others.get(key):
            raise NotConvertedError(f'the example has "{key}", which is not converted')
    if chat.media:
        raise NotConvertedError("the example has a video, an audio or a document, which is not converted")
    if chat.placeholders and chat.placeholders != (chat.listed or 0):
        listed = count(chat.listed or 0, "image")
        raise NotConvertedError(f"{listed} for {count(chat.placeholders, 'placeholder')}")


def _with_usual_keys(example: Any) -> tuple[Any, dict[str, int]]:
    """Return *example* with the role system in place of developer, its other name in OpenAI's API.

    A weight of another message than an answer, and a name of null, mean nothing and are left out. What is
    lost so is returned, too, by kind.
    """
    losses: dict[str, int] = {}
    messages = example.get("messages") if isinstance(example, dict) else None
    if not isinstance(messages, list):
        return example, losses
    usual: list[Any] = []
    for one in messages:
        message = one
        if isinstance(one, dict):
            if one.get("role") == "developer":
                message = {**one, "role": "system"}
                losses["developer"] = losses.get("developer", 0) + 1
            if "weight" in one and one.get("role") in _WITHOUT_WEIGHT:
                losses[f"{KEY}weight"] = losses.get(f"{KEY}weight", 0) + 1
                message = {key: value for key, value in message.items() if key != "weight"}
            if "name" in one and one["name"] is None:
                message = {key: value for key, value in message.items() if key != "name"}
        usual.append(message)
    return {**example, "messages": usual}, losses


def _turn(row: MessageRow) -> ChatTurn:
    """Return the message *row* as a turn; one of nothing but texts and images, as most are, at once."""
    _, role, kind, texts, images, source, _, _ = row
    content = source.get("content")
    pieces = _pieces(texts, images)
    is_plain = source.keys() == _PLAIN and source["role"] == role and role != "function"
    if is_plain and all(_type(part) in _USUAL_PARTS for part in (content or () if kind == "parts" else ())):
        return ChatTurn(role, pieces, kind == "parts")
    return _special_turn(role, pieces, source, content)


def _special_turn(role: str, pieces: Sequence[Piece], source: Mapping[str, Any], content: Any) -> ChatTurn:
    """Return the turn of a message with further keys, parts or roles."""
    refusals: list[str] = []
    if isinstance(content, list):
        kinds = list(map(_type, content))
        if unread := next((kind for kind in kinds if kind in _MEDIA_PARTS), None):
            raise NotConvertedError(f"a part is {safe(unread)}, which is not converted")
        if "refusal" in kinds:
            refusals = [part["refusal"] for part in content if _type(part) == "refusal"]
            pieces = [piece for kind, piece in zip(kinds, pieces, strict=True) if kind != "refusal"]
    if source.get("loss_scale") is not None:
        raise NotConvertedError('a message has "loss_scale", which is not converted')
    calls = _calls(source)
    if role == "assistant" and source.get("role") in _CALLING:
        calls, pieces = _written_calls("".join(p for p in pieces if isinstance(p, str))), []
    trained = None
    if role == "assistant" and (source.get("weight") is not None or source.get("loss") is not None):
        weight, loss = source.get("weight"), source.get("loss")
        if weight not in (None, 0, 1):
            raise NotConvertedError(f"weight is {safe(orjson.dumps(weight).decode())}; expected 0 or 1")
        trained = weight != 0 and (loss is None or bool(loss))
    refusal = source.get("refusal") or "\n".join(refusals) or None
    return ChatTurn(
        role="tool" if role == "function" else role,
        pieces=pieces,
        in_parts=isinstance(content, list),
        trained=trained,
        name=source.get("name") if isinstance(source.get("name"), str) else None,
        refusal=refusal if isinstance(refusal, str) else None,
        refusal_in_part=bool(refusals),
        calls=calls,
        call_id=source.get("tool_call_id"),
    )


def _type(part: Any) -> Any:
    return part.get("type") if isinstance(part, dict) else None


def _pieces(texts: Sequence[str], images: Sequence[ImageRow]) -> Sequence[Piece]:
    """Return *texts* and *images* in their order. Raises NotConvertedError for an image without a source."""
    if not images:
        return texts
    pieces: list[Piece] = list(texts)
    for image in images:
        if image[0] > len(pieces):
            raise NotConvertedError("an image has no source")
        pieces.insert(image[0], ImagePart(*image))
    return pieces


def _calls(source: Mapping[str, Any]) -> list[ToolCall]:
    """Return the calls in *source*, a message in OpenAI's format."""
    found = [(call.get("id"), call.get("function", call)) for call in source.get("tool_calls") or ()]
    if source.get("function_call"):
        found.append((None, source["function_call"]))
    return [_call(id_, function) for id_, function in found]


def _written_calls(text: str) -> list[ToolCall]:
    """Return the calls in *text*: JSON with a name and arguments, or a list of these."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise NotConvertedError("the call of a tool is not JSON") from None
    return [_call(None, one) for one in (value if isinstance(value, list) else [value])]


def _call(id_: Any, function: Any) -> ToolCall:
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise NotConvertedError("the call of a tool has no name")
    arguments = function.get("arguments", {})
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    return ToolCall(id_ if isinstance(id_, str) else "", function["name"], text)


def _name_calls(turns: list[ChatTurn]) -> None:
    """Give ids to calls without one, and to the messages that answer them, in order."""
    number = 0
    waiting: list[str] = []
    for position, turn in enumerate(turns):
        if turn.calls:
            named = []
            for call in turn.calls:
                number += 1
                named.append(call if call.id else call._replace(id=f"call_{number}"))
            waiting = [call.id for call in named]
            turns[position] = turn._replace(calls=named)
        elif turn.role == "tool" and turn.call_id is None and waiting:
            turns[position] = turn._replace(call_id=waiting.pop(0))


def _read_only(turn: ChatTurn) -> ChatTurn:
    return turn._replace(trained=False) if turn.role == "assistant" else turn
