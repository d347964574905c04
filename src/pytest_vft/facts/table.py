"""Facts about a table whose rows are not examples: its columns, and what they probably hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypedDict

from pytest_vft.text import Safe, safe

_SHOWN = 8  # columns
_UNKNOWN = "COLUMN"
# Options of vft build, and usual names of their columns; the first of the names that a table has counts.
_OPTIONS: Mapping[str, Sequence[str]] = {
    "question": ("question", "query", "prompt", "instruction", "problem", "questions"),
    "answer": (
        *("answer", "response", "completion", "output", "solution", "label", "caption", "text", "answers"),
        *("texts", "suffix", "ground_truth"),
    ),
    "image": ("image", "images", "img", "image_path", "file_name", "picture", "photo"),
    "id": ("id", "question_id", "uid"),
}
_OPTIONAL = ("id",)
_PLAIN = re.compile(r"[\w.]+")  # a name that a shell does not change


class TableFacts(TypedDict):
    """The facts of a file that table_facts() returns."""

    columns: str
    build_options: str


def table_facts(columns: Sequence[str]) -> TableFacts:
    """Return the facts about a table with *columns*; none for a file of examples."""
    if not columns:
        return {"columns": "none", "build_options": "none"}
    more = f" and {len(columns) - _SHOWN:,} more" if len(columns) > _SHOWN else ""
    shown = ", ".join(safe(name, 40) for name in columns[:_SHOWN])
    found = usual_columns(columns)
    options = [
        f"--{option}={found.get(option, _UNKNOWN)}"
        for option in _OPTIONS
        if option in found or option not in _OPTIONAL
    ]
    return {"columns": Safe(shown + more), "build_options": Safe(" ".join(options))}


def usual_columns(columns: Sequence[str]) -> Mapping[str, str]:
    """Return those of *columns* that have usual names, by the options of vft build that name them."""
    found = {option: _column(columns, names) for option, names in _OPTIONS.items()}
    return {option: name for option, name in found.items() if name is not None}


def _column(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """Return the one of *columns* that has the first of *names* that any of them has, whatever its case."""
    by_name = {name.lower(): name for name in reversed(columns) if _PLAIN.fullmatch(name)}
    return next((by_name[name] for name in names if name in by_name), None)
