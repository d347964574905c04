"""The formats of ms-swift: messages, or a query with its response; images in parts or beside them.

Source: https://github.com/modelscope/ms-swift/blob/main/docs/source_en/Customization/Custom-dataset.md and
swift/dataset/preprocessor/core.py, read 2026-11-29.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_vft.formats.forms import (
    ANYTHING,
    PARTS,
    TEXT,
    TEXT_OR_NULL,
    Form,
    FormsFormat,
    IsFaulty,
    Messages,
    Schema,
    Turns,
    after_shared,
    text_message,
)
from pytest_vft.formats.tagged import HISTORY, history_messages, system_message
from pytest_vft.formats.written import WrittenMessage

_TURNS = Turns(
    {
        "system": "system",
        "user": "user",
        "human": "user",
        "assistant": "assistant",
        "gpt": "assistant",
        "bot": "assistant",
        "tool": "tool",
        "tool_response": "tool",
        "function_response": "tool",
        "observation": "tool",
        "tool_call": "assistant",
        "function_call": "assistant",
    },
    known=("loss", "loss_scale", "name", "weight", "tool_calls", "tool_call_id"),
    contents={**PARTS, "type": ["string", "array", "object"]},
    nullable=True,
)
_REJECTED: Schema = {**_TURNS.schema_of_list, "type": ["string", "array"]}
_OTHERS: Mapping[str, Schema] = {
    "rejected_response": _REJECTED,
    "system": TEXT_OR_NULL,
    **dict.fromkeys(("tools", "objects", "channel", "label", "margin", "chat_template_kwargs"), ANYTHING),
}


def _read_messages(example: Mapping[str, Any], is_faulty: IsFaulty) -> Messages:
    messages = _TURNS.read(example.get("messages"), ("messages",), is_faulty)
    if not (messages and messages[0].role == "system"):
        messages = [*system_message(example, "system", is_faulty), *messages]
    rejected = _TURNS.read(example.get("rejected_messages"), ("rejected_messages",), is_faulty)
    rejected = [*after_shared(messages, rejected), *_rejected(example, is_faulty)]
    return Messages([*messages, *rejected], len(rejected))


def _read_query(example: Mapping[str, Any], is_faulty: IsFaulty) -> Messages:
    messages = [
        *system_message(example, "system", is_faulty),
        *history_messages(example.get("history"), ("history",), is_faulty),
        text_message("user", example["query"], ("query",), is_faulty),
    ]
    if example.get("response") is not None:
        messages.append(text_message("assistant", example["response"], ("response",), is_faulty))
    rejected = _rejected(example, is_faulty)
    return Messages([*messages, *rejected], len(rejected))


def _rejected(example: Mapping[str, Any], is_faulty: IsFaulty) -> list[WrittenMessage]:
    """Return the rejected response of *example*, a text or a list of messages."""
    rejected = example.get("rejected_response")
    if isinstance(rejected, str):
        return [text_message("assistant", rejected, ("rejected_response",), is_faulty)]
    return _TURNS.read(rejected, ("rejected_response",), is_faulty)


def _own_marks(messages: Sequence[WrittenMessage], listed: int, marks: int) -> int:  # noqa: ARG001 - OwnMarks
    """Return the number of images without a tag: the trainer puts tags before the first message."""
    return max(0, listed - marks)


class Swift(FormsFormat):
    """Messages whose images are parts, or tags with a list of images beside the messages."""

    name = "swift"

    def __init__(self) -> None:
        super().__init__(
            [
                Form(
                    told_by=["messages"],
                    required=["messages"],
                    consumed=["messages", "rejected_messages", "rejected_response", "system"],
                    properties={
                        "messages": _TURNS.schema_of_list,
                        "rejected_messages": _TURNS.schema_of_list,
                        **_OTHERS,
                    },
                    read=_read_messages,
                    own_marks=_own_marks,
                ),
                Form(
                    told_by=["query"],
                    required=["query"],
                    consumed=["query", "response", "history", "rejected_response", "system"],
                    properties={
                        "query": TEXT,
                        "response": TEXT_OR_NULL,
                        "history": HISTORY,
                        **_OTHERS,
                    },
                    read=_read_query,
                    own_marks=_own_marks,
                ),
            ]
        )
