"""JSON Schema, in the only module that knows a library for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import jsonschema_rs

from pytest_vft.catalogue.foreign import ForeignFormats
from pytest_vft.facts.example import MOST_FAULTS, Fault
from pytest_vft.text import nearest, safe

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_KINDS: Mapping[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}
_WANTED: Mapping[str, str] = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "boolean": "a boolean",
    "integer": "a whole number",
    "number": "a number",
    "null": "null",
}
_LIMITS: Mapping[str, str] = {
    "minimum": "the least is",
    "maximum": "the most is",
    "exclusiveMinimum": "want more than",
    "maxLength": "characters, the most is",
    "maxProperties": "keys, the most is",
}
_ONE_OF: Mapping[str, str] = {
    "messages": "message",
    "content": "content part",
    "tools": "tool",
    "tool_calls": "tool call",
    "functions": "function",
}


class _SchemaError(NamedTuple):
    """What jsonschema says of one place, without its text."""

    path: tuple[str | int, ...]
    keyword: str
    wanted: Any
    value: Any
    schema: Mapping[str, Any]


class ExampleShape:
    """The shape of a training example, fast to check and explained place by place.

    jsonschema-rs answers yes or no in a microsecond; jsonschema finds the places, when it is no.
    """

    def __init__(self, schema: Mapping[str, Any], foreign: ForeignFormats) -> None:
        self._schema = schema
        self._foreign = foreign
        self.keys = frozenset(schema.get("properties", ()))
        self._fast = jsonschema_rs.validator_for(dict(schema))

    def is_valid(self, example: object) -> bool:
        """Return whether *example*, a JSON value, has the shape."""
        return self._fast.is_valid(example)

    def faults(self, example: object) -> list[Fault]:
        """Return each place where *example* has not the shape, one fault a place and cause."""
        foreign = self._foreign_example(example)
        if foreign:
            return [foreign]
        faults: dict[Fault, None] = {}
        try:
            for error in _errors(self._slow, example):
                faults[Fault(error.path, self._words(error))] = None
                if len(faults) == MOST_FAULTS:
                    break
        except RecursionError:  # jsonschema writes out each value that it refuses
            return [Fault((), "the example is nested too deeply")]
        return list(faults)

    @cached_property
    def _slow(self) -> Validator:
        return _validator(self._schema)

    def _foreign_example(self, example: object) -> Fault | None:
        if not isinstance(example, dict):
            return None
        for shape in self._foreign.examples:
            keys = shape["keys"]
            if all(key in example for key in keys) and ("messages" in keys) == ("messages" in example):
                return Fault((), f"the example is {shape['name']}; {shape['advice']}")
        return None

    def _words(self, error: _SchemaError) -> str:
        words = _words(_name(error.path), error)
        part = self._foreign.parts.get(error.value) if _is_part_type(error.path, error.value) else None
        return f"{words} (it is {part['name']}: {part['advice']})" if part else words + _hint(error.schema)


def _hint(schema: Mapping[str, Any], key: str = "hint") -> str:
    return f" ({schema[key]})" if key in schema else ""


def _is_part_type(path: tuple[str | int, ...], value: object) -> bool:
    return path[2:3] == ("content",) and path[-1] == "type" and isinstance(value, str)


def _name(path: tuple[str | int, ...]) -> str:
    if not path:
        return "the example"
    last = path[-1]
    return last if isinstance(last, str) else f"{_ONE_OF.get(str(path[-2]), 'item')} {last + 1}"


def _words(name: str, error: _SchemaError) -> str:  # noqa: PLR0911 - one keyword, one sentence
    """Return what is wrong with the place *name*, never the validator's own text.

    That holds the whole value: 5 MB for an image.
    """
    value, wanted = error.value, error.wanted
    match error.keyword:
        case "type":
            kinds = [wanted] if isinstance(wanted, str) else wanted
            return f"{name} is {_kind(value)}, want {' or '.join(_WANTED[kind] for kind in kinds)}"
        case "required":
            missing = [key for key in wanted if key not in value]
            return f"{name} has no " + " and no ".join(missing)
        case "enum":
            return f"{name} is {_quoted(value)}, want {' or '.join(map(str, wanted))}"
        case "const":
            return f"{name} is {_quoted(value)}, want {wanted}"
        case "minItems" | "minProperties" | "minLength":
            return f"{name} is empty"
        case "minimum" | "maximum" | "exclusiveMinimum" as limit:
            return f"{name} is {value}, {_LIMITS[limit]} {wanted}"
        case "maxLength" | "maxProperties" as limit:
            return f"{name} has {len(value)} {_LIMITS[limit]} {wanted}"
        case "not":
            return f"{name} must not be here"
        case _:
            return f"{name} is {_quoted(value)}"


def _quoted(value: object) -> str:
    if isinstance(value, str):
        return f'"{safe(value)}"'
    return safe(value) if type(value) in (int, float) else _kind(value)


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a date")  # TOML has dates and times, JSON has none


def schema_problems(schema: Mapping[str, Any], document: object) -> Iterator[str]:
    """Yield what is wrong with *document*, data of a rule or configuration, by *schema*.

    Each text names the key and, for a misspelt one, the likely intention.
    """
    for error in _errors(_validator(schema), document):
        place = ".".join(map(str, error.path))
        at = f"{place}: " if place else ""
        name = "it" if place else "the file"
        keys = error.schema.get("properties", {})
        if error.keyword == "additionalProperties":
            for key in error.value:
                if key not in keys:
                    yield f"{at}unknown key {key!r}{nearest(key, keys)}"
        elif error.keyword == "required":
            for key in error.wanted:
                if key not in error.value:
                    yield f"{at}{name} has no {key}{_hint(keys[key], 'description')}"
        else:
            yield f"{at}{_words(name, error)}{_hint(error.schema)}"


def _errors(validator: Validator, document: Any) -> Iterator[_SchemaError]:
    for error in validator.iter_errors(document):
        details: Any = error  # its stubs allow for errors that were never set
        yield _SchemaError(
            tuple(details.absolute_path),
            details.validator,
            details.validator_value,
            details.instance,
            details.schema,
        )


def _validator(schema: Mapping[str, Any]) -> Validator:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 60 ms, needed for faulty data only

    return Draft202012Validator(dict(schema))
