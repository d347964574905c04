"""Forms of LLaMA-Factory and LLaVA: strings with a tag for each image, images in a list beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_vft.formats.forms import (
    ANYTHING,
    TEXT,
    TEXT_OR_NULL,
    Form,
    IsFaulty,
    Messages,
    Schema,
    Turns,
    text_message,
)
from pytest_vft.formats.written import WrittenMessage

# The roles of LLaMA-Factory's default tags, which LLaVA shares.
SHAREGPT = Turns(
    {
        "human": "user",
        "gpt": "assistant",
        "system": "system",
        "observation": "tool",
        "function_call": "assistant",
    },
    "from",
    "value",
)
# Columns besides messages and images, under their own names.
COLUMNS = {name: name for name in ("system", "tools", "history", "chosen", "rejected", "kto_tag")}
INSTRUCTION = {"prompt": "instruction", "query": "input", "response": "output"}
_IMAGES = ("images", "image")
HISTORY: Schema = {
    "type": ["array", "null"],
    "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": TEXT},
}


def conversation_form(
    turns: Turns, columns: Mapping[str, str], *, key: str, images: Sequence[str] = _IMAGES
) -> Form:
    """Return the form with a list of *turns* at *key*, perhaps with a chosen and a rejected turn.

    *columns* maps the names of the other columns (see COLUMNS) to their keys.
    """
    system, chosen, rejected = (columns.get(name) for name in ("system", "chosen", "rejected"))
    answers = {"enum": [written for written, role in turns.roles.items() if role == "assistant"]}
    answer = {
        **turns.schema,
        "type": ["object", "null"],
        "properties": {**turns.schema["properties"], turns.role: answers},
    }

    def read(example: Mapping[str, Any], is_faulty: IsFaulty) -> Messages:
        messages = [
            *system_message(example, system, is_faulty),
            *turns.read(example.get(key), (key,), is_faulty),
        ]
        answers = [
            turns.read_one(example[column], (column,), is_faulty)
            for column in (chosen, rejected)
            if column and example.get(column) is not None
        ]
        return Messages([*messages, *answers], max(len(answers) - 1, 0))

    kinds = {"system": TEXT_OR_NULL, "chosen": answer, "rejected": answer}
    return Form(
        told_by=[key],
        required=[key],
        consumed=[key, *(columns[name] for name in kinds if name in columns)],
        images=images,
        together=[columns[name] for name in ("chosen", "rejected") if name in columns],
        read=read,
        properties={key: turns.schema_of_list, **_properties(columns, kinds)},
    )


def instruction_form(columns: Mapping[str, str], *, images: Sequence[str] = _IMAGES) -> Form:
    """Return the form with an instruction, an input and an output, or a chosen and a rejected answer.

    *columns* maps the names of columns (see INSTRUCTION and COLUMNS) to their keys.
    """
    prompt = columns.get("prompt", INSTRUCTION["prompt"])
    history, system, query = (columns.get(name) for name in ("history", "system", "query"))
    response, chosen, rejected = (columns.get(name) for name in ("response", "chosen", "rejected"))

    def read(example: Mapping[str, Any], is_faulty: IsFaulty) -> Messages:
        messages = system_message(example, system, is_faulty)
        if history:
            messages += history_messages(example.get(history), (history,), is_faulty)
        asked = [key for key in (prompt, query) if key and (example.get(key) or is_faulty((key,)))]
        faulty = [key for key in asked if is_faulty((key,))]
        text = None if faulty else "\n".join(example[key] for key in asked)
        place = ((faulty or asked or [prompt])[0],)
        messages.append(text_message("user", text, place, is_faulty))
        ranked = [key for key in (chosen, rejected) if key and example.get(key) is not None]
        answers = [
            text_message("assistant", example[key], (key,), is_faulty)
            for key in ranked or ([response] if response else [])
            if example.get(key) is not None
        ]
        return Messages([*messages, *answers], max(len(answers) - 1, 0))

    texts = ("prompt", "query", "response", "system", "chosen", "rejected")
    kinds = {**dict.fromkeys(texts, TEXT_OR_NULL), "history": HISTORY}
    return Form(
        told_by=[prompt],
        required=[prompt],
        consumed=[prompt, *(columns[name] for name in kinds if name in columns)],
        images=images,
        together=[columns[name] for name in ("chosen", "rejected") if name in columns],
        read=read,
        properties={prompt: TEXT_OR_NULL, **_properties(columns, kinds)},
    )


def _properties(columns: Mapping[str, str], kinds: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the schemas of the keys of *columns*; *kinds* are those of columns with text."""
    return {key: kinds.get(name, ANYTHING) for name, key in columns.items()}


def history_messages(history: Any, place: tuple[str], is_faulty: IsFaulty) -> list[WrittenMessage]:
    """Return the questions and answers of *history*, a list of pairs at *place*."""
    return [
        text_message(role, text, (*place, number, side), is_faulty)
        for number, pair in enumerate(history if isinstance(history, list) else ())
        if isinstance(pair, list)
        for side, (role, text) in enumerate(zip(("user", "assistant"), pair, strict=False))
    ]


def system_message(example: Mapping[str, Any], key: str | None, is_faulty: IsFaulty) -> list[WrittenMessage]:
    """Return the system message at *key*, if there is one; an empty one is none."""
    return [text_message("system", example[key], (key,), is_faulty)] if key and example.get(key) else []
