"""The software that affects results: a cache and workers must have the same as this process."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import PIL
from xxhash import xxh3_128

from pytest_vft.resources import rules_root

# Parts of the package whose code affects results.
_PACKAGE = Path(__file__).parents[1]
_PARTS = (".", "catalogue", "checking", "facts", "formats", "reading")
_SHOWN = 4  # bytes of a hash in a description


@cache
def software_hash() -> bytes:
    """Return a hash of the code of this package and of what else affects results, except the data."""
    code = sorted(path for part in _PARTS for path in (_PACKAGE / part).glob("*.py"))
    code += sorted(path for path in rules_root().iterdir() if path.is_file())  # schemas, foreign formats
    hashed = xxh3_128(f"{PIL.__version__} {_counts_tokens()}".encode())
    for path in code:
        hashed.update(path.read_bytes())
    return hashed.digest()


def describe_software() -> str:
    """Return the versions that software_hash() depends on, in words."""
    from importlib.metadata import version  # noqa: PLC0415 - 20 ms, for a difference only

    tokenizer = "with" if _counts_tokens() else "without"
    code = software_hash()[:_SHOWN].hex()
    pillow = PIL.__version__
    return f"pytest-vft {version('pytest-vft')} ({code}), Pillow {pillow}, {tokenizer} a tokenizer"


def _counts_tokens() -> bool:
    from pytest_vft.reading.tokenizer import vocabulary_path  # noqa: PLC0415 - 4 ms; for large files only

    return find_spec("tiktoken") is not None and vocabulary_path().is_file()
