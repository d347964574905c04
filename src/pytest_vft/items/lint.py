"""The one lint of a session: all items, and all workers of pytest-xdist, read one report."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from pytest_vft.errors import LintError
from pytest_vft.items.request import CheckRequest
from pytest_vft.model import Report
from pytest_vft.reading.remote import Watch
from pytest_vft.report.progress import watching
from pytest_vft.runs.lint import run
from pytest_vft.runs.settings import Settings


class SessionLint:
    """Lints when the report is first asked for, and only what was selected until then."""

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
        """Lint only the rules and steps *ids*, and only the files *paths*; None stands for all files."""
        self._ids, self._paths = ids, paths

    def report(self) -> Report:
        """Return the report of this session; the first call lints, in one process for all workers.

        Raises LintError when linting could not be brought to an end, at each call.
        """
        if self._failed is not None:
            raise self._failed
        if self._report is None:
            shared = self._shared()
            try:
                self._report = self._lint() if shared is None else self._lint_once(shared)
            except LintError as error:  # the other items would come to the same
                self._failed = error
                raise
        return self._report

    def finished(self) -> Report | None:
        """Return the report if this process or a worker has made it."""
        if self._report is None and self._folder is not None:
            result = self._folder / "report.pickle"
            self._report = _unpickle(result) if result.exists() else None
        return self._report

    def share(self) -> str:
        """Return the folder where workers find the report that the first of them writes."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="vft-"))
        return str(self._folder)

    def close(self) -> None:
        """Remove what was shared."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _lint(self) -> Report:
        with self._watching() as watch:
            return self._run(watch)

    @contextmanager
    def _watching(self) -> Iterator[Watch | None]:
        """Show how far it is where pytest shows what it does, past its capturing."""
        terminal, capture = map(self._config.pluginmanager.getplugin, ("terminalreporter", "capturemanager"))
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            if terminal:
                with watching(terminal.ensure_newline) as watch:
                    yield watch
            else:
                yield None

    def _run(self, watch: Watch | None) -> Report:
        settings = self.settings
        if self._request.step in self._ids:
            return run(settings, watch=watch)  # a job is planned on all that is known of its data
        paths = self._paths
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

    def _shared(self) -> Path | None:
        """Return the folder that the workers of pytest-xdist share, None without them."""
        given = getattr(self._config, "workerinput", {}).get("vft_folder")
        return Path(given) if given else None


def _unpickle(path: Path) -> Report:
    report: Report = pickle.loads(path.read_bytes())  # noqa: S301 - written by this session, in its own folder
    return report
