"""Tokens counted by tiktoken, if it is installed with its vocabulary; never over the network."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_vft.regular_files import read_bytes

if TYPE_CHECKING:
    from tiktoken import Encoding

# The vocabulary that tiktoken looks for before it downloads it, and its hash
# (https://github.com/openai/tiktoken/blob/main/tiktoken/load.py and tiktoken_ext/openai_public.py).
_NAME = "o200k_base"
_URL = f"https://openaipublic.blob.core.windows.net/encodings/{_NAME}.tiktoken"
_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


def count_tokens(texts: Sequence[str]) -> int | None:
    """Return the number of tokens of *texts* in o200k_base, None if they cannot be counted."""
    encoding = _encoding()
    if encoding is None:
        return None
    try:
        # Special tokens in a dataset are plain text.
        return sum(len(encoding.encode(text, disallowed_special=())) for text in texts)
    except ValueError:  # its regular expression fails on a million spaces
        return None


@cache
def _encoding() -> Encoding | None:
    try:
        import tiktoken  # noqa: PLC0415 - an extra; for very long texts only
    except ImportError:
        return None
    # Without a file that is exactly the vocabulary, tiktoken would download it.
    try:
        found = hashlib.sha256(read_bytes(vocabulary_path())).hexdigest()
        return tiktoken.get_encoding(_NAME) if found == _SHA256 else None
    except (OSError, ValueError):  # two plugins define the same name
        return None


def vocabulary_path() -> Path:
    """Return the path of tiktoken's copy of the vocabulary."""
    default = os.path.join(tempfile.gettempdir(), "data-gym-cache")  # noqa: PTH118 - as in tiktoken
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR", default))
    # An empty name means that no copy is kept.
    return Path(folder or os.devnull, hashlib.sha1(_URL.encode(), usedforsecurity=False).hexdigest())
