"""The base class of the items of this plugin."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_vft.errors import VftError, describe_os_error
from pytest_vft.reading.object_paths import is_object
from pytest_vft.text import safe


class ItemFailedError(AssertionError):
    """A failed rule or gate; the text is the report of the failure, with all data escaped."""


class VftItem(pytest.Item):
    """An item with the marker `vft`, whose failures are reported as text without a traceback.

    Hooks of projects and plugins often read attributes of functions from any item. So the item has these
    attributes, as a function without fixtures whose docstring is *doc*, in a module for its file.
    """

    cls = instance = None

    def __init__(self, *, doc: str | None, **more: Any) -> None:
        super().__init__(**more)
        self.add_marker("vft")
        if self.config.pluginmanager.hasplugin("timeout"):
            self.add_marker(pytest.mark.timeout(0))  # one item does the work of all items
        if self.config.pluginmanager.hasplugin("rerunfailures"):
            self.add_marker(pytest.mark.flaky(reruns=0))  # a rerun would get the same result from the session
        self.originalname = self.name
        self.fixturenames: list[str] = []
        self.funcargs: dict[str, object] = {}
        self.module: ModuleType = self.parent.obj  # type: ignore[union-attr]  # see file_module()
        self.function = self.obj = self._as_function(doc)

    def _as_function(self, doc: str | None) -> Callable[[], None]:
        def function() -> None:
            self.runtest()

        function.__name__ = function.__qualname__ = self.name
        function.__doc__ = doc
        function.__module__ = self.module.__name__
        return function

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


class _Folder(pytest.Directory):
    """A folder in which nothing is collected."""

    def collect(self) -> Iterable[pytest.Item]:
        """Return nothing."""
        return ()


def load_conftests(session: pytest.Session, paths: Iterable[str | Path]) -> None:
    """Load the conftest files that apply to the files at *paths*, and to the root of the session.

    pytest loads them for each folder that it collects, but does not collect the folders of these files.
    """
    files = [path for path in paths if not is_object(str(path))]
    folders = [session.config.rootpath, *(Path(os.path.abspath(path)).parent for path in files)]  # noqa: PTH100 - a link stays a link
    for folder in dict.fromkeys(folders):
        collector = _Folder.from_parent(
            session, path=folder, name=folder.name, nodeid=safe(folder.name, None)
        )
        report = session.ihook.pytest_make_collect_report(collector=collector)
        if report.failed:
            session.ihook.pytest_collectreport(report=report)


def file_module(path: Path) -> ModuleType:
    """Return a module that stands for the file at *path*, as the attribute *obj* of its collector."""
    module = ModuleType(safe(path.stem, None))
    module.__file__ = safe(path, None)
    return module


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
    same empty id (pytest-dev/pytest#11245). That of an object in object storage is its URL.
    """
    if is_object(path):
        shown = safe(path, None)
        return {"path": root / shown.rpartition("/")[2], "name": shown, "nodeid": shown}
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link stays a link
    place = absolute.relative_to(root) if absolute.is_relative_to(root) else absolute
    return {"path": absolute, "name": safe(absolute.name, None), "nodeid": safe(place.as_posix(), None)}
