"""Rule and provider files: read as TOML, and checked by their JSON Schema."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_vft.errors import RuleFileError
from pytest_vft.json_schema import schema_problems
from pytest_vft.regular_files import read_text
from pytest_vft.resources import read_schema

_DATES = ("checked", "closes", "closes_newcomers")


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of the file at *path*, including the cases of a rule.

    Raises RuleFileError for a file that cannot be read and for invalid TOML.
    """
    try:
        return tomllib.loads(read_text(path))
    except OSError as error:
        raise RuleFileError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RuleFileError(f"{path}: not valid TOML: {error}") from None


def check_content(path: Path, content: dict[str, Any], schema: str, problems: Iterable[str]) -> None:
    """Check *content* of the file at *path* by the *schema* of that name, then for further *problems*.

    Raises RuleFileError for the first problem. *problems* is not evaluated for content with another
    structure.
    """
    plain = _with_text_dates(path, content, "")
    for problem in chain(schema_problems(read_schema(schema), plain), problems):
        raise RuleFileError(f"{path}: {problem}")


def _with_text_dates(path: Path, value: Any, place: str) -> Any:
    """Return *value* with dates as text, as in JSON. Raises RuleFileError for a date of another type."""
    if not isinstance(value, dict):
        return value
    plain = {}
    for key, inner in value.items():
        if key in _DATES and not isinstance(inner, dict):
            if type(inner) is not date:
                raise RuleFileError(f"{path}: {place}{key}: write a date, as in {key} = 2026-11-21")
            plain[key] = str(inner)
        else:
            plain[key] = _with_text_dates(path, inner, f"{place}{key}.")
    return plain
