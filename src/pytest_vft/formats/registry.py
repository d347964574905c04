"""The data formats by name."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from pytest_vft.formats.base import DataFormat

# A reader is loaded when a file of its format is read.
_READERS = {
    "openai": "pytest_vft.formats.openai:OpenAI",
}


def data_formats() -> tuple[str, ...]:
    """Return the names of the data formats."""
    return tuple(_READERS)


@cache
def load_format(name: str) -> DataFormat:
    """Return the data format *name*. Raises KeyError for a name that data_formats() does not list."""
    module, _, reader = _READERS[name].partition(":")
    data_format: DataFormat = getattr(import_module(module), reader)()
    return data_format
