"""Several providers in one option, as in --provider=together,trl."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pytest_vft.catalogue.providers import is_provider_file
from pytest_vft.catalogue.select import listed


def provider_names(given: str | os.PathLike[str] | Sequence[str] | None) -> list[str]:
    """Return the names of providers and paths of provider files in *given*, each once.

    A text is a list of names and paths with commas between them, or the path of one file.
    """
    if given is None:
        return []
    texts = [os.fspath(given)] if isinstance(given, str | os.PathLike) else given
    names = []
    for text in texts:
        whole = is_provider_file(text) and Path(text).is_file()
        names += [text] if whole else listed(text)
    return list(dict.fromkeys(names))
