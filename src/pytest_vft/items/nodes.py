"""Datasets as pytest nodes: one item per file and rule."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

from pytest_vft.catalogue.load import Rule
from pytest_vft.errors import VftWarning
from pytest_vft.items.attachments import attach_images, name_provider
from pytest_vft.items.base import ItemFailedError, VftItem, file_module
from pytest_vft.items.lint import SessionLint
from pytest_vft.items.request import DATASET
from pytest_vft.model import Report, RuleResult, Source
from pytest_vft.report.item import ItemFailure, failure, on_file
from pytest_vft.report.text import unknown_reason
from pytest_vft.runs.config import relative_path
from pytest_vft.runs.several import split_id
from pytest_vft.text import count, safe

_HEADING = 68  # characters that a heading of pytest leaves of 80 columns
_SHORTEST_MESSAGE = 20


class DatasetNode(pytest.Collector):
    """The items of the rules with the ids *rules*, on all files of the run or on the file *source*."""

    def __init__(
        self, *, rules: Collection[str], lint: SessionLint, source: Source | None = None, **more: Any
    ) -> None:
        super().__init__(**more)
        self.obj = file_module(self.path)
        self.source = source
        self._rules = rules
        self._lint = lint

    def collect(self) -> Iterable[pytest.Item]:
        """Yield an item per rule; no data is read."""
        for rule in self._rules:
            yield RuleItem.from_parent(self, name=rule, source=self.source, lint=self._lint)


class DataFile(DatasetNode, pytest.File):
    """The items of one file; *step* makes the item of a submission step."""

    def __init__(self, *, step: Callable[[DataFile], pytest.Item] | None, **more: Any) -> None:
        super().__init__(**more)
        self._step = step

    def collect(self) -> Iterable[pytest.Item]:
        """Yield an item per rule, and the item of the submission step."""
        yield from super().collect()
        if self._step is not None:
            yield self._step(self)


class RuleItem(VftItem):
    """The rule of this name on one file, or on all files if *source* is None."""

    def __init__(self, *, source: Source | None, lint: SessionLint, name: str, **more: Any) -> None:
        rule = lint.rule(name, source)
        super().__init__(name=name, doc=None if rule is None else safe(rule.summary, None), **more)
        self.source = source
        self.failing: ItemFailure | None = None
        self._lint = lint
        if rule is not None:
            self._describe(rule)

    def _describe(self, rule: Rule | RuleResult) -> None:
        """Set the properties of the item in JUnit reports: rule, severity and source of the rule."""
        properties = {"rule": rule.id, "severity": rule.severity, "source": safe(rule.source, None)}
        others = [pair for pair in self.user_properties if pair[0] not in properties]
        self.user_properties[:] = [*others, *properties.items()]

    @property
    def shown_path(self) -> str:
        """The path of the file as the user wrote it."""
        return safe(self.source.path, None) if self.source else DATASET

    def runtest(self) -> None:
        """Fail, warn or skip according to the report of the session."""
        if label := split_id(self.name)[1]:
            name_provider(self.config, label.strip("[]"))
        report = self._lint.report(self.source, self.name)
        rule = next(rule for rule in report.rules if rule.id == self.name)
        if sampled := self._lint.sampled(report):
            self.user_properties.append(("sample", f"only {count(sampled, 'example')}"))
        self._describe(rule)  # again, since the severity depends on the number of findings
        reason = self._lint.why_ignored(self.name, self.source)
        if reason is not None:
            pytest.skip(f"ignored: {safe(reason, None)}")
        rule = self._own(report, rule)
        path, findings = self.source.path if self.source else "", self._lint.findings(report, self.source)
        self.failing = failure(report, rule, path, findings, self.config.getoption("vft_max_shown"))
        if self.failing and report.fails(rule):
            raise ItemFailedError(self.failing.text)
        if self.failing:
            self._warn(self.failing)
        elif rule.tally.unknown:
            pytest.skip(unknown_reason(report, rule))
        elif not rule.tally.checked:
            pytest.skip("not applicable")

    def attach_images(self, outcome: pytest.TestReport) -> None:
        """Add images of failing examples to *outcome*, for the reports of other plugins."""
        report = self._lint.report(self.source, self.name)
        rule = next(rule for rule in report.rules if rule.id == self.name)
        attach_images(self.config, outcome, report, rule, self._lint.findings(report, self.source))

    def _own(self, report: Report, rule: RuleResult) -> RuleResult:
        """Return the result of *rule* on the file, or on all files; skip if the file was not read."""
        if self.source is None:
            return rule._replace(tally=report.dataset[self.name])
        file = self._lint.file(report, self.source)
        own = on_file(rule, file)
        if file.stopped_by and not own.tally.failed:
            pytest.skip(f"not read: {file.stopped_by}")
        return own

    def _warn(self, failing: ItemFailure) -> None:
        warning, path = VftWarning(failing.short), safe(failing.path, None)
        try:
            warnings.warn_explicit(warning, None, path, failing.line or 1)
        except VftWarning:  # -W error
            raise ItemFailedError(failing.text) from None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any, **__: Any) -> Any:
        """Return the text of a failure; with --tb=line, its first finding, as pytest shows a crash there."""
        text = super().repr_failure(excinfo)
        if (
            self.failing is None
            or not isinstance(text, str)
            or self.config.getoption("tbstyle", None) != "line"
        ):
            return text
        shown: Any = excinfo.getrepr(style="line")
        crash, traceback = shown.reprcrash, shown.reprtraceback
        crash.path, crash.lineno = safe(self.failing.path, None), self.failing.line or 1
        crash.message = f"{self.name}: {self.failing.message}"
        del traceback.reprentries[1:]
        traceback.reprentries[0].lines, traceback.reprentries[0].reprfileloc = text.split("\n"), None
        return shown

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the path of the item and its name for headings."""
        path, where = (self.path, self.shown_path) if self.source else (self.path / DATASET, "all files")
        return Path(safe(path, None)), None, f"{self.name} in {where}"

    def location_of(self, failing: ItemFailure) -> tuple[str, int | None, str]:
        """Return the location of *failing* for pytest: path relative to the root, line from 0, heading."""
        path = relative_path(failing.path, self.config.rootpath) if failing.path else self.location[0]
        name = self.location[2]
        message = safe(failing.message, max(_HEADING - len(name), _SHORTEST_MESSAGE))
        return safe(path, None), failing.line - 1 if failing.line else None, f"{name}: {message}"
