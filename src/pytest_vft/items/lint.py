"""The check of a session, whose report all items and all workers of pytest-xdist share."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from pytest_vft.errors import LintError
from pytest_vft.items.request import CheckRequest
from pytest_vft.model import Report
from pytest_vft.report.progress import watching
from pytest_vft.runs.lint import run
from pytest_vft.runs.settings import Settings


class SessionLint:
    """Checks the selected rules and files when the report is first needed."""

    def __init__(self, config: pytest.Config, request: CheckRequest) -> None:
        self._config = config
        self._request = request
        self._folder: Path | None = None
        self._report: Report | None = None
        self._failed: LintError | None = None
        self._ids: Collection[str] = ()
        self._paths: Collection[str] | None = None

    @property
    def settings(self) -> Settings:
        """The settings of this session."""
        return self._request.settings

    def select(self, ids: Collection[str], paths: Collection[str] | None) -> None:
        """Select the rules and steps *ids*, and the files *paths* (None: all files)."""
        self._ids, self._paths = ids, paths

    def report(self) -> Report:
        """Return the report of this session; the first call checks, in one process for all workers.

        Each call raises LintError if the check could not be completed.
        """
        if self._failed is not None:
            raise self._failed
        if self._report is None:
            shared = getattr(self._config, "workerinput", {}).get("vft_folder")  # set under pytest-xdist
            try:
                self._report = self._lint_once(Path(shared)) if shared else self._lint()
            except LintError as error:  # for all items, without checking again
                self._failed = error
                raise
        return self._report

    def finished(self) -> Report | None:
        """Return the report if this process or a worker has completed the check."""
        if self._report is None and self._folder is not None:
            result = self._folder / "report.pickle"
            self._report = _unpickle(result) if result.exists() else None
        return self._report

    def share(self) -> str:
        """Return the folder in which the first worker writes the report for all workers."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="vft-"))
        return str(self._folder)

    def close(self) -> None:
        """Remove the shared folder."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _lint(self) -> Report:
        """Check, and show the progress on the terminal of pytest, without capturing."""
        terminal, capture = map(self._config.pluginmanager.getplugin, ("terminalreporter", "capturemanager"))
        with (
            capture.global_and_fixture_disabled() if capture else nullcontext(),
            watching(terminal.ensure_newline) if terminal else nullcontext() as watch,
        ):
            settings, paths = self.settings, self._paths
            if self._request.step in self._ids:
                return run(settings, watch=watch)  # the plan of a job needs all rules and files
            sources = tuple(source for source in settings.sources if paths is None or source.path in paths)
            return run(replace(settings, sources=sources), only=self._ids, watch=watch)

    def _lint_once(self, folder: Path) -> Report:
        result = folder / "report.pickle"
        with FileLock(folder / "lint.lock"):
            if not result.exists():
                partial = folder / "report.partial"
                partial.write_bytes(pickle.dumps(self._lint()))
                partial.rename(result)
        return _unpickle(result)


def _unpickle(path: Path) -> Report:
    report: Report = pickle.loads(path.read_bytes())  # noqa: S301 - written by this session, in its own folder
    return report
