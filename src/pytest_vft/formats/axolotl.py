"""The format of Axolotl: OpenAI's messages, with images in parts of type image, as Unsloth also reads them.

Source: https://docs.axolotl.ai/docs/multimodal.html, read 2026-11-29.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_vft.formats.forms import (
    ANYTHING,
    IMAGES,
    PARTS,
    TEXT_OR_NULL,
    Form,
    FormsFormat,
    IsFaulty,
    Messages,
    Schema,
    Turns,
)

_MEDIA = ("video", "video_url", "audio", "audio_url")
# Keys that processors of models read: https://github.com/QwenLM/Qwen3-VL, qwen-vl-utils, read 2026-11-29.
_SIZES = ("min_pixels", "max_pixels", "resized_height", "resized_width", "fps", "nframes")
_SOURCE: Schema = {"type": ["string", "object", "null"]}
# The trainers take items of the value: the first character of a path, if the value is a path.
_LIST_OF_IMAGES: Schema = {**IMAGES, "type": ["array", "null"]}
_PARTS: Schema = {
    **PARTS,
    "items": {
        **PARTS["items"],
        "properties": {
            **PARTS["items"]["properties"],
            **dict.fromkeys(("path", "url", "base64"), TEXT_OR_NULL),
            **dict.fromkeys(("image", "image_url"), _SOURCE),
        },
    },
}
_TURNS = Turns(
    {role: role for role in ("system", "user", "assistant", "tool", "function")},
    any_role=True,  # the template of the model has the last word
    known=(
        *("name", "weight", "tool_calls", "function_call", "tool_call_id", "refusal", "reasoning_content"),
        *("train", "training", "train_detail", "training_detail"),
    ),
    contents=_PARTS,
    nullable=True,
    parts=("type", "text", "image", "image_url", "path", "url", "base64", "value", *_MEDIA, *_SIZES),
)


def _read(example: Mapping[str, Any], is_faulty: IsFaulty) -> Messages:
    return Messages(_TURNS.read(example.get("messages"), ("messages",), is_faulty))


class Axolotl(FormsFormat):
    """Messages with parts {"type": "image", "path": ...}, or url, base64 or image in place of path."""

    name = "axolotl"

    def __init__(self) -> None:
        super().__init__(
            [
                Form(
                    told_by=["messages"],
                    required=["messages"],
                    consumed=["messages"],
                    properties={
                        "messages": _TURNS.schema_of_list,
                        **dict.fromkeys(("tools", "chat_template_kwargs"), ANYTHING),
                        **dict.fromkeys(("images", "image"), _LIST_OF_IMAGES),
                    },
                    read=_read,
                    tags=False,
                )
            ]
        )
