"""JSON Schema, in the only module that knows a library for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from pytest_vft.text import nearest, safe

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


class SchemaError(NamedTuple):
    """An error of jsonschema at one place, without its text."""

    path: tuple[str | int, ...]
    keyword: str
    wanted: Any
    value: Any
    schema: Mapping[str, Any]


def hint(schema: Mapping[str, Any], key: str = "hint") -> str:
    """Return the hint of *schema* in brackets, "" if it has none."""
    return f" ({schema[key]})" if key in schema else ""


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
    for error in error_finder(schema)(document):
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


def error_finder(schema: Mapping[str, Any]) -> Callable[[Any], Iterator[SchemaError]]:
    """Return a function that yields each error of a document, a thousand times slower than the fast check.

    It raises RecursionError for a document that is nested too deeply.
    """
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 60 ms, needed for faulty data only

    validator = Draft202012Validator(dict(schema))

    def find(document: Any) -> Iterator[SchemaError]:
        for error in validator.iter_errors(document):
            details: Any = error  # its stubs allow for errors that were never set
            yield SchemaError(
                tuple(details.absolute_path),
                details.validator,
                details.validator_value,
                details.instance,
                details.schema,
            )

    return find


def fast_validator(schema: Mapping[str, Any]) -> Callable[[object], bool]:
    """Return a function that says in a microsecond whether a JSON value conforms to *schema*."""
    is_valid: Callable[[object], bool] = jsonschema_rs.validator_for(dict(schema)).is_valid
    return is_valid
