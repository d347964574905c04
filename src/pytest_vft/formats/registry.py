"""Data formats by name."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from pytest_vft.formats.base import DataFormat

# Modules and classes, imported when a file of the format is read.
_FORMATS = {
    "openai": "pytest_vft.formats.openai:OpenAI",
}

# Formats without local images.
URLS_ONLY = frozenset({"openai", "openai-preference"})


def data_formats() -> tuple[str, ...]:
    """Return the names of the data formats."""
    return tuple(_FORMATS)


@cache
def load_format(name: str) -> DataFormat:
    """Return the data format *name*. Raises KeyError for a name that data_formats() does not list."""
    module, _, class_name = _FORMATS[name].partition(":")
    data_format: DataFormat = getattr(import_module(module), class_name)()
    return data_format
