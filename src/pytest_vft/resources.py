"""Data files of the package: shipped rules, schemas and tables."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


def rules_root() -> Path:
    """Return the folder of the shipped rules: in the package, or in the checkout that it runs from."""
    packaged = Path(__file__).parent / "rules"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "rules"


@cache
def read_schema(name: str) -> Mapping[str, Any]:
    """Return the JSON Schema in the file *name* of the rules folder."""
    schema: Mapping[str, Any] = json.loads((rules_root() / name).read_bytes())
    return schema


def read_table(name: str) -> Mapping[str, Any]:
    """Return the TOML document in the file *name* of the rules folder."""
    return tomllib.loads((rules_root() / name).read_text(encoding="utf-8"))
