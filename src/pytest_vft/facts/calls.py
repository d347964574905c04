"""Calls of tools and functions, and their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from pytest_vft.formats.base import MessageRow


def unanswered_calls(rows: Sequence[MessageRow]) -> list[str]:
    """Return the calls in *rows* that no following message answers: "look in message 2".

    Calls in the last message are what the model is to learn and have no answers.
    """
    unanswered = []
    for number, row in enumerate(rows[:-1], 1):
        source = row[5]
        answers = [other[5] for other in takewhile(_is_answer, rows[number:])]
        unanswered += [f"{name} in message {row[0] + 1}" for name in _open_calls(source, answers)]
    return unanswered


def _is_answer(row: MessageRow) -> bool:
    return row[1] in ("tool", "function")


def _open_calls(message: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the functions that *message* calls without one of *answers*."""
    if message["role"] != "assistant":
        return []
    ids = [answer.get("tool_call_id") for answer in answers]
    calls = message.get("tool_calls") or ()
    names = [call["function"]["name"] for call in calls if call["id"] not in ids]
    call = message.get("function_call")
    if call and all(answer.get("name") != call["name"] for answer in answers):
        names.append(call["name"])
    return names
