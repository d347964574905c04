"""The base class of the items of this plugin."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pytest_vft.errors import VftError, describe_os_error
from pytest_vft.text import safe


class ItemFailedError(Exception):
    """A failed rule or gate; the text is the report of the failure, with all data escaped."""


class VftItem(pytest.Item):
    """An item with the marker `vft`, whose failures are reported as text without a traceback."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.add_marker("vft")
        if self.config.pluginmanager.hasplugin("timeout"):
            self.add_marker(pytest.mark.timeout(0))  # one item does the work of all items

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any, **__: Any) -> Any:
        """Return the text of a failure of the data, a traceback for other exceptions."""
        if isinstance(excinfo.value, ItemFailedError | VftError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the path of the item and its name for headings."""
        return Path(safe(self.path, None)), None, f"{self.name} in {safe(self.path.name, None)}"

    def _initrequest(self) -> None:
        """Do nothing: pytest-retry resets fixtures with this method, and the item has no fixtures."""


@contextmanager
def usage_errors() -> Iterator[None]:
    """Re-raise errors of the configuration and the environment as pytest.UsageError: one line."""
    try:
        yield
    except VftError as error:
        raise pytest.UsageError(f"vft: {error}") from None
    except OSError as error:
        raise pytest.UsageError(f"vft: {describe_os_error(error)}") from None


def given_options(config: pytest.Config, prefix: str) -> dict[str, Any]:
    """Return the options of pytest whose names start with *prefix*, without the prefix."""
    given = vars(config.option).items()
    return {name.removeprefix(prefix): value for name, value in given if name.startswith(prefix)}


def file_names(root: Path, path: str) -> dict[str, Any]:
    """Return path, name and node id of the collector of a file, escaped because pytest prints them.

    The id is relative to *root*, or absolute for a file outside: pytest itself gives all such files the
    same empty id (pytest-dev/pytest#11245).
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link stays a link
    place = absolute.relative_to(root) if absolute.is_relative_to(root) else absolute
    return {"path": absolute, "name": safe(absolute.name, None), "nodeid": safe(place.as_posix(), None)}
