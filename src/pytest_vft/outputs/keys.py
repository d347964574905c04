"""Keys of parts of an output: what is made of a file is taken again as long as its key is the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from xxhash import xxh3_128, xxh3_128_hexdigest

from pytest_vft.outputs.folder import file_state

_PACKAGE = Path(__file__).parents[1]


def part_key(path: str, *settings: object) -> str:
    """Return a key of what is made of the file at *path*.

    It changes with the state of the file, with *settings*, plain data whose repr() must tell them apart, and
    with the code of this package; it is the same in each process.
    """
    about = repr((file_state(path), _ordered(settings), _code()))
    return xxh3_128_hexdigest(about.encode("utf-8", "surrogatepass"))


def _ordered(value: Any) -> Any:
    """Return *value* with lists for sets, whose repr() depends on the process."""
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if is_dataclass(value):
        return [type(value).__name__, *(_ordered(getattr(value, one.name)) for one in fields(value))]
    if isinstance(value, Mapping):
        return [(key, _ordered(one)) for key, one in value.items()]
    return list(map(_ordered, value)) if isinstance(value, list | tuple) else value


@cache
def _code() -> str:
    code = xxh3_128()
    for path in sorted(_PACKAGE.rglob("*.py")):
        code.update(path.read_bytes())
    return code.hexdigest()
