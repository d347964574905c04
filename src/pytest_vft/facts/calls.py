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
    """Return the names of the functions that *message* calls without one of *answers*.

    A call without an id is answered by a message that names no call.
    """
    if message["role"] != "assistant":
        return []
    ids = [answer.get("tool_call_id") for answer in answers]
    calls = message.get("tool_calls")
    listed = [call for call in (calls if isinstance(calls, list) else ()) if isinstance(call, dict)]
    names = [_name(call.get("function", call)) for call in listed if call.get("id") not in ids]
    call = message.get("function_call")
    if call and all(answer.get("name") != _name(call) for answer in answers):
        names.append(_name(call))
    return names


def _name(function: Any) -> str:
    """Return the name in *function*, a JSON value."""
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else "a function without a name"
