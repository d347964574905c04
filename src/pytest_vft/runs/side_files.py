"""Files that a trainer needs beside the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from pytest_vft.formats.registry import load_writer
from pytest_vft.formats.writers.base import FileShape
from pytest_vft.regular_files import read_bytes


def side_files(data_format: str, shape: FileShape, names: Sequence[str], folder: Path) -> Mapping[str, bytes]:
    """Return the content of the files that a trainer needs beside the files *names*, by name.

    What files of these names in *folder*, which only --force replaces, say of other data is kept.
    """
    files = load_writer(data_format).side_files(names, shape)
    return {
        name: orjson.dumps(_json_object(folder / name) | value, option=orjson.OPT_INDENT_2) + b"\n"
        for name, value in files.items()
    }


def _json_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in the file at *path*; an empty one if there is none."""
    with suppress(OSError, orjson.JSONDecodeError):
        value = orjson.loads(read_bytes(path))
        return value if isinstance(value, dict) else {}
    return {}
