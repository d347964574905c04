"""Rule and provider files as TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pytest_vft.errors import RuleFileError


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of the file at *path*, the cases of a rule included.

    Raises RuleFileError for a file that does not exist and for broken TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RuleFileError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RuleFileError(f"{path}: not TOML: {error}") from None
