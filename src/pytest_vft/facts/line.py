"""Facts of one physical line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from pytest_vft.model import Split
from pytest_vft.reading.lines import Line

_KINDS = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}


class LineFacts(TypedDict):
    """What is measured in a line."""

    split: Split
    """The split of its file: train, validation or test."""
    bytes: int
    """Length without the newline."""
    blank: bool
    """Whether there is nothing but white space."""
    encoding: str | None
    """"UTF-8", or "other" when the bytes are not; None for a line too long to be read."""
    encoding_error: str | None
    """Which byte is not UTF-8."""
    syntax: str | None
    """"JSON", "other" when the text is not, "none" when there is no text; None as above."""
    syntax_error: str | None
    """What the parser did not expect."""
    column: int | None
    """Where it did not, counted in characters from 1."""
    kind: str | None
    """The JSON type: object, array, string, number, boolean or null."""
    repeated_keys: Sequence[str]
    """Keys that one object has twice; readers take the last and say nothing."""


def line_facts(line: Line, split: Split) -> LineFacts:
    """Return the facts of *line*."""
    bytes_, value, blank, syntax, encoding_error, syntax_error, column, repeated_keys = line
    return {
        "split": split,
        "bytes": bytes_,
        "blank": blank,
        "encoding": None if syntax is None else "UTF-8" if encoding_error is None else "other",
        "encoding_error": encoding_error,
        "syntax": syntax,
        "syntax_error": syntax_error,
        "column": column,
        "kind": _KINDS.get(type(value), "null") if syntax == "JSON" else None,
        "repeated_keys": repeated_keys,
    }
