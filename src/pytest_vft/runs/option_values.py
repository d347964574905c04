"""Values of options, read from text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pytest_vft.errors import UsageError
from pytest_vft.naming import option
from pytest_vft.text import safe

_KEPT = ("report", "image_root")  # lists whose values are not merged
_PARTS = ("by", "choices", "keys", "min_accuracy", "passing")  # options that are lists of parts


def merge_values(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return *options* with one text for the values of each option of an evaluation.

    Raises UsageError for several values of an option that is no list.
    """
    return {
        name: _merged(name, value) if isinstance(value, list) and name not in _KEPT else value
        for name, value in options.items()
    }


def _merged(name: str, values: Sequence[str]) -> str:
    if name in _PARTS:
        return ",".join(values)
    if len(set(values)) > 1:
        given = " and ".join(repr(safe(value)) for value in values)
        raise UsageError(f"{option(name.replace('_', '-'))} is given as {given}; expected one value")
    return values[0]


def read_number(name: str, text: str) -> float:
    """Return *text*, the value of the option *name*, as a finite number. Raises UsageError for other text."""
    with suppress(ValueError):
        if math.isfinite(number := float(text)):
            return number
    raise UsageError(f"{option(name.replace('_', '-'))} is {text!r}; expected a number")


def read_whole_number(name: str, text: str) -> int:
    """Return *text*, the value of the option *name*, as a whole number. Raises UsageError for other text."""
    with suppress(ValueError):
        return int(text)
    raise UsageError(f"{option(name.replace('_', '-'))} is {text!r}; expected a whole number")


def read_pairs(name_of_option: str, text: str) -> dict[str, str]:
    """Return the pairs in *text*, NAME=VALUE, comma-separated.

    Raises UsageError for other text and for a name with several values.
    """
    pairs: dict[str, str] = {}
    for part in read_list(text):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise UsageError(f"{option(name_of_option)}: {part!r}: expected NAME=VALUE, comma-separated")
        if pairs.setdefault(name, value) != value:
            raise UsageError(
                f"{option(name_of_option)}: {safe(name)!r} is {safe(pairs[name])!r} and {safe(value)!r}; "
                "expected one value"
            )
    return pairs


def read_list(text: str) -> list[str]:
    """Return the parts of *text*, comma-separated."""
    return [part.strip() for part in text.split(",") if part.strip()]
