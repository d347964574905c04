"""The check of a session, whose reports all items and all workers of pytest-xdist share."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.processes import cluster
from pytest_vft.errors import LintError
from pytest_vft.items.request import CheckRequest
from pytest_vft.model import FileResult, Finding, Report, Source
from pytest_vft.report.findings import by_file
from pytest_vft.report.progress import tell_wait, watching
from pytest_vft.runs.baseline import run_with_baselines
from pytest_vft.runs.combining import combine
from pytest_vft.runs.notes import group_notes
from pytest_vft.runs.run import run_all
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.several import label, split_id

if TYPE_CHECKING:
    from pytest_vft.checking.cluster import ClusterWait


class SessionLint:
    """Checks the selected rules and files when a report is first needed.

    There is a report for each configuration.
    """

    def __init__(self, config: pytest.Config, request: CheckRequest) -> None:
        self._config = config
        self._request = request
        self._folder: Path | None = None
        self._reports: Sequence[Report] | None = None
        self._failed: LintError | None = None
        self._ids: Collection[str] = ()
        self._paths: Collection[str] | None = None

    def settings_of(self, source: Source) -> Settings:
        """Return the settings of a file, the first ones if there are several providers."""
        return self._request.settings_of(source.path)[0]

    def _groups(self, label_: str, source: Source | None) -> Sequence[Settings]:
        """Return the settings with a label of a file, or of all files."""
        groups = self._request.groups if source is None else self._request.settings_of(source.path)
        return [settings for settings in groups if label(settings) == label_]

    def rule(self, rule_id: str, source: Source | None) -> Rule | None:
        """Return a rule as it applies to a file, or to all files; None for the id of a step."""
        id_, label_ = split_id(rule_id)
        groups = self._groups(label_, source)
        return next((settings.bound[id_] for settings in groups if id_ in settings.bound), None)

    def why_ignored(self, rule_id: str, source: Source | None) -> str | None:
        """Return why a rule is ignored in a file, or in each configuration; None if it is not ignored."""
        id_, label_ = split_id(rule_id)
        groups = self._groups(label_, source)
        if source is not None:
            return groups[0].reasons_by_file[source.path].get(id_)
        reasons = [settings.reasons.get(id_) for settings in groups]
        return reasons[0] if all(reason is not None for reason in reasons) else None

    def select(self, ids: Collection[str], paths: Collection[str] | None) -> None:
        """Select the rules and steps *ids*, and the files *paths* (None: all files)."""
        self._ids, self._paths = ids, paths

    def report(self, source: Source | None, rule_id: str = "") -> Report:
        """Return the report with this file and rule, or that of all files; the first call checks all files.

        One process checks for all workers. Each call raises LintError if the check could not be completed.
        """
        if self._failed is not None:
            raise self._failed
        if self._reports is None:
            shared = getattr(self._config, "workerinput", {}).get("vft_folder")  # set under pytest-xdist
            try:
                self._reports = self._lint_once(Path(shared)) if shared else self._lint()
            except LintError as error:  # for all items, without checking again
                self._failed = error
                raise
        if source is None:
            return self._combined(self._reports)
        found = [report for report, _ in self._results[source.path]]
        return next((one for one in found if any(rule.id == rule_id for rule in one.rules)), found[0])

    def file(self, report: Report, source: Source) -> FileResult:
        """Return the result of a file in *report*, which report() returned for it."""
        return next(file for one, file in self._results[source.path] if one is report)

    def sampled(self, report: Report) -> int:
        """Return the `sampled` of *report*, which is counted once for all items."""
        known = self._sampled.get(id(report))
        return report.sampled if known is None else known

    def findings(self, report: Report, source: Source | None) -> Sequence[Finding]:
        """Return the findings on a file, or on all files, in *report*, which report() returned."""
        return report.findings if source is None else self._findings[id(report)].get(source.path, ())

    @cached_property
    def _findings(self) -> Mapping[int, Mapping[str, Sequence[Finding]]]:
        """The findings of each report by path: a search for each item would go through all of them."""
        return {id(report): by_file(report.findings) for report in self._reports or ()}

    @cached_property
    def _results(self) -> Mapping[str, Sequence[tuple[Report, FileResult]]]:
        """The reports with their results of each file, by its path."""
        found: dict[str, list[tuple[Report, FileResult]]] = {}
        for report in self._reports or ():
            for file in report.files:
                found.setdefault(file.path, []).append((report, file))
        return found

    @cached_property
    def _sampled(self) -> Mapping[int, int]:
        return {id(report): report.sampled for report in self._reports or ()}

    def finished(self) -> Report | None:
        """Return the report of all files if this process or a worker has completed the check."""
        if self._reports is None and self._folder is not None:
            result = self._folder / "reports.pickle"
            self._reports = _unpickle(result) if result.exists() else None
        return self._combined(self._reports) if self._reports else None

    def _combined(self, reports: Sequence[Report]) -> Report:
        return combine(reports, group_notes(self._request.groups))

    def share(self) -> str:
        """Return the folder in which the first worker writes the reports for all workers."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="vft-"))
        return str(self._folder)

    def close(self) -> None:
        """Remove the shared folder."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _lint(self) -> Sequence[Report]:
        """Check, and show the progress on the terminal of pytest, without capturing."""
        terminal, capture = map(self._config.pluginmanager.getplugin, ("terminalreporter", "capturemanager"))

        def tell(wait: ClusterWait) -> None:
            if terminal:
                terminal.ensure_newline()
            tell_wait(wait)

        with (
            cluster(self._request.cluster, tell) as executor,
            capture.global_and_fixture_disabled() if capture else nullcontext(),
            watching(terminal.ensure_newline) if terminal else nullcontext() as watch,
        ):
            if self._request.step in self._ids:  # the plan of a job needs all rules and files
                groups, only = self._request.groups, None
            else:
                groups, only = list(self._selected()), self._ids
            return run_with_baselines(groups, partial(run_all, only=only, watch=watch, executor=executor))

    def _selected(self) -> Iterator[Settings]:
        """Yield the settings of each configuration with its selected files."""
        paths = self._paths
        for settings in self._request.groups:
            sources = tuple(source for source in settings.sources if paths is None or source.path in paths)
            if sources:
                yield replace(settings, sources=sources)

    def _lint_once(self, folder: Path) -> Sequence[Report]:
        result = folder / "reports.pickle"
        with FileLock(folder / "lint.lock"):
            if not result.exists():
                partial = folder / "reports.partial"
                partial.write_bytes(pickle.dumps(self._lint()))
                partial.rename(result)
        return _unpickle(result)


def _unpickle(path: Path) -> Sequence[Report]:
    reports: Sequence[Report] = pickle.loads(path.read_bytes())  # noqa: S301 - written by this session, in its own folder
    return reports
