"""Tools, their calls and results in parts of messages: Gemini's and Bedrock's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson

from pytest_vft.formats.conversation import ChatTurn, NotConvertedError, ToolCall
from pytest_vft.formats.parameters import to_gemini
from pytest_vft.formats.writers.base import key_losses
from pytest_vft.reading.lines import repeated_keys
from pytest_vft.text import safe

_NO_PARAMETERS = {"type": "object", "properties": {}}


def gemini_tools(tools: Sequence[Any]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Return *tools*, in OpenAI's format, as a list of Gemini's tools, and what is lost.

    Raises NotConvertedError for a tool that is no function, or whose parameters Gemini's schema cannot say.
    """
    declared, lost = [], Counter[str]()
    for tool in tools:
        function = _function(tool)
        lost += _lost(tool, function)
        found = {key: function[key] for key in ("name", "description") if function.get(key) is not None}
        if function.get("parameters"):
            try:
                found["parameters"] = to_gemini(function["parameters"])
            except ValueError as error:
                name = safe(function["name"])
                raise NotConvertedError(
                    f"the parameters of the tool {name} have {error}, which the format gemini does not have"
                ) from None
        declared.append(found)
    return [{"functionDeclarations": declared}] if declared else [], lost


def bedrock_tools(tools: Sequence[Any]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Return *tools*, in OpenAI's format, as the tools of Bedrock's toolConfig, and what is lost.

    Raises NotConvertedError for a tool that is no function.
    """
    specified, lost = [], Counter[str]()
    for tool in tools:
        function = _function(tool)
        lost += _lost(tool, function)
        found = {key: function[key] for key in ("name", "description") if function.get(key) is not None}
        schema = function.get("parameters") or _NO_PARAMETERS
        schema = schema if not isinstance(schema, dict) or "type" in schema else {"type": "object", **schema}
        specified.append({"toolSpec": {**found, "inputSchema": {"json": schema}}})
    return specified, lost


def arguments_of(call: ToolCall) -> Mapping[str, Any]:
    """Return the arguments of *call*. Raises NotConvertedError if they are no JSON object or would change."""
    try:
        arguments = orjson.loads(call.arguments)
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise NotConvertedError(f"the arguments of a call of {safe(call.name)} are no JSON object")
    if arguments != json.loads(call.arguments):  # orjson reads an integer beyond 64 bits as a float
        raise NotConvertedError(f"the arguments of a call of {safe(call.name)} have a number beyond 64 bits")
    if repeated_keys(call.arguments.encode()):
        raise NotConvertedError(f"the arguments of a call of {safe(call.name)} have a key twice")
    return arguments


def result_texts(turn: ChatTurn) -> Sequence[str]:
    """Return the texts of *turn*, the result of a tool. Raises NotConvertedError if it has an image."""
    if turn.images:
        raise NotConvertedError("the result of a tool has an image; expected texts")
    return turn.texts or [""]


def named_results(turns: Sequence[ChatTurn]) -> list[ChatTurn]:
    """Return *turns* with each result named for the function that was called, results in the order of calls.

    Raises NotConvertedError for the result of a call that is not there.
    """
    found: list[ChatTurn] = []
    called: dict[str | None, tuple[int, str]] = {}
    for is_result, run in groupby(turns, lambda turn: turn.role == "tool"):
        if not is_result:
            said = list(run)
            found += said
            calls = [call for turn in said for call in turn.calls]
            called |= {call.id: (number, call.name) for number, call in enumerate(calls, len(called))}
            continue
        results = list(run)
        _check_results(results, called)
        results.sort(key=lambda turn: called[turn.call_id])
        found += [turn._replace(name=called[turn.call_id][1]) for turn in results]
    return found


def check_ids(turns: Sequence[ChatTurn]) -> None:
    """Raise NotConvertedError for two calls with one id, or the result of a call that is not there.

    Amazon's validator amzn-nova-forge 1.4.10 refuses both (run 2026-11-30).
    """
    called: set[str | None] = set()
    for turn in turns:
        if turn.role == "tool":
            _check_results([turn], called)
        for call in turn.calls:
            if call.id in called:
                raise NotConvertedError(
                    f"two calls of tools have the id {safe(call.id)}; expected distinct ids"
                )
            called.add(call.id)


def _check_results(results: Sequence[ChatTurn], called: Container[str | None]) -> None:
    for turn in results:
        if turn.call_id not in called:
            raise NotConvertedError(
                f"a result of a tool has the id {safe(turn.call_id)}, which no call before it has"
            )


def _function(tool: Any) -> Mapping[str, Any]:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        kind = tool.get("type", "function") if isinstance(tool, dict) else tool
        raise NotConvertedError(f"a tool of type {safe(kind)} is no function with a name")
    return function


def _lost(tool: Mapping[str, Any], function: Mapping[str, Any]) -> Counter[str]:
    """Return the losses of the keys of *tool* and its *function* that are not written."""
    others = (key for key in tool if key not in ("type", "function"))
    inner = (key for key in function if key not in ("name", "description", "parameters"))
    return key_losses([*others, *(key for key in inner if function[key] is not None)])
