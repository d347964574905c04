"""The formats of LLaMA-Factory, as the description of a dataset in dataset_info.json has them.

Source: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md and src/llamafactory/data/, read
2026-11-29.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_vft.formats.base import Chat, Fault
from pytest_vft.formats.forms import Form, FormsFormat, Turns
from pytest_vft.formats.tagged import COLUMNS, INSTRUCTION, SHAREGPT, conversation_form, instruction_form

# Without a description: the roles of the demo files, and the names that others give to the same roles.
_MESSAGES = Turns(
    {
        "user": "user",
        "assistant": "assistant",
        "system": "system",
        "tool": "tool",
        "observation": "tool",
        "function_call": "assistant",
        "function": "assistant",
    }
)
# Tags, and the roles that they stand for in OpenAI's format.
_TAGS = {
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "function_tag": "assistant",
    "system_tag": "system",
}


class LlamaFactory(FormsFormat):
    """Messages or conversations with tags, or instructions, with images beside them.

    *layout* is the description of a dataset: its formatting, and its columns and tags by name. Without it the
    keys of each example tell its form. With a description that the trainer cannot use, no example is sound.
    """

    name = "llamafactory"

    def __init__(self, layout: Mapping[str, str] | None = None) -> None:
        unusable = layout.get("unusable") if layout else None
        super().__init__([_described(layout)] if layout and not unusable else _usual())
        self._unusable = unusable and Chat((), 0, (Fault((), f"dataset_info.json {unusable}"),))

    def read(self, example: Any) -> Chat:
        """Return *example*, a JSON value, as a chat of its sound parts."""
        return self._unusable or super().read(example)


def _usual() -> Sequence[Form]:
    return (
        conversation_form(_MESSAGES, COLUMNS, key="messages"),
        conversation_form(SHAREGPT, COLUMNS, key="conversations"),
        instruction_form({**INSTRUCTION, **COLUMNS}),
    )


def _described(layout: Mapping[str, str]) -> Form:
    images = [layout["images"]] if "images" in layout else []
    columns = {name: layout[name] for name in COLUMNS if name in layout}
    if layout["formatting"] == "alpaca":
        columns |= {name: layout[name] for name in INSTRUCTION if name in layout}
        return instruction_form(columns, images=images)
    with_calls = layout["formatting"] == "openai"
    roles = {layout[tag]: role for tag, role in _TAGS.items() if tag in layout}
    turns = Turns(
        roles or SHAREGPT.roles,
        layout.get("role_tag", SHAREGPT.role),
        layout.get("content_tag", SHAREGPT.content),
        known=["tool_calls"] if with_calls else [],
        nullable=with_calls,
    )
    return conversation_form(turns, columns, key=layout.get("messages", "conversations"), images=images)
