"""Writing of formats with strings, a tag for each image in them, and a list of images beside the messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pytest_vft.formats.conversation import ChatTurn, Conversation, NotConvertedError, Piece, ToolCall
from pytest_vft.formats.dataset_info import DATASET_INFO
from pytest_vft.formats.writers.base import (
    BareWriter,
    FileShape,
    WrittenExample,
    check_answers,
    count_losses,
    merged,
    with_refusal_as_text,
    with_system_first,
)
from pytest_vft.formats.written import TAG
from pytest_vft.text import safe

# LLaMA-Factory 0.9.5 counts each of these tags (llamafactory/data/mm_plugin.py); ms-swift 4.6.0 leaves a tag
# for which there is no video or audio as a word (swift/template/base.py:1160).
_COUNTED = (TAG, "<video>", "<audio>")
_STANDS_FOR = {TAG: "an image", "<video>": "a video", "<audio>": "an audio"}
_BESIDE = ("detail", "name", "refusals", "other keys")


@dataclass(frozen=True)
class TaggedMessages:
    """How messages are written: the key of their list, the keys of a message, and the names of its roles."""

    messages: str
    role: str
    content: str
    roles: Mapping[str, str]
    calls: str


MESSAGES = TaggedMessages(
    "messages",
    "role",
    "content",
    {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"},
    "function_call",
)
CONVERSATIONS = TaggedMessages(
    "conversations",
    "from",
    "value",
    {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"},
    "function_call",
)


class LlamaFactoryWriter:
    """Writes messages of strings, and their description in dataset_info.json."""

    has_preferences = True
    has_image_list = True
    _written = MESSAGES

    def write(self, conversation: Conversation, shape: FileShape) -> WrittenExample:
        """Return *conversation* as an example."""
        losses = count_losses(conversation, *_BESIDE)
        check_tags(conversation, _COUNTED)
        check_answers(conversation, shape)
        turns, late = with_system_first(conversation.turns)
        turns, lost = merged(list(map(with_refusal_as_text, turns)))
        for one in (lost, late):
            if one:
                losses += one
        if conversation.rejected or not only_last_is_trained(turns, shape):
            losses += count_losses(conversation, "weight")
        turns, answers = _ranked(turns, conversation)
        written = [self._message(turn) for turn in turns]
        example: dict[str, Any] = {self._written.messages: written}
        for column, answer in zip(("chosen", "rejected"), answers, strict=False):
            example[column] = self._message(answer)
        if shape.tools:
            functions = [tool["function"] for tool in conversation.tools]
            example["tools"] = orjson.dumps(functions).decode() if functions else ""
        return WrittenExample(example | {"images": listed_images(conversation)}, losses)

    def side_files(self, files: Sequence[str], shape: FileShape) -> Mapping[str, Any]:
        """Return dataset_info.json, which describes *files*."""
        written = self._written
        columns = {"messages": written.messages, "images": "images"}
        if shape.tools:
            columns["tools"] = "tools"
        if shape.preferences:
            columns |= {"chosen": "chosen", "rejected": "rejected"}
        tags = {
            "role_tag": written.role,
            "content_tag": written.content,
            **{f"{role}_tag": written.roles[role] for role in ("user", "assistant", "system")},
            "observation_tag": written.roles["tool"],
            "function_tag": written.calls,
        }
        described = {"formatting": "sharegpt", "columns": columns, "tags": tags}
        ranking = {"ranking": True} if shape.preferences else {}
        return {DATASET_INFO: {Path(name).stem: {"file_name": name} | ranking | described for name in files}}

    def advice(self, shape: FileShape) -> Sequence[str]:
        """Return the argument of the trainer that examples with answers of weight 0 need."""
        return ["train with mask_history: true, since only last answers are trained on"] * shape.last_answer

    def _message(self, turn: ChatTurn) -> dict[str, str]:
        written = self._written
        if turn.calls:
            if turn.pieces:
                raise NotConvertedError("an answer has a text and the call of a tool; expected one of these")
            return {written.role: written.calls, written.content: _calls_text(turn.calls)}
        return {written.role: written.roles[turn.role], written.content: tagged_text(turn.pieces)}


class ShareGptWriter(LlamaFactoryWriter):
    """Writes conversations of human and gpt, and their description in dataset_info.json."""

    _written = CONVERSATIONS


class SwiftWriter(BareWriter):
    """Writes messages of strings, and whether each answer is trained on, as ms-swift reads them."""

    has_preferences = True
    has_image_list = True

    def write(self, conversation: Conversation, shape: FileShape) -> WrittenExample:
        """Return *conversation* as an example."""
        losses = count_losses(conversation, *_BESIDE)
        check_tags(conversation, (TAG,))
        check_answers(conversation, shape)
        turns, lost = merged(list(map(with_refusal_as_text, conversation.turns)))
        losses += lost
        turns, answers = _ranked(turns, conversation)
        messages = [message for turn in [*turns, *answers[:1]] for message in _swift_messages(turn)]
        example: dict[str, Any] = {"messages": messages}
        if answers:
            example["rejected_response"] = tagged_text(answers[1].pieces)
        if shape.tools:
            example["tools"] = list(conversation.tools)
        return WrittenExample(example | {"images": listed_images(conversation)}, +losses)


def _swift_messages(turn: ChatTurn) -> Iterator[dict[str, Any]]:
    if turn.pieces or not turn.calls:
        message: dict[str, Any] = {"role": turn.role, "content": tagged_text(turn.pieces)}
        if turn.trained is not None:
            message["loss"] = turn.trained
        yield message
    for call in turn.calls:
        yield {"role": "tool_call", "content": _calls_text([call])}


def check_tags(conversation: Conversation, tags: Sequence[str]) -> None:
    """Raise NotConvertedError for a text with one of *tags*, which the target takes for an image."""
    for turn in conversation.everything:
        for piece in turn.pieces:
            if not isinstance(piece, str) or "<" not in piece:
                continue
            if tag := next((tag for tag in tags if tag in piece), None):
                raise NotConvertedError(f"a text contains {safe(tag)}, which stands for {_STANDS_FOR[tag]}")


def tagged_text(pieces: Sequence[Piece]) -> str:
    """Return *pieces* as one string: texts in a row on lines of their own, a tag for each image."""
    if len(pieces) == 1 and isinstance(pieces[0], str):
        return pieces[0]
    text, after_text = "", False
    for piece in pieces:
        is_text = isinstance(piece, str)
        text += "\n" * (is_text and after_text)
        text += piece if isinstance(piece, str) else TAG
        after_text = is_text
    return text


def listed_images(conversation: Conversation) -> list[str]:
    """Return the references of the images of *conversation*, in the order of their tags."""
    pieces = (piece for turn in conversation.everything for piece in turn.pieces)
    return [piece.reference for piece in pieces if not isinstance(piece, str)]


def only_last_is_trained(turns: Sequence[ChatTurn], shape: FileShape) -> bool:
    """Return whether all answers of *turns* are trained on as the trainer does in a file with *shape*."""
    trained = [turn.trained is not False for turn in turns if turn.role == "assistant"]
    if shape.last_answer:
        return trained[-1:] in ([], [True]) and not any(trained[:-1])
    return all(trained)


def _ranked(turns: list[ChatTurn], conversation: Conversation) -> tuple[list[ChatTurn], Sequence[ChatTurn]]:
    """Return *turns* without the answer, and both answers; without another answer *turns*, and none."""
    if not conversation.rejected:
        return turns, ()
    rejected, _ = merged(list(map(with_refusal_as_text, conversation.rejected)))
    if turns[-1].role != "assistant" or len(rejected) > 1 or turns[-1].calls or rejected[0].calls:
        raise NotConvertedError("an answer has several messages or calls a tool; expected a text")
    return turns[:-1], (turns[-1], rejected[0])


def _calls_text(calls: Sequence[ToolCall]) -> str:
    """Return *calls* as JSON: an object for one, else a list."""
    written = [{"name": call.name, "arguments": _arguments(call)} for call in calls]
    return orjson.dumps(written if len(written) > 1 else written[0]).decode()


def _arguments(call: ToolCall) -> Any:
    try:
        return orjson.loads(call.arguments)
    except orjson.JSONDecodeError:
        return call.arguments
