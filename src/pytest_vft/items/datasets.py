"""Hooks that collect datasets in a pytest session and report on them."""

from __future__ import annotations

import linecache
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import pytest

from pytest_vft.items.base import file_names, load_conftests, usage_errors
from pytest_vft.items.lint import SessionLint
from pytest_vft.items.nodes import DataFile, DatasetNode, RuleItem
from pytest_vft.items.request import DATASET, SUBMIT, read_check_request
from pytest_vft.model import Report
from pytest_vft.report.baseline import gone_words, known_words, written_lines
from pytest_vft.report.formats import parse_targets, write
from pytest_vft.report.layout import Display
from pytest_vft.report.people import people_line
from pytest_vft.report.text import header
from pytest_vft.runs.baseline import write_baselines
from pytest_vft.runs.notes import group_notes, name_notes, skip_notes
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.submission import read_submission
from pytest_vft.text import count, safe


class DatasetRun:
    """The hooks of a session that checks datasets.

    *arguments* are the arguments that name data, *places* the other ones.
    """

    def __init__(self, config: pytest.Config, arguments: Sequence[str], places: Sequence[str]) -> None:
        self._config = config
        with usage_errors():
            self._request = request = read_check_request(config, arguments, places)
            self._lint = SessionLint(config, request)
            base_url = config.getoption("vft_base_url")
            self._submissions = {
                source.path: read_submission(settings, base_url=base_url)
                for settings in (request.groups if request.step else ())
                for source in settings.sources
            }
            paths = [source.path for source in request.sources]
            self._ids = {path: request.ids_on(path) for path in (*paths, DATASET)}
            self._written: list[str] = []
            self._targets = parse_targets(config.getoption("vft_report") or ())
        self._display = Display(
            images=not config.getoption("vft_no_images"),
            good_examples=config.getoption("vft_good_examples"),
        )
        for path in paths:
            # pytest prints the source line of a warning: here it would be 60 kB of base64.
            linecache.cache[safe(path, None)] = (0, None, [], path)

    def pytest_report_header(self) -> list[str]:
        """Return the lines that describe the check."""
        groups = self._request.groups
        notes = (*name_notes(self._request.sources), *group_notes(groups))
        people = (people_line(settings.detectors.searched(settings.rules)) for settings in groups)
        lines = [*dict.fromkeys(map(_header, groups)), *(f"vft: {safe(note, None)}" for note in notes)]
        lines += [f"vft: {line}" for line in dict.fromkeys(people)]
        if {"--vft-data", "--vft-validation-data", "--vft-test-data"} & {
            *self._config.invocation_params.args
        }:
            lines.append(
                "vft: write --vft-data=PATH; with a space, pytest may use the folder of PATH as its root"
            )
        return lines

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Load the conftest files of the folders with datasets, whose hooks apply to the items."""
        load_conftests(session, [source.path for source in self._request.sources])

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Append the items of the datasets, so that -k, -m and --lf apply to them."""
        for node in self._nodes(session):
            items += session.genitems(node)

    def _nodes(self, session: pytest.Session) -> Iterator[pytest.Collector]:
        root = session.config.rootpath
        for source in self._request.sources:
            ids = self._ids[source.path]
            yield DataFile.from_parent(
                session,
                **file_names(root, source.path),
                rules=[id_ for id_ in ids if id_ != self._request.step],
                source=source,
                lint=self._lint,
                step=self._step if self._request.step in ids else None,
            )
        names = {"path": root, "name": DATASET, "nodeid": DATASET}
        yield DatasetNode.from_parent(session, **names, rules=self._ids[DATASET], lint=self._lint)

    def _step(self, file: DataFile) -> pytest.Item:
        from pytest_vft.items.submission import SubmissionItem  # noqa: PLC0415 - openai takes 0.6 s to import

        assert file.source is not None  # noqa: S101 - a DataFile has a source
        return SubmissionItem.from_parent(
            file,
            name=self._request.step,
            source=file.source,
            lint=self._lint,
            submission=self._submissions[file.source.path],
        )

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Limit the check to the rules and files of the selected items."""
        items = [item for item in session.items if isinstance(item, RuleItem)]
        paths = [item.source.path for item in items if item.source is not None]
        self._lint.select({item.name for item in items}, paths if len(paths) == len(items) else None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Send the folder of the shared report to each worker of pytest-xdist."""
        node.workerinput["vft_folder"] = self._lint.share()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Locate failures at their first finding and skips at the file, so that -rs folds them.

        This is done before other plugins see the report.
        """
        report = yield
        if isinstance(item, RuleItem) and report.when == "call":
            if item.failing is not None:
                report.location = item.location_of(item.failing)
                item.attach_images(report)
            if report.skipped and isinstance(report.longrepr, tuple):
                report.longrepr = (item.shown_path, 1, report.longrepr[2])
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None]:
        """Write the baseline, which the summary names, and the files of --vft-report after all other plugins.

        Both are written in the controller.
        """
        if self._config.getoption("vft_write_baseline") and (report := self._result()):
            with usage_errors():
                self._written = written_lines(write_baselines(self._request.groups, report))
        yield
        if self._targets and (report := self._result()):
            with usage_errors():
                for target in self._targets:
                    write(report, target, self._display)

    def _result(self) -> Report | None:
        """Return the report of all files if the check is complete; None in a worker."""
        return None if hasattr(self._config, "workerinput") else self._lint.finished()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show the known findings, how many examples are skipped, and the output of a step that passed.

        Pytest shows only the output of failures.
        """
        finished = self._result()
        gone = gone_words(finished, "--vft-write-baseline") if finished else ""
        known = f"{known_words(finished)} passed" if finished and finished.known else ""
        sampled = finished.sampled if finished else 0
        sample = f"only a sample was checked, {count(sampled, 'example')}" if sampled else ""
        skipped = self._skipped(finished) if finished else ()
        for line in self._written or filter(None, (known, gone, sample, *skipped)):
            terminalreporter.write_line(f"vft: {line}")
        for report in terminalreporter.getreports("passed") if self._request.step else ():
            for title, text in report.sections:
                if title.startswith(f"Captured {SUBMIT}"):
                    terminalreporter.section(report.nodeid)
                    terminalreporter.write_line(text)

    def _skipped(self, report: Report) -> Iterator[str]:
        """Yield how many examples may be skipped, for each configuration."""
        for settings in self._request.groups:
            paths = {source.path for source in settings.sources}
            yield from skip_notes(settings, [file for file in report.files if file.path in paths])

    def pytest_unconfigure(self) -> None:
        """Remove the folder of the shared report."""
        self._lint.close()


def _header(settings: Settings) -> str:
    provider = settings.provider
    closes = provider.closes.isoformat() if provider.closes else None
    sample = f"only a sample of each file, {count(settings.sample, 'example')}" if settings.sample else None
    return header(provider.id, closes, len(settings.rules), settings.depth, sample)
