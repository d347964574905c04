"""Definitions of tools as formats write them, read into OpenAI's format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from pytest_vft.formats.parameters import from_gemini
from pytest_vft.formats.unread import KEY
from pytest_vft.text import safe

TOOL_KEYS = ("tools", "functions")
# Formats of requests. Their keys beside messages and tools are settings, which no other format has.
REQUESTS = frozenset({"gemini", "bedrock"})
_CONFIG = "toolConfig"  # in which Bedrock has tools
_UNSAID = "schemaVersion"  # says nothing but the format of the example
_DECLARATIONS = ("functionDeclarations", "function_declarations")
_SCHEMAS = ("parametersJsonSchema", "parameters_json_schema")


def read_tools(others: Mapping[str, Any], losses: dict[str, int]) -> list[Any]:
    """Return the tools among *others*, the keys of an example beside its messages, in OpenAI's format.

    What OpenAI's format does not have is added to *losses*, by kind. Raises ValueError for tools that cannot
    be read.
    """
    listed = [tool for key in TOOL_KEYS for tool in _listed(others.get(key))]
    config = others.get(_CONFIG)
    if isinstance(config, dict) and "tools" in config:
        listed += _listed(config["tools"])
        _lose((key for key in config if key != "tools"), losses)
    return [read for tool in listed for read in _read(tool, losses)]


def lose_settings(others: Mapping[str, Any], losses: dict[str, int]) -> None:
    """Add the settings of a request among *others* to *losses*, by kind."""
    config = others.get(_CONFIG)
    has_tools = isinstance(config, dict) and "tools" in config
    read = {*TOOL_KEYS, _UNSAID, *([_CONFIG] if has_tools else [])}
    _lose((key for key, value in others.items() if key not in read and value is not None), losses)


def _lose(keys: Iterator[str], losses: dict[str, int]) -> None:
    for key in keys:
        losses[f"{KEY}{key}"] = losses.get(f"{KEY}{key}", 0) + 1


def _listed(value: Any) -> list[Any]:
    """Return *value*, a list of tools, a single one or its JSON text, as a list."""
    if isinstance(value, str) and value.strip():
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError("the tools are not JSON") from None
    return value if isinstance(value, list) else [value] if value else []


def _read(tool: Any, losses: dict[str, int]) -> Iterator[Any]:
    """Yield *tool* in OpenAI's format: several functions for a tool of Gemini."""
    if isinstance(tool, dict) and "toolSpec" in tool:
        yield _function(tool["toolSpec"], losses)
    elif isinstance(tool, dict) and (key := next((one for one in _DECLARATIONS if one in tool), None)):
        yield from (_function(one, losses) for one in tool[key] or ())
        _lose((one for one in tool if one != key), losses)
    elif isinstance(tool, dict) and "function" in tool:
        yield tool
    else:
        yield {"type": "function", "function": tool}


def _function(declared: Any, losses: dict[str, int]) -> Mapping[str, Any]:
    """Return the function that Bedrock's toolSpec or Gemini's declaration *declared* stands for."""
    if not isinstance(declared, dict) or not isinstance(declared.get("name"), str):
        raise ValueError("a tool has no name")  # noqa: TRY004 - a value of a dataset
    function = {"name": declared["name"]}
    for key, value in declared.items():
        if key == "inputSchema" and isinstance(value, dict) and "json" in value:
            function["parameters"] = value["json"]
        elif key in _SCHEMAS:
            function["parameters"] = value
        elif key == "parameters":
            function["parameters"] = from_gemini(value)
        elif key in ("name", "description"):
            function[key] = value
        elif value is not None:
            _lose(iter([safe(key)]), losses)
    return {"type": "function", "function": function}
