"""Predictions and test splits, written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_lines(path: str, lines: Iterable[Mapping[str, Any]]) -> str:
    Path(path).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def prediction(id_: object, said: object, truth: object, **more: object) -> dict[str, Any]:
    """Return a line as the cookbook's notebook writes it."""
    return {"example_id": id_, "predicted_answer": said, "actual_answer": truth, **more}


def question(
    number: int, *, image: int | None = None, truth: str | None = None, text: str | None = None
) -> dict[str, Any]:
    """Return a line of a test split: its text ends with its number in brackets."""
    said = text if text is not None else f"Is this a book about bees? [{number}]"
    parts: list[dict[str, Any]] = [{"type": "text", "text": said}]
    if image is not None:
        url = "data:image/png;base64," + f"{image:04d}" * 20
        parts.append({"type": "image_url", "image_url": {"url": url}})
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": parts},
    ]
    if truth is not None:
        messages.append({"role": "assistant", "content": truth})
    return {"messages": messages}


def notebook(right_closed: int, right_open: int) -> list[dict[str, Any]]:
    """Return predictions with as many of 190 closed and 295 open answers right."""
    closed = [prediction(number, "No" if number < right_closed else "Yes", "No") for number in range(190)]
    open_ = [
        prediction(190 + number, f"Author {number}" if number < right_open else "Nobody", f"Author {number}")
        for number in range(295)
    ]
    return closed + open_
