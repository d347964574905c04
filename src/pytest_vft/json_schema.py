"""Validate data with JSON Schema; no other module imports a library for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from pytest_vft.text import count, either, nearest, safe

_NAMES: Mapping[str, str] = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "boolean": "a boolean",
    "integer": "a whole number",
    "number": "a number",
    "null": "null",
}
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
_LIMITS: Mapping[str, str] = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}


class SchemaError(NamedTuple):
    """A validation error: the *value* at *path* violates *keyword*, whose value is *expected*."""

    path: tuple[str | int, ...]
    keyword: str
    expected: Any
    value: Any
    schema: Mapping[str, Any]


def hint(schema: Mapping[str, Any], key: str = "hint") -> str:
    """Return the hint of *schema* in parentheses, "" if it does not have one."""
    return f" ({schema[key]})" if key in schema else ""


def describe(name: str, error: SchemaError) -> str:  # noqa: C901, PLR0911 - one keyword, one sentence
    """Return the message for *error* at the place *name*.

    The validator's own message is not used: it contains the whole value, 5 MB for an image.
    """
    value, expected = error.value, error.expected
    match error.keyword:
        case "type":
            kinds = [expected] if isinstance(expected, str) else expected
            return f"{name} is {_kind(value)}; expected {either([_NAMES[kind] for kind in kinds])}"
        case "required":
            return f"{name} has no " + " and no ".join(key for key in expected if key not in value)
        case "enum":
            return f"{name} is {_quoted(value)}; expected {either(expected)}"
        case "const":
            return f"{name} is {_quoted(value)}; expected {expected}"
        case "minItems" | "minProperties" | "minLength":
            return f"{name} is empty"
        case "minimum" | "maximum" | "exclusiveMinimum" as limit:
            return f"{name} is {value}; expected {_LIMITS[limit]} {expected}"
        case "maxLength" | "maxProperties" as limit:
            noun = "character" if limit == "maxLength" else "key"
            return f"{name} has {count(len(value), noun)}; expected at most {expected:,}"
        case "pattern" if not value.strip():
            return f"{name} is empty"
        case "anyOf" if "needs" in error.schema:
            return f"{name} has no {error.schema['needs']}"
        case "not":
            return f"{name} is not allowed here"
        case _:
            return f"{name} is {_quoted(value)}"


def _quoted(value: object) -> str:
    if isinstance(value, str):
        return f'"{safe(value)}"'
    return safe(value) if type(value) in (int, float) else _kind(value)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    return _NAMES.get(_TYPES.get(type(value), ""), "a date")  # TOML has dates and times; JSON does not


def schema_problems(schema: Mapping[str, Any], document: object) -> Iterator[str]:
    """Yield a message for each violation of *schema* by *document*; a misspelt key with the nearest one."""
    for error in error_finder(schema)(document):
        place = ".".join(map(str, error.path))
        name = place or "the file"
        keys = error.schema.get("properties", {})
        if error.keyword == "additionalProperties":
            at = f"{place}: " if place else ""
            yield from (
                f"{at}unknown key {key!r}{nearest(key, keys)}" for key in error.value if key not in keys
            )
        elif error.keyword == "required":
            missing = [key for key in error.expected if key not in error.value]
            yield from (f"{name} has no key {key!r}{hint(keys[key], 'description')}" for key in missing)
        else:
            yield f"{describe(name, error)}{hint(error.schema)}"


def error_finder(schema: Mapping[str, Any]) -> Callable[[Any], Iterator[SchemaError]]:
    """Return a function that yields the errors of a document; it is 1,000 times slower than fast_validator().

    The function raises RecursionError for a document that is nested too deeply.
    """
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 60 ms, needed for faulty data only

    validator = Draft202012Validator(dict(schema))

    def find(document: Any) -> Iterator[SchemaError]:
        for error in validator.iter_errors(document):
            one: Any = error  # in the stubs, the attributes may be unset
            path = tuple(one.absolute_path)
            yield SchemaError(path, one.validator, one.validator_value, one.instance, one.schema)

    return find


def fast_validator(schema: Mapping[str, Any]) -> Callable[[object], bool]:
    """Return a function that tells in a microsecond whether a JSON value conforms to *schema*."""
    is_valid: Callable[[object], bool] = jsonschema_rs.validator_for(dict(schema)).is_valid
    return is_valid
