"""The files that describe rules, providers and formats: where the shipped ones are, and how they are read."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pytest_vft.errors import RuleFileError


def rules_root() -> Path:
    """Return the folder of the shipped rules: in the package, or in the checkout it runs from."""
    packaged = Path(__file__).parents[1] / "rules"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "rules"


@cache
def read_schema(name: str) -> Mapping[str, Any]:
    """Return the JSON Schema *name* of the shipped rules."""
    schema: Mapping[str, Any] = json.loads((rules_root() / name).read_bytes())
    return schema


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of the file at *path*, the cases of a rule included.

    Raises RuleFileError for a file that does not exist and for broken TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RuleFileError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RuleFileError(f"{path}: not TOML: {error}") from None
