"""Datasets as pytest nodes: one item a file and rule."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

from pytest_vft.errors import VftError, VftWarning
from pytest_vft.items.lint import SessionLint
from pytest_vft.items.request import DATASET
from pytest_vft.model import Report, Source, Tally
from pytest_vft.report.item import ItemFailure, failure
from pytest_vft.report.text import unknown_reason
from pytest_vft.text import safe


class RuleFailedError(Exception):
    """A rule that fails; its text is what the user reads."""


class DataFile(pytest.File):
    """A dataset file; collecting it reads nothing.

    *rules* are the ids of the rules to run on it; *step* makes the item of a step towards a job.
    """

    def __init__(
        self,
        *,
        rules: Collection[str],
        source: Source,
        lint: SessionLint,
        step: Callable[[DataFile], pytest.Item] | None,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.source = source
        self._rules = rules
        self._lint = lint
        self._step = step

    def collect(self) -> Iterable[pytest.Item]:
        """Yield an item a rule, and one for a step towards a job."""
        for rule in self._rules:
            yield RuleItem.from_parent(self, name=rule, source=self.source, lint=self._lint)
        if self._step is not None:
            yield self._step(self)


class DatasetNode(pytest.Collector):
    """All files of the run together."""

    def __init__(self, *, rules: Collection[str], lint: SessionLint, **more: Any) -> None:
        super().__init__(**more)
        self._rules = rules
        self._lint = lint

    def collect(self) -> Iterable[pytest.Item]:
        """Yield an item a rule on all files."""
        for rule in self._rules:
            yield RuleItem.from_parent(self, name=rule, source=None, lint=self._lint)


class RuleItem(pytest.Item):
    """The rule that it is named for, on one file, or on all files when *source* is None."""

    def __init__(self, *, source: Source | None, lint: SessionLint, **more: Any) -> None:
        super().__init__(**more)
        self.source = source
        self.failing: ItemFailure | None = None
        self._lint = lint
        self.add_marker("vft")
        if self.config.pluginmanager.hasplugin("timeout"):
            self.add_marker(pytest.mark.timeout(0))  # one item lints for all others

    @property
    def shown_path(self) -> str:
        """The path of its file as the user wrote it."""
        return safe(self.source.path, None) if self.source else DATASET

    def runtest(self) -> None:
        """Read this rule's part of the report; fail, warn or skip by it."""
        report = self._lint.report()
        rule = next(rule for rule in report.rules if rule.id == self.name)
        self._skip_when_ignored()
        tally = self._tally(report)
        here = rule._replace(tally=tally)
        self.failing = failure(report, here, self.source, self.config.getoption("vft_max_shown"))
        if self.failing and report.fails(here):
            raise RuleFailedError(self.failing.text)
        if self.failing:
            self._warn(self.failing)
        elif tally.unknown:
            pytest.skip(unknown_reason(report, here))
        elif not tally.checked:
            pytest.skip("not applicable")

    def _skip_when_ignored(self) -> None:
        settings = self._lint.settings
        reasons = settings.reasons_by_file[self.source.path] if self.source else settings.reasons
        if self.name in reasons:
            pytest.skip(f"ignored: {safe(reasons[self.name], None)}")

    def _tally(self, report: Report) -> Tally:
        if self.source is None:
            return report.dataset[self.name]
        file = next(file for file in report.files if file.path == self.source.path)
        tally = file.tallies[self.name]
        if file.stopped_by and not tally.failed:
            pytest.skip(f"not read: {file.stopped_by}")
        return tally

    def _warn(self, failing: ItemFailure) -> None:
        try:
            warnings.warn_explicit(
                VftWarning(failing.short), None, safe(failing.path, None), failing.line or 1
            )
        except VftWarning:  # -W error
            raise RuleFailedError(failing.text) from None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any, **__: Any) -> Any:
        """Return our own text as it is: no traceback for what data did."""
        if isinstance(excinfo.value, RuleFailedError | VftError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where this item stands, and its name for headings."""
        where = Path(self.shown_path).name if self.source else "all files"
        return Path(safe(self.path, None)), None, f"{self.name} in {where}"

    def _initrequest(self) -> None:
        """Do nothing: pytest-retry resets fixtures by it, and there are none."""

    def place_of(self, failing: ItemFailure) -> tuple[str, int | None, str]:
        """Return the location of *failing* as pytest counts: from its root, lines from 0."""
        path = os.path.relpath(failing.path, self.config.rootpath) if failing.path else self.location[0]
        return safe(path, None), failing.line - 1 if failing.line else None, self.location[2]
