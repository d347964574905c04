"""Tell whether a vision fine-tuning dataset is fit to be trained on, before it is paid for.

Importing this package costs nothing: its names are resolved when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_vft.api import assert_clean, lint
    from pytest_vft.building import FewShot, build_example, encode_image, write_jsonl
    from pytest_vft.errors import ConfigError, RuleFileError, UsageError, VftError, VftWarning
    from pytest_vft.model import Finding, Report

    __version__: str

_HOMES = {
    "ConfigError": "errors",
    "FewShot": "building",
    "Finding": "model",
    "Report": "model",
    "RuleFileError": "errors",
    "UsageError": "errors",
    "VftError": "errors",
    "VftWarning": "errors",
    "assert_clean": "api",
    "build_example": "building",
    "encode_image": "building",
    "lint": "api",
    "write_jsonl": "building",
}

__all__ = [
    "ConfigError",
    "FewShot",
    "Finding",
    "Report",
    "RuleFileError",
    "UsageError",
    "VftError",
    "VftWarning",
    "__version__",
    "assert_clean",
    "build_example",
    "encode_image",
    "lint",
    "write_jsonl",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - 20 ms that only this needs

        return version("pytest-vft")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
