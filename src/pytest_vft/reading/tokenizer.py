"""Tokens counted by tiktoken, where it is installed and has its vocabulary; never over the network."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

# Where tiktoken looks for the vocabulary before it downloads it, and what it must be
# (https://github.com/openai/tiktoken/blob/main/tiktoken/load.py and tiktoken_ext/openai_public.py).
_NAME = "o200k_base"
_URL = f"https://openaipublic.blob.core.windows.net/encodings/{_NAME}.tiktoken"
_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


def count_tokens(texts: Sequence[str]) -> int | None:
    """Return the tokens of *texts* in o200k_base, None when nobody here can count them."""
    encoding = _encoding()
    if encoding is None:
        return None
    try:
        # What looks like a special token is text here, as in any dataset.
        return sum(len(encoding.encode(text, disallowed_special=())) for text in texts)
    except ValueError:  # a million spaces are too much for its regular expression
        return None


@cache
def _encoding() -> Encoding | None:
    try:
        import tiktoken  # noqa: PLC0415 - an extra, needed for very long texts only
    except ImportError:
        return None
    # Without a file that is exactly the vocabulary, tiktoken would go and fetch it.
    try:
        found = hashlib.sha256(vocabulary_path().read_bytes()).hexdigest()
        return tiktoken.get_encoding(_NAME) if found == _SHA256 else None
    except (OSError, ValueError):  # it refuses names that two of its plugins define
        return None


def vocabulary_path() -> Path:
    """Return where tiktoken keeps its copy of the vocabulary."""
    default = os.path.join(tempfile.gettempdir(), "data-gym-cache")  # noqa: PTH118 - as tiktoken writes it
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR", default))
    # An empty name says that no copy is kept.
    return Path(folder or os.devnull, hashlib.sha1(_URL.encode(), usedforsecurity=False).hexdigest())
