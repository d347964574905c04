"""Rule and provider files, which anyone may have written: read within bounds, checked, and made harmless."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_vft.errors import RuleFileError
from pytest_vft.json_schema import schema_problems
from pytest_vft.resources import read_schema
from pytest_vft.text import safe
from pytest_vft.toml import MAX_ENTRIES, bound_problems, infinite_problems
from pytest_vft.toml import read_toml as read_any_toml

_DATES = ("checked", "closes", "closes_newcomers", "open_until")


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of the file at *path*, including the cases of a rule.

    Raises RuleFileError for a file that cannot be read, invalid TOML, and values that are out of bounds.
    """
    content = read_any_toml(path, RuleFileError)
    for problem in bound_problems(content, MAX_ENTRIES):
        raise RuleFileError(f"{path}: {problem}")
    return content


def check_name(path: Path) -> None:
    """Check the name of the file at *path*, which is the id of a rule or provider. Raises RuleFileError."""
    if not re.fullmatch(r"\w[\w.-]{0,99}", path.stem):
        raise RuleFileError(
            f"{path}: expected a name of at most 100 letters, digits, '-', '_' and '.', "
            "which does not start with '-' or '.'"
        )


def harmless(content: Any) -> Any:
    """Return *content* with all texts and names on one line each and escaped by safe()."""
    if isinstance(content, str):
        return safe(" ".join(content.split()), None)
    if isinstance(content, list):
        return [harmless(one) for one in content]
    if isinstance(content, dict):
        return {harmless(key): harmless(value) for key, value in content.items()}
    return content


def check_content(path: Path, content: dict[str, Any], schema: str, problems: Iterable[str]) -> None:
    """Check *content* of the file at *path* by the *schema* of that name, then for further *problems*.

    Raises RuleFileError for the first problem. *problems* is not evaluated for content with another
    structure.
    """
    plain = _with_text_dates(path, content, "")
    for problem in chain(schema_problems(read_schema(schema), plain), infinite_problems(plain), problems):
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
