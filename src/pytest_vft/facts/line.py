"""Facts about one line, or one element of an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from pytest_vft.model import Split
from pytest_vft.reading.lines import Line

_KINDS = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}


class LineFacts(TypedDict):
    """What is measured in a line."""

    split: Split
    """Split of the file: train, validation or test."""
    bytes: int
    """Length without the line break."""
    blank: bool
    """Whether the line is empty or only white space."""
    encoding: str | None
    """"UTF-8", or "other" for bytes that are not valid UTF-8; None for a line that is too long to be read."""
    encoding_error: str | None
    """The first byte that is not valid UTF-8, and its position."""
    syntax: str | None
    """"JSON", "other" for text that is not JSON, "none" for a line without text; None for a line that is too
    long to be read."""
    syntax_error: str | None
    """The error message of the JSON parser."""
    column: int | None
    """Column of the syntax error, in characters from 1; in an array, from the start of the element."""
    kind: str | None
    """JSON type: object, array, string, number, boolean or null."""
    repeated_keys: Sequence[str]
    """Keys that occur twice in one object; parsers silently use the last value."""


def line_facts(line: Line, split: Split) -> LineFacts:
    """Return the facts of *line*."""
    bytes_, value, blank, syntax, encoding_error, syntax_error, column, repeated_keys, _ = line
    return {
        "split": split,
        "bytes": bytes_,
        "blank": blank,
        "encoding": None if syntax is None else "UTF-8" if encoding_error is None else "other",
        "encoding_error": encoding_error,
        "syntax": syntax,
        "syntax_error": syntax_error,
        "column": column,
        "kind": _KINDS.get(type(value), "null" if syntax == "JSON" else None),
        "repeated_keys": repeated_keys,
    }
