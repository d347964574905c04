"""Datasets as pytest nodes: one item a file and rule, one lint for all of them."""

from __future__ import annotations

import linecache
import os
import pickle
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from pytest_vft.api import Settings, run
from pytest_vft.config import load_config
from pytest_vft.errors import UsageError, VftError, VftWarning
from pytest_vft.model import FileResult, Report, RuleResult, Source, Tally
from pytest_vft.report.formats import parse_targets, write
from pytest_vft.report.item import Failure, failure
from pytest_vft.report.text import header, unknown_reason
from pytest_vft.sources import SUFFIXES, find_sources

# The node of rules on all files together. An id is a path that pytest looks for on disk, so a copied
# one is taken out of the arguments before it does.
DATASET = "vft"


class RuleFailedError(Exception):
    """A rule that fails; its text is what the user reads."""


class DatasetRun:
    """The hooks of a session that checks datasets, and its one lint."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._folder: Path | None = None
        self._report: Report | None = None
        self._selected: Sequence[RuleItem] = ()
        try:
            self.settings = self._read_settings()
            self._targets = parse_targets(config.getoption("vft_report"))
            self.rules = self.settings.rules
        except VftError as error:
            raise pytest.UsageError(f"vft: {error}") from None
        for source in self.settings.sources:
            # pytest prints the source line of a warning: here that would be 60 kB of base64.
            linecache.cache[source.path] = (0, None, [], source.path)

    def _read_settings(self) -> Settings:
        option = self._config.getoption
        arguments = self._config.args
        self._named = {name for path, _, name in _split(arguments) if path == DATASET and name}
        positional = [path for path, _, _ in _split(arguments) if path.lower().endswith(SUFFIXES)]
        self._narrowed = bool(self._named) or any(
            name and path.lower().endswith(SUFFIXES) for path, _, name in _split(arguments)
        )
        if option("vft_only") or self._named:
            arguments[:] = [
                argument
                for argument, (path, _, _) in zip(arguments, _split(arguments), strict=True)
                if path.lower().endswith(SUFFIXES) or not (option("vft_only") or path == DATASET)
            ]
        configuration = option("vft_config")
        config = load_config(Path(configuration) if configuration else None)
        sources = find_sources(
            config,
            [*dict.fromkeys([*option("vft_data"), *map(_shown, positional)])],
            validation=option("vft_validation_data"),
            test=option("vft_test_data"),
        )
        if not sources:
            raise UsageError("no files: write --vft-data=PATH, or list them under [tool.vft.data]")
        select = _patterns(option("vft_select"))
        return Settings(
            config=config,
            sources=sources,
            provider_id=option("vft_provider"),
            model_name=option("vft_model"),
            select=select or None,
            ignore=_patterns(option("vft_ignore")),
            depth=option("vft_depth") or "auto",
            fail_on=option("vft_fail_on") or "error",
            require_checked=option("vft_require_checked"),
        )

    # collecting

    def pytest_report_header(self) -> list[str]:
        """Say what is checked, and how."""
        provider = self.settings.provider
        closes = provider.closes.isoformat() if provider.closes else None
        lines = [header(provider.id, closes, len(self.rules), self.settings.depth)]
        given = self._config.invocation_params.args
        if any(argument in ("--vft-data", "--vft-validation-data", "--vft-test-data") for argument in given):
            lines.append(
                "vft: write --vft-data=PATH; with a space, pytest may take PATH's folder for its root"
            )
        lines += [
            f"vft: --{name.replace('_', '-')} has no effect in this version"
            for name in ("vft_jobs", "vft_no_cache", "vft_allow_private", "vft_base_url")
            if self._config.getoption(name)
        ]
        return lines

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect a data file that was named; never one that a walk through folders met."""
        if file_path.suffix.lower() not in SUFFIXES or not parent.session.isinitpath(file_path):
            return None
        for source in self.settings.sources:
            if os.path.realpath(source.path) == os.path.realpath(file_path):
                return self._file(source, parent)
        return None

    def _file(self, source: Source, parent: pytest.Collector) -> DataFile:
        path = Path(os.path.abspath(source.path))  # noqa: PTH100 - a link stays a link
        root = self._config.rootpath
        # pytest gives all files outside its root the same empty id (pytest-dev/pytest#11245).
        more: dict[str, Any] = {} if path.is_relative_to(root) else {"nodeid": path.as_posix()}
        file: DataFile = DataFile.from_parent(parent, path=path, source=source, run=self, **more)
        return file

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the files that options name, and the dataset, behind what was collected."""
        collected = {item.source.path for item in items if isinstance(item, RuleItem) and item.source}
        nodes: list[pytest.Collector] = []
        if not self._narrowed:
            nodes += [
                self._file(source, session)
                for source in self.settings.sources
                if source.path not in collected
            ]
        if not self._narrowed or self._named:
            nodes.append(DatasetNode.from_parent(session, name=DATASET, nodeid=DATASET, run=self))
        for node in nodes:
            wanted = self._named if node.name == DATASET else ()
            items += [item for item in session.genitems(node) if not wanted or item.name in wanted]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember which items are to run: only their rules and files are linted."""
        self._selected = [item for item in session.items if isinstance(item, RuleItem)]

    # linting

    def report(self) -> Report:
        """Return the report of this session; the first call lints, in one process for all workers."""
        if self._report is None:
            shared = self._shared()
            self._report = self._lint() if shared is None else self._lint_once(shared)
        return self._report

    def _lint(self) -> Report:
        only = {item.rule for item in self._selected}
        paths = {item.source.path for item in self._selected if item.source is not None}
        sources = self.settings.sources
        if all(item.source is not None for item in self._selected):
            sources = tuple(source for source in sources if source.path in paths)
        return run(replace(self.settings, sources=sources), only=only)

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

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell each worker of pytest-xdist where the result is shared."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="vft-"))
        node.workerinput["vft_folder"] = str(self._folder)

    # reporting

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Place failures at their first finding, and skips at the file, so that -rs folds them."""
        report: pytest.TestReport = yield  # type: ignore[assignment]  # what the wrapped hooks return
        if isinstance(item, RuleItem) and call.when == "call":
            path, _, domain = report.location
            report.location = (path, item.first_line, domain)
            if report.skipped and isinstance(report.longrepr, tuple):
                report.longrepr = (item.shown_path, 1, report.longrepr[2])
        return report  # type: ignore[return-value]  # as above

    def pytest_sessionfinish(self) -> None:
        """Write the files of --vft-report, in the controller only."""
        if hasattr(self._config, "workerinput"):
            return
        if self._report is None and self._folder is not None:
            result = self._folder / "report.pickle"
            self._report = _unpickle(result) if result.exists() else None
        if self._report is not None:
            for target in self._targets:
                write(self._report, target)

    def pytest_unconfigure(self) -> None:
        """Remove what was shared."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class DataFile(pytest.File):
    """A dataset file; collecting it reads nothing."""

    def __init__(self, *, source: Source, run: DatasetRun, **more: Any) -> None:
        super().__init__(**more)
        self._source = source
        self._run = run

    def collect(self) -> Iterable[pytest.Item]:
        """Yield an item a rule."""
        for rule in self._run.rules:
            if rule.scope != "dataset":
                yield RuleItem.from_parent(
                    self, name=rule.id, rule=rule.id, source=self._source, run=self._run
                )


