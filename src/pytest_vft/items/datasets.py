"""Datasets in a session of pytest: the hooks that collect them, and report on them."""

from __future__ import annotations

import linecache
import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_vft.errors import VftError
from pytest_vft.items.lint import SessionLint
from pytest_vft.items.nodes import DataFile, DatasetNode, RuleItem
from pytest_vft.items.request import DATASET, SUBMIT, read_check_request
from pytest_vft.report.formats import parse_targets, write
from pytest_vft.report.text import header
from pytest_vft.runs.submission import read_submission
from pytest_vft.text import safe


class DatasetRun:
    """The hooks of a session that checks datasets.

    *arguments* are those that name data; where they name rules, nothing else is collected.
    """

    def __init__(self, config: pytest.Config, arguments: Sequence[str]) -> None:
        self._config = config
        option = config.getoption
        try:
            self._request = read_check_request(config, arguments)
            self._lint = SessionLint(config, self._request)
            self._submission = (
                read_submission(self._request.settings, base_url=option("vft_base_url"))
                if self._request.step
                else None
            )
            self._ids = {path: self._request.ids_on(path) for path in (*self._request.paths, DATASET)}
            self._targets = parse_targets(option("vft_report") or ())
        except VftError as error:
            raise pytest.UsageError(f"vft: {error}") from None
        for path in self._request.paths:
            # pytest prints the source line of a warning: here that would be 60 kB of base64.
            linecache.cache[safe(path, None)] = (0, None, [], path)

    # collecting

    def pytest_report_header(self) -> list[str]:
        """Say what is checked, and how."""
        settings = self._request.settings
        provider = settings.provider
        closes = provider.closes.isoformat() if provider.closes else None
        lines = [
            header(provider.id, closes, len(settings.rules), settings.depth, offline=settings.network.offline)
        ]
        given = self._config.invocation_params.args
        if any(argument in ("--vft-data", "--vft-validation-data", "--vft-test-data") for argument in given):
            lines.append(
                "vft: write --vft-data=PATH; with a space, pytest may take PATH's folder for its root"
            )
        return lines

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add our items behind what was collected; from here on -k, -m, --lf and all treat them alike."""
        for node in self._nodes(session):
            items += session.genitems(node)

    def _nodes(self, session: pytest.Session) -> Iterator[pytest.Collector]:
        root = session.config.rootpath
        for source in self._request.settings.sources:
            path = Path(os.path.abspath(source.path))  # noqa: PTH100 - a link stays a link
            place = path.relative_to(root) if path.is_relative_to(root) else path
            ids = self._ids[source.path]
            yield DataFile.from_parent(
                session,
                path=path,
                # pytest prints names as they are, and gives all files outside its root one and the
                # same empty id (pytest-dev/pytest#11245).
                name=safe(path.name, None),
                nodeid=safe(place.as_posix(), None),
                rules=[id_ for id_ in ids if id_ != self._request.step],
                source=source,
                lint=self._lint,
                step=self._step if self._request.step in ids else None,
            )
        yield DatasetNode.from_parent(
            session,
            path=root / DATASET,
            name=DATASET,
            nodeid=DATASET,
            rules=self._ids[DATASET],
            lint=self._lint,
        )

    def _step(self, file: DataFile) -> pytest.Item:
        from pytest_vft.items.submission import SubmissionItem  # noqa: PLC0415 - openai takes 0.6 s to import

        return SubmissionItem.from_parent(
            file, name=self._request.step, source=file.source, lint=self._lint, submission=self._submission
        )

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember which items are to run: only their rules and files are linted."""
        items = [item for item in session.items if isinstance(item, RuleItem)]
        paths = [item.source.path for item in items if item.source is not None]
        self._lint.select({item.name for item in items}, paths if len(paths) == len(items) else None)

    # reporting

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell each worker of pytest-xdist where the result is shared."""
        node.workerinput["vft_folder"] = self._lint.share()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Place failures at their first finding, and skips at the file, so that -rs folds them."""
        report = yield
        if isinstance(item, RuleItem) and report.when == "call":
            if item.failing is not None:
                report.location = item.place_of(item.failing)
            if report.skipped and isinstance(report.longrepr, tuple):
                report.longrepr = (item.shown_path, 1, report.longrepr[2])
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None]:
        """Write the files of --vft-report in the controller; last, so that a full disk hides nothing."""
        yield
        if hasattr(self._config, "workerinput"):
            return
        report = self._lint.finished()
        if report is not None:
            try:
                for target in self._targets:
                    write(report, target)
            except VftError as error:
                raise pytest.UsageError(f"vft: {error}") from None

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show what a step towards a job says; pytest itself shows that of failures only."""
        for report in terminalreporter.getreports("passed") if self._request.step else ():
            for title, text in report.sections:
                if title.startswith(f"Captured {SUBMIT}"):
                    terminalreporter.section(report.nodeid)
                    terminalreporter.write_line(text)

    def pytest_unconfigure(self) -> None:
        """Remove what was shared."""
        self._lint.close()
