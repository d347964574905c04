"""The structure of an example by its JSON Schema, explained in our own words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from pytest_vft.formats.base import MAX_FAULTS, Fault, KeyPath
from pytest_vft.formats.foreign import ForeignFormats
from pytest_vft.json_schema import SchemaError, describe, error_finder, fast_validator, hint

_ONE_OF: Mapping[str, str] = {
    "messages": "message",
    "content": "content part",
    "tools": "tool",
    "tool_calls": "tool call",
    "functions": "function",
}


class ExampleShape:
    """Validates the structure of a training example: fast, and place by place where it does not conform.

    *keys* are those that an example may have; is_valid(example) is the fast check.
    """

    def __init__(self, schema: Mapping[str, Any], foreign: ForeignFormats) -> None:
        self._schema = schema
        self._foreign = foreign
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
        except RecursionError:  # jsonschema writes out each value that it refuses
            return [Fault((), "the example is nested too deeply")]
        return list(faults)

    @cached_property
    def _errors(self) -> Callable[[Any], Iterator[SchemaError]]:
        return error_finder(self._schema)

    def _foreign_example(self, example: object) -> Fault | None:
        if not isinstance(example, dict):
            return None
        for shape in self._foreign.examples:
            keys = shape["keys"]
            if all(key in example for key in keys) and ("messages" in keys) == ("messages" in example):
                return Fault((), f"the example is {shape['name']}; {shape['advice']}")
        return None

    def _words(self, error: SchemaError) -> str:
        words = describe(_name(error.path), error)
        part = self._foreign.parts.get(error.value) if _is_part_type(error.path, error.value) else None
        return f"{words} (it is {part['name']}: {part['advice']})" if part else words + hint(error.schema)


def _is_part_type(path: KeyPath, value: object) -> bool:
    return path[2:3] == ("content",) and path[-1] == "type" and isinstance(value, str)


def _name(path: KeyPath) -> str:
    if not path:
        return "the example"
    last = path[-1]
    return last if isinstance(last, str) else f"{_ONE_OF.get(str(path[-2]), 'item')} {last + 1}"
