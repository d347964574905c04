"""Datasets as pytest nodes: one item per file and rule."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

from pytest_vft.errors import VftWarning
from pytest_vft.items.base import ItemFailedError, VftItem
from pytest_vft.items.lint import SessionLint
from pytest_vft.items.request import DATASET
from pytest_vft.model import Report, Source, Tally
from pytest_vft.report.item import ItemFailure, failure
from pytest_vft.report.text import unknown_reason
from pytest_vft.text import safe


class DatasetNode(pytest.Collector):
    """The items of the rules with the ids *rules*, on all files of the run or on the file *source*."""

    def __init__(
        self, *, rules: Collection[str], lint: SessionLint, source: Source | None = None, **more: Any
    ) -> None:
        super().__init__(**more)
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

    def __init__(self, *, source: Source | None, lint: SessionLint, **more: Any) -> None:
        super().__init__(**more)
        self.source = source
        self.failing: ItemFailure | None = None
        self._lint = lint

    @property
    def shown_path(self) -> str:
        """The path of the file as the user wrote it."""
        return safe(self.source.path, None) if self.source else DATASET

    def runtest(self) -> None:
        """Fail, warn or skip according to the report of the session."""
        report = self._lint.report(self.source)
        rule = next(rule for rule in report.rules if rule.id == self.name)
        reason = self._lint.why_ignored(self.name, self.source)
        if reason is not None:
            pytest.skip(f"ignored: {safe(reason, None)}")
        rule = rule._replace(tally=self._tally(report))
        self.failing = failure(report, rule, self.source, self.config.getoption("vft_max_shown"))
        if self.failing and report.fails(rule):
            raise ItemFailedError(self.failing.text)
        if self.failing:
            self._warn(self.failing)
        elif rule.tally.unknown:
            pytest.skip(unknown_reason(report, rule))
        elif not rule.tally.checked:
            pytest.skip("not applicable")

    def _tally(self, report: Report) -> Tally:
        if self.source is None:
            return report.dataset[self.name]
        file = next(file for file in report.files if file.path == self.source.path)
        tally = file.tallies[self.name]
        if file.stopped_by and not tally.failed:
            pytest.skip(f"not read: {file.stopped_by}")
        return tally

    def _warn(self, failing: ItemFailure) -> None:
        warning, path = VftWarning(failing.short), safe(failing.path, None)
        try:
            warnings.warn_explicit(warning, None, path, failing.line or 1)
        except VftWarning:  # -W error
            raise ItemFailedError(failing.text) from None

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the path of the item and its name for headings."""
        where = Path(self.shown_path).name if self.source else "all files"
        return Path(safe(self.path, None)), None, f"{self.name} in {where}"

    def location_of(self, failing: ItemFailure) -> tuple[str, int | None, str]:
        """Return the location of *failing* for pytest: path relative to the root, line counted from 0."""
        path = os.path.relpath(failing.path, self.config.rootpath) if failing.path else self.location[0]
        return safe(path, None), failing.line - 1 if failing.line else None, self.location[2]
