"""Data formats by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from pytest_vft.formats.base import DataFormat

if TYPE_CHECKING:
    from pytest_vft.formats.writers.base import Writer

# Modules and classes, imported when a file of the format is read.
_FORMATS = {
    "openai": "pytest_vft.formats.openai:OpenAI",
    "openai-preference": "pytest_vft.formats.openai_preference:OpenAIPreference",
    "sharegpt": "pytest_vft.formats.sharegpt:ShareGpt",
    "llamafactory": "pytest_vft.formats.llamafactory:LlamaFactory",
    "trl": "pytest_vft.formats.trl:Trl",
    "swift": "pytest_vft.formats.swift:Swift",
    "axolotl": "pytest_vft.formats.axolotl:Axolotl",
    "gemini": "pytest_vft.formats.gemini:Gemini",
    "bedrock": "pytest_vft.formats.bedrock:Bedrock",
}

_WRITERS = {
    "openai": "openai:OpenAIWriter",
    "openai-preference": "openai:OpenAIPreferenceWriter",
    "sharegpt": "tagged:ShareGptWriter",
    "llamafactory": "tagged:LlamaFactoryWriter",
    "trl": "trl:TrlWriter",
    "swift": "tagged:SwiftWriter",
    "axolotl": "axolotl:AxolotlWriter",
    "gemini": "contents:GeminiWriter",
    "bedrock": "contents:BedrockWriter",
}

# Formats without local images.
URLS_ONLY = frozenset({"openai", "openai-preference"})


def data_formats() -> tuple[str, ...]:
    """Return the names of the data formats."""
    return tuple(_FORMATS)


def load_format(name: str, layout: Mapping[str, str] | None = None) -> DataFormat:
    """Return the data format *name*, for examples with *layout* if the format has layouts.

    Raises KeyError for a name that data_formats() does not list.
    """
    return _load(name, tuple(sorted((layout or {}).items())))


@cache
def _load(name: str, layout: tuple[tuple[str, str], ...]) -> DataFormat:
    module, _, class_name = _FORMATS[name].partition(":")
    format_class = getattr(import_module(module), class_name)
    data_format: DataFormat = format_class(dict(layout)) if layout else format_class()
    return data_format


def writers() -> tuple[str, ...]:
    """Return the names of the data formats that are written."""
    return tuple(_WRITERS)


def load_writer(name: str) -> Writer:
    """Return the writer of the data format *name*.

    Raises KeyError for a name that writers() does not list.
    """
    module, _, class_name = _WRITERS[name].partition(":")
    writer: Writer = getattr(import_module(f"pytest_vft.formats.writers.{module}"), class_name)()
    return writer
