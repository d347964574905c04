"""Values of options, read from text."""

from __future__ import annotations

import math
from contextlib import suppress

from pytest_vft.errors import UsageError
from pytest_vft.naming import option


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
    """Return the pairs in *text*, NAME=VALUE, comma-separated. Raises UsageError for other text."""
    pairs = {}
    for part in read_list(text):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise UsageError(f"{option(name_of_option)}: {part!r}: expected NAME=VALUE, comma-separated")
        pairs[name] = value
    return pairs


def read_list(text: str) -> list[str]:
    """Return the parts of *text*, comma-separated."""
    return [part.strip() for part in text.split(",") if part.strip()]
