"""The shapes of other tools, so that a line in one of them is called by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from pytest_vft.resources import read_table


class ForeignFormats(NamedTuple):
    """Shapes of other tools: by the keys of an example, and by the type of a part."""

    examples: Sequence[Mapping[str, Any]]
    parts: Mapping[str, Mapping[str, Any]]


@cache
def read_foreign_formats() -> ForeignFormats:
    """Return the shapes that rules/foreign-formats.toml lists."""
    content = read_table("foreign-formats.toml")
    return ForeignFormats(content["example"], {part["type"]: part for part in content["part"]})