class DatasetNode(pytest.Collector):
    """All files of the run together."""

    def __init__(self, *, run: DatasetRun, **more: Any) -> None:
        super().__init__(**more)
        self._run = run

    def collect(self) -> Iterable[pytest.Item]:
        """Yield an item a rule on all files."""
        for rule in self._run.rules:
            if rule.scope == "dataset":
                yield RuleItem.from_parent(self, name=rule.id, rule=rule.id, source=None, run=self._run)


class RuleItem(pytest.Item):
    """One rule on one file, or on all files when *source* is None."""

    def __init__(self, *, rule: str, source: Source | None, run: DatasetRun, **more: Any) -> None:
        super().__init__(**more)
        self.rule = rule
        self.source = source
        self.first_line: int | None = None
        self._run = run
        self.add_marker("vft")
        if self.config.pluginmanager.hasplugin("timeout"):
            self.add_marker(pytest.mark.timeout(0))  # one item lints for all others

    @property
    def shown_path(self) -> str:
        """The path of its file as the user wrote it."""
        return self.source.path if self.source else DATASET

    def runtest(self) -> None:
        """Read this rule's part of the report; fail, warn or skip by it."""
        report = self._run.report()
        result = next(rule for rule in report.rules if rule.id == self.rule)
        self._skip_when_ignored(result)
        tally = self._tally(report)
        failing = failure(report, result, self.source, tally, self.config.getoption("vft_max_shown"))
        if failing and (report.fails(result) or tally.failed == 0):
            self._point_at(failing)
            raise RuleFailedError(failing.text)
        if failing:
            self._point_at(failing)
            self._warn(failing)
        elif tally.unknown:
            pytest.skip(unknown_reason(report, self.rule, tally.unknown, tally.checked))
        elif not tally.checked:
            pytest.skip("not applicable")

    def _skip_when_ignored(self, result: RuleResult) -> None:
        reasons: Mapping[str, str] = (
            self._run.settings.reasons_in(self.source.path) if self.source else self._run.settings.reasons
        )
        if result.id in reasons:
            pytest.skip(f"ignored: {reasons[result.id]}")

    def _tally(self, report: Report) -> Tally:
        if self.source is None:
            return report.dataset[self.rule]
        file = self._file(report)
        tally = file.tallies[self.rule]
        if file.stopped_by and not tally.failed:
            pytest.skip(f"not read: {file.stopped_by}")
        return tally

    def _file(self, report: Report) -> FileResult:
        return next(file for file in report.files if file.path == self.shown_path)

    def _point_at(self, failing: Failure) -> None:
        self.first_line = failing.line - 1 if failing.line else None

    def _warn(self, failing: Failure) -> None:
        try:
            warnings.warn_explicit(VftWarning(failing.short), None, failing.path, failing.line or 1)
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
        return self.path, self.first_line, f"{self.rule} in {where}"


def _split(arguments: Sequence[str]) -> list[tuple[str, str, str]]:
    return [argument.partition("::") for argument in arguments]


def _shown(path: str) -> str:
    """Return *path* as a user of this folder would write it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def _patterns(given: Sequence[str]) -> list[str]:
    return [pattern.strip() for value in given for pattern in value.split(",") if pattern.strip()]


def _unpickle(path: Path) -> Report:
    report: Report = pickle.loads(path.read_bytes())  # noqa: S301 - written by this session, in its own folder
    return report
