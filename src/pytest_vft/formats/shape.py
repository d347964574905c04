"""The structure of an example by its JSON Schema, with faults described in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from pytest_vft.formats.base import MAX_FAULTS, Fault, KeyPath
from pytest_vft.formats.foreign import foreign_part, recognise
from pytest_vft.json_schema import SchemaError, describe, error_finder, fast_validator, hint
from pytest_vft.text import nearest

_ITEMS: Mapping[str, str] = {
    "messages": "message",
    "conversations": "message",
    "preferred_output": "message",
    "non_preferred_output": "message",
    "images": "image",
    "content": "content part",
    "contents": "message",
    "parts": "content part",
    "system": "system part",
    "candidates": "answer",
    "tools": "tool",
    "tool_calls": "tool call",
    "functions": "function",
}


class ExampleShape:
    """Validates the structure of an example: quickly with is_valid(), or place by place with faults().

    *keys* are the keys that an example of *data_format* may have.
    """

    def __init__(self, schema: Mapping[str, Any], data_format: str = "openai") -> None:
        self._schema = schema
        self._data_format = data_format
        self.keys = frozenset(schema.get("properties", ()))
        self.is_valid = fast_validator(schema)

    def faults(self, example: object, *, foreign: bool = True) -> list[Fault]:
        """Return a fault for each place that does not conform, at most MAX_FAULTS.

        An example of another format has one fault that names the format, unless it is not *foreign*.
        """
        other = self._foreign_example(example) if foreign else None
        if other:
            return [other]
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

    def _foreign_example(self, example: object) -> Fault | None:
        entry = recognise(example) if isinstance(example, dict) else None
        data_format = entry and entry.get("data_format")
        if entry is None or data_format == self._data_format:
            return None
        advice = f"--data-format={data_format} reads a file of these" if data_format else entry["advice"]
        return Fault((), f"the example is {entry['name']}; {advice}")

    def _words(self, error: SchemaError) -> str:
        words = describe(_name(error.path), error)
        if error.path[2:3] == ("content",) and error.path[-1] == "type":
            part = foreign_part(error.value)
            if part:
                return f"{words} (it is {part['name']}: {part['advice']})"
        if error.keyword == "enum" and isinstance(error.value, str) and error.value.strip():
            words += nearest(error.value, [one for one in error.expected if isinstance(one, str)])
        return words + hint(error.schema)


def _name(path: KeyPath) -> str:
    if not path:
        return "the example"
    last = path[-1]
    return last if isinstance(last, str) else f"{_ITEMS.get(str(path[-2]), 'item')} {last + 1}"
