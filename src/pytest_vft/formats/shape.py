"""The structure of an example by its JSON Schema, with faults described in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from pytest_vft.formats.base import MAX_FAULTS, Fault, KeyPath
from pytest_vft.json_schema import SchemaError, describe, error_finder, fast_validator, hint
from pytest_vft.resources import read_table

_ITEMS: Mapping[str, str] = {
    "messages": "message",
    "content": "content part",
    "tools": "tool",
    "tool_calls": "tool call",
    "functions": "function",
}


class ExampleShape:
    """Validates the structure of an example: quickly with is_valid(), or place by place with faults().

    *keys* are the keys that an example may have.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self.keys = frozenset(schema.get("properties", ()))
        self.is_valid = fast_validator(schema)

    def faults(self, example: object) -> list[Fault]:
        """Return a fault for each place that does not conform, at most MAX_FAULTS."""
        foreign = self._foreign_example(example)
        if foreign:
            return [foreign]
        faults: dict[Fault, None] = {}
        try:
            for error in self._errors(example):
                faults[Fault(error.path, self._words(error))] = None
                if len(faults) == MAX_FAULTS:
                    break
        except RecursionError:  # jsonschema formats each value that it rejects
            return [Fault((), "the example is nested too deeply")]
        return list(faults)

    @cached_property
    def _errors(self) -> Callable[[Any], Iterator[SchemaError]]:
        return error_finder(self._schema)

    @cached_property
    def _other_formats(self) -> Mapping[str, Any]:
        """Examples and parts in the formats of other tools, to be named in faults."""
        return read_table("foreign-formats.toml")

    def _foreign_example(self, example: object) -> Fault | None:
        if not isinstance(example, dict):
            return None
        for shape in self._other_formats["example"]:
            keys = shape["keys"]
            if not all(key in example for key in keys) or ("messages" in keys) != ("messages" in example):
                continue
            if "part" not in shape or shape["part"] in _part_types(example["messages"]):
                return Fault((), f"the example is {shape['name']}; {shape['advice']}")
        return None

    def _words(self, error: SchemaError) -> str:
        words = describe(_name(error.path), error)
        if error.path[2:3] == ("content",) and error.path[-1] == "type":
            for part in self._other_formats["part"]:
                if part["type"] == error.value:
                    return f"{words} (it is {part['name']}: {part['advice']})"
        return words + hint(error.schema)


def _part_types(messages: object) -> set[str]:
    """Return the types of the content parts of *messages*, whatever these are."""
    listed = messages if isinstance(messages, list) else []
    contents = [message.get("content") for message in listed if isinstance(message, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    types = [part.get("type") for part in parts if isinstance(part, dict)]
    return {type_ for type_ in types if isinstance(type_, str)}


def _name(path: KeyPath) -> str:
    if not path:
        return "the example"
    last = path[-1]
    return last if isinstance(last, str) else f"{_ITEMS.get(str(path[-2]), 'item')} {last + 1}"
