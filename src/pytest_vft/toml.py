"""TOML files that anyone may have written, read within bounds."""

from __future__ import annotations

import codecs
import math
import re
import tomllib
from collections.abc import Iterator
from datetime import date, time
from pathlib import Path
from typing import Any

from pytest_vft.errors import VftError
from pytest_vft.regular_files import regular

MAX_BYTES = 500_000
MAX_DEPTH = 20
MAX_ENTRIES = 1_000  # of a table or an array of a rule or provider file
# 100 parts of a dotted key, whose parsing takes time that is quadratic in its parts.
_LONG_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"(?:[^"\\\n]|\\.){0,40}+"|'[^'\n]{0,40}+')[ \t]*+\.[ \t]*+){100}"""
)
_INT64 = range(-(2**63), 2**63)  # the integers of TOML (https://toml.io/en/v1.0.0#integer)


def read_toml(path: Path, error: type[VftError]) -> dict[str, Any]:
    """Return the content of the file at *path*.

    Raises *error* for a file that cannot be read, is not a regular file, has more than MAX_BYTES bytes,
    or is not valid TOML.
    """
    try:
        with open(path, "rb", opener=regular) as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as problem:  # ValueError: NUL in a path
        raise error(f"{path}: {getattr(problem, 'strerror', None) or problem}") from None
    if len(data) > MAX_BYTES:
        raise error(f"{path}: has more than {MAX_BYTES:,} bytes")
    if data.startswith(codecs.BOM_UTF8):  # tomllib calls it an invalid statement
        raise error(f"{path}: starts with a byte order mark (BOM); save the file as UTF-8 without a BOM")
    try:
        text = data.decode()
        content = None if _LONG_KEY.search(text) else tomllib.loads(text)
    except RecursionError:
        content = None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise error(f"{path}: not valid TOML: {problem}") from None
    except ValueError:  # int() has a limit of digits
        raise error(f"{path}: a number has too many digits") from None
    if content is None:
        raise error(f"{path}: is nested too deeply")
    return content


def bound_problems(content: object, max_entries: int | None = None) -> Iterator[str]:
    """Yield a message for each value in *content* that is out of bounds: too deep, or with too many digits.

    *max_entries* is the maximum number of entries of a table or array; None is any number.
    """
    for place, value in _values(content):
        name = ".".join(map(str, place)) or "the file"
        if isinstance(value, dict | list):
            if len(place) == MAX_DEPTH:
                yield f"{name} is nested too deeply; expected at most {MAX_DEPTH} levels"
            elif max_entries is not None and len(value) > max_entries:
                yield f"{name} has {len(value):,} entries; expected at most {max_entries:,}"
        elif type(value) is int and value not in _INT64:
            yield f"{name} has too many digits; expected an integer of 64 bits"


def infinite_problems(content: object) -> Iterator[str]:
    """Yield a message for each number in *content* that is inf or nan."""
    for place, value in _values(content):
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{'.'.join(map(str, place))} is {value}; expected a finite number"


def written(value: object) -> str:
    """Return *value* as TOML has it, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {written(one)}' for key, one in value.items())} }}"
    return str(value) if isinstance(value, date | time) else repr(value)


def _values(content: object) -> Iterator[tuple[tuple[object, ...], object]]:
    """Yield each value in *content*, down to MAX_DEPTH, with the keys that lead to it."""
    pending: list[tuple[tuple[object, ...], object]] = [((), content)]
    while pending:
        place, value = pending.pop()
        yield place, value
        if isinstance(value, dict | list) and len(place) < MAX_DEPTH:
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            pending += [((*place, key), one) for key, one in inner]
