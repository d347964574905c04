"""The formats of TRL: messages, a prompt with its completion, or a prompt with two answers; images beside.

Source: https://huggingface.co/docs/trl/dataset_formats, read 2026-11-29.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_vft.formats.forms import (
    ANYTHING,
    Form,
    FormsFormat,
    IsFaulty,
    Messages,
    Schema,
    Turns,
    after_shared,
    text_message,
)
from pytest_vft.formats.written import WrittenMessage

_TURNS = Turns(
    {role: role for role in ("system", "user", "assistant", "tool")},
    known=("name", "weight", "tool_calls", "tool_call_id", "refusal"),
    nullable=True,
)
_TEXT_OR_TURNS: Schema = {**_TURNS.schema_of_list, "type": ["string", "array"]}
_OTHERS: Mapping[str, Schema] = dict.fromkeys(("tools", "chat_template_kwargs"), ANYTHING)


def _text_or_turns(role: str, value: Any, key: str, is_faulty: IsFaulty) -> list[WrittenMessage]:
    """Return *value*, the text of a message with *role* or a list of messages, at *key*."""
    if isinstance(value, str):
        return [text_message(role, value, (key,), is_faulty)]
    return _TURNS.read(value, (key,), is_faulty)


def _read_messages(example: Mapping[str, Any], is_faulty: IsFaulty) -> Messages:
    return Messages(_TURNS.read(example.get("messages"), ("messages",), is_faulty))


def _read_completion(example: Mapping[str, Any], is_faulty: IsFaulty) -> Messages:
    prompt = _text_or_turns("user", example.get("prompt"), "prompt", is_faulty)
    completion = _text_or_turns("assistant", example.get("completion"), "completion", is_faulty)
    return Messages([*prompt, *completion], read_only=len(prompt))


def _read_preference(example: Mapping[str, Any], is_faulty: IsFaulty) -> Messages:
    """Read a prompt with two answers; without a prompt, the messages that both answers start with are it."""
    prompt = _text_or_turns("user", example.get("prompt"), "prompt", is_faulty)
    chosen = _text_or_turns("assistant", example.get("chosen"), "chosen", is_faulty)
    rejected: Sequence[WrittenMessage] = _text_or_turns(
        "assistant", example.get("rejected"), "rejected", is_faulty
    )
    if not prompt:
        rejected = after_shared(chosen, rejected)
    return Messages([*prompt, *chosen, *rejected], len(rejected))


def _own_marks(messages: Sequence[WrittenMessage], listed: int, marks: int) -> int:  # noqa: ARG001 - OwnMarks
    """Return *listed* if a user message is a string: all images precede the first such message."""
    return listed * any(one.role == "user" and isinstance(one.content, str) for one in messages)


class Trl(FormsFormat):
    """Messages whose images are parts without a source, in the order of a list of images."""

    name = "trl"

    def __init__(self) -> None:
        super().__init__(
            [
                Form(
                    told_by=["messages"],
                    required=["messages"],
                    consumed=["messages"],
                    properties={"messages": _TURNS.schema_of_list, **_OTHERS},
                    read=_read_messages,
                    tags=False,
                    own_marks=_own_marks,
                ),
                Form(
                    told_by=["chosen", "rejected"],
                    required=["chosen", "rejected"],
                    consumed=["prompt", "chosen", "rejected"],
                    properties={**dict.fromkeys(("prompt", "chosen", "rejected"), _TEXT_OR_TURNS), **_OTHERS},
                    read=_read_preference,
                    tags=False,
                    own_marks=_own_marks,
                ),
                Form(
                    told_by=["prompt"],
                    required=["prompt", "completion"],
                    consumed=["prompt", "completion"],
                    properties={**dict.fromkeys(("prompt", "completion"), _TEXT_OR_TURNS), **_OTHERS},
                    read=_read_completion,
                    tags=False,
                    own_marks=_own_marks,
                ),
            ]
        )
