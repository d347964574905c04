"""The shapes of other tools, so that a line in one of them is called by its name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from pytest_vft.catalogue.files import rules_root


class ForeignFormats(NamedTuple):
    """Shapes of other tools: by the keys of an example, and by the type of a part."""

    examples: Sequence[Mapping[str, Any]]
    parts: Mapping[str, Mapping[str, Any]]


@cache
def read_foreign_formats() -> ForeignFormats:
    """Return the shapes that rules/foreign-formats.toml lists."""
    content = tomllib.loads((rules_root() / "foreign-formats.toml").read_text(encoding="utf-8"))
    return ForeignFormats(content["example"], {part["type"]: part for part in content["part"]})
