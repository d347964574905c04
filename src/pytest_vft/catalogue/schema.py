"""What is wrong with a document by its JSON Schema, in our own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

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


class SchemaError(NamedTuple):
    """What jsonschema says of one place, without its text."""

    path: tuple[str | int, ...]
    keyword: str
    wanted: Any
    value: Any
    schema: Mapping[str, Any]


def hint(schema: Mapping[str, Any], key: str = "hint") -> str:
    """Return the text that *schema* has under *key*, in brackets, "" if it has none."""
    return f" ({schema[key]})" if key in schema else ""


def place_name(path: tuple[str | int, ...]) -> str:
    """Return what the place at *path* of an example is called: a key, or "message 2"."""
    if not path:
        return "the example"
    last = path[-1]
    return last if isinstance(last, str) else f"{_ONE_OF.get(str(path[-2]), 'item')} {last + 1}"


def describe(name: str, error: SchemaError) -> str:  # noqa: PLR0911 - one keyword, one sentence
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
    for error in schema_errors(validator_for(schema), document):
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
                    yield f"{at}{name} has no {key}{hint(keys[key], 'description')}"
        else:
            yield f"{at}{describe(name, error)}{hint(error.schema)}"


def schema_errors(validator: Validator, document: Any) -> Iterator[SchemaError]:
    """Yield each place of *document* that does not conform to the schema of *validator*."""
    for error in validator.iter_errors(document):
        details: Any = error  # its stubs allow for errors that were never set
        yield SchemaError(
            tuple(details.absolute_path),
            details.validator,
            details.validator_value,
            details.instance,
            details.schema,
        )


def validator_for(schema: Mapping[str, Any]) -> Validator:
    """Return the validator that finds the places in which a document does not conform to *schema*."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 60 ms, needed for faulty data only

    return Draft202012Validator(dict(schema))
