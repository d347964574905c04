"""Schemas of the parameters of tools: JSON Schema, and the part of OpenAPI that Gemini has for it.

Gemini's keywords are those of google.genai.types.Schema (google-genai 3.6.1), which refuses others.

Source: https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/tuning/function-calling, read
2026-11-30.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pytest_vft.text import safe

_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
_SCHEMAS = ("items", "additionalProperties")  # keywords whose value is a schema
_KEYWORDS = frozenset(
    {
        *("type", "format", "title", "description", "nullable", "default", "enum", "example", "pattern"),
        *("items", "minItems", "maxItems", "properties", "propertyOrdering", "required", "anyOf"),
        *("minProperties", "maxProperties", "minimum", "maximum", "minLength", "maxLength"),
        "additionalProperties",
    }
)
_DIALECT = "$schema"  # says nothing about the parameters
_UNDERSCORE = re.compile("_([a-z])")


def to_gemini(schema: Any) -> Any:
    """Return *schema*, a JSON Schema, in Gemini's form. Raises ValueError for what has no such form."""
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict):
        raise ValueError("a schema that is no object")  # noqa: TRY004 - a value of a dataset
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type":
            found |= _gemini_type(value)
        elif key == "const" and isinstance(value, str):
            found["enum"] = [value]
        elif key == "enum" and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise ValueError("an enum with a value that is no string")
        elif key in _KEYWORDS:
            found[key] = _inside(key, value, to_gemini)
        elif key != _DIALECT:
            raise ValueError(f'"{safe(key)}"')
    return found


def _inside(key: str, value: Any, convert: Callable[[Any], Any]) -> Any:
    """Return *value* of the keyword *key* with the schemas inside of it converted."""
    if key == "properties" and isinstance(value, dict):
        return {name: convert(one) for name, one in value.items()}
    if key == "anyOf" and isinstance(value, list):
        return list(map(convert, value))
    return convert(value) if key in _SCHEMAS else value


def _gemini_type(value: Any) -> Mapping[str, Any]:
    types = value if isinstance(value, list) else [value]
    named = [one for one in types if one != "null"] or types[:1]
    if len(named) != 1 or named[0] not in _TYPES:
        raise ValueError(f"type {safe(value)}")
    nullable = {"nullable": True} if len(types) > 1 else {}
    return {"type": named[0].upper(), **nullable}


def from_gemini(schema: Any) -> Any:
    """Return *schema*, in Gemini's form, as a JSON Schema."""
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for spelt, value in schema.items():
        camel = _UNDERSCORE.sub(lambda match: match[1].upper(), spelt)
        key = camel if camel in _KEYWORDS else spelt
        is_type = key == "type" and isinstance(value, str)
        found[key] = value.lower() if is_type else _inside(key, value, from_gemini)
    if found.get("nullable") is True and isinstance(found.get("type"), str):
        del found["nullable"]
        found["type"] = [found["type"], "null"]
    return found
