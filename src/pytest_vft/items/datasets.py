"""Datasets as pytest nodes: one item a file and rule, one lint for all of them."""

from __future__ import annotations

import linecache
import os
import pickle
import shutil
import tempfile
import warnings
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from filelock import FileLock

from pytest_vft.catalogue.select import listed, matching
from pytest_vft.errors import LintError, UsageError, VftError, VftWarning
from pytest_vft.model import Report, Source, Tally
from pytest_vft.reading.remote import Watch
from pytest_vft.report.formats import parse_targets, write
from pytest_vft.report.item import ItemFailure, failure
from pytest_vft.report.progress import watching
from pytest_vft.report.text import header, unknown_reason
from pytest_vft.runs.config import Config, load_config
from pytest_vft.runs.lint import run
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.sources import expand, find_sources
from pytest_vft.text import safe
from pytest_vft.web.network import read_network

if TYPE_CHECKING:
    from pytest_vft.runs.submission import Submission

DATASET = "vft"  # stands for a path in ids of rules on all files together
SUBMIT = "submit"  # stands for a scope in ids of a step towards a fine-tuning job


class RuleFailedError(Exception):
    """A rule that fails; its text is what the user reads."""


class NodeArgument(NamedTuple):
    """What an argument names: a file or DATASET, and the rules to run on it ("": all)."""

    path: str
    rules: str


class DatasetRun:
    """The hooks of a session that checks datasets, and its one lint.

    *arguments* are those that name data; where they name rules, nothing else is collected.
    """

    def __init__(self, config: pytest.Config, arguments: Sequence[str]) -> None:
        self._config = config
        self._folder: Path | None = None
        self._report: Report | None = None
        self._failed: LintError | None = None
        self._selected: Sequence[RuleItem] = ()
        step = config.getoption("vft_submit")
        self._submit = f"{SUBMIT}/{step}" if step else None
        try:
            if step == "apply" and not config.getoption("vft_yes"):
                raise UsageError("--vft-submit=apply sends data and costs money: it needs --vft-yes, too")
            self._named = list(_named(arguments))
            self.settings = self._read_settings()
            self.settings.check()  # what is misspelt anywhere is said now, not by each item
            self.submission = self._read_submission() if step else None
            paths = [source.path for source in self.settings.sources]
            self._rules = {path: self._rules_on(path) for path in (*paths, DATASET)}
            self.reasons = {**self.settings.reasons_by_file, DATASET: self.settings.reasons}
            self._targets = parse_targets(config.getoption("vft_report"))
        except VftError as error:
            raise pytest.UsageError(f"vft: {error}") from None
        for source in self.settings.sources:
            # pytest prints the source line of a warning: here that would be 60 kB of base64.
            linecache.cache[safe(source.path, None)] = (0, None, [], source.path)

    def _read_settings(self) -> Settings:
        option = self._config.getoption
        path = option("vft_config")
        config = load_config(Path(path) if path else None)
        sources = self._find_sources(config)
        if not sources:
            raise UsageError("no files: write --vft-data=PATH, or list them under [tool.vft.data]")
        return Settings(
            config=config,
            sources=sources,
            provider_id=option("vft_provider"),
            model_name=option("vft_model"),
            select=listed(option("vft_select")) or None,
            ignore=listed(option("vft_ignore")),
            depth=option("vft_depth") or "auto",
            fail_on=option("vft_fail_on") or "error",
            require_checked=option("vft_require_checked"),
            network=read_network(
                offline=option("vft_offline") or None,
                allow_private=option("vft_allow_private"),
                proxy=option("vft_proxy"),
                cache=not option("vft_no_cache"),
            ),
            jobs=option("vft_jobs"),
        )

    def _read_submission(self) -> Submission:
        from pytest_vft.runs.submission import read_submission  # noqa: PLC0415 - only if it is asked for

        return read_submission(self.settings, base_url=self._config.getoption("vft_base_url"))

    def _find_sources(self, config: Config) -> tuple[Source, ...]:
        """Return the files that options, arguments or, without any, the configuration name.

        A rule on all files needs those of the configuration, too.
        """
        option = self._config.getoption
        train, validation, test = map(option, ("vft_data", "vft_validation_data", "vft_test_data"))
        paths = [path for path, _ in self._named]
        sources: tuple[Source, ...] = ()
        if train or validation or test or not paths or DATASET in paths:
            sources = find_sources(config, train, validation=validation, test=test)
        known = {DATASET, *(os.path.realpath(source.path) for source in sources)}
        more = [path for path in paths if path not in known and os.path.realpath(path) not in known]
        return (*sources, *find_sources(config, more)) if more else sources

    def _rules_on(self, path: str) -> Collection[str]:
        """Return the rules to collect for *path*, a file or DATASET."""
        ids = [rule.id for rule in self.settings.rules if (rule.scope == "dataset") == (path == DATASET)]
        if self._submit and Source(path, "train") in self.settings.sources:
            ids.append(self._submit)
        if not any(rules for _, rules in self._named):
            return ids
        real = os.path.realpath(path)
        patterns = [named.rules for named in self._named if os.path.realpath(named.path) == real]
        return ids if "" in patterns else matching(patterns, ids)

    # collecting

    def pytest_report_header(self) -> list[str]:
        """Say what is checked, and how."""
        provider = self.settings.provider
        closes = provider.closes.isoformat() if provider.closes else None
        settings = self.settings
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
        for source in self.settings.sources:
            path = Path(os.path.abspath(source.path))  # noqa: PTH100 - a link stays a link
            place = path.relative_to(root) if path.is_relative_to(root) else path
            yield DataFile.from_parent(
                session,
                path=path,
                # pytest prints names as they are, and gives all files outside its root one and the
                # same empty id (pytest-dev/pytest#11245).
                name=safe(path.name, None),
                nodeid=safe(place.as_posix(), None),
                rules=self._rules[source.path],
                source=source,
                run=self,
            )
        yield DatasetNode.from_parent(
            session, path=root / DATASET, name=DATASET, nodeid=DATASET, rules=self._rules[DATASET], run=self
        )

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember which items are to run: only their rules and files are linted."""
        self._selected = [item for item in session.items if isinstance(item, RuleItem)]

    # linting

    def report(self) -> Report:
        """Return the report of this session; the first call lints, in one process for all workers."""
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
        only = {item.name for item in self._selected}
        if self._submit in only:
            return run(self.settings, watch=watch)  # a job is planned on all that is known of its data
        paths = {item.source.path for item in self._selected if item.source is not None}
        sources = self.settings.sources
        if all(item.source is not None for item in self._selected):
            sources = tuple(source for source in sources if source.path in paths)
        return run(replace(self.settings, sources=sources), only=only, watch=watch)

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
        if self._report is None and self._folder is not None:
            result = self._folder / "report.pickle"
            self._report = _unpickle(result) if result.exists() else None
        if self._report is not None:
            try:
                for target in self._targets:
                    write(self._report, target)
            except VftError as error:
                raise pytest.UsageError(f"vft: {error}") from None

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show what a step towards a job says; pytest itself shows that of failures only."""
        for report in terminalreporter.getreports("passed") if self._submit else ():
            for title, text in report.sections:
                if title.startswith(f"Captured {SUBMIT}"):
                    terminalreporter.section(report.nodeid)
                    terminalreporter.write_line(text)

    def pytest_unconfigure(self) -> None:
        """Remove what was shared."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class DataFile(pytest.File):
    """A dataset file; collecting it reads nothing."""

    def __init__(self, *, rules: Collection[str], source: Source, run: DatasetRun, **more: Any) -> None:
        super().__init__(**more)
        self._rules = rules
        self._source = source
        self._run = run

    def collect(self) -> Iterable[pytest.Item]:
        """Yield an item a rule, and one for a step towards a job."""
        for rule in self._rules:
            kind = RuleItem
            if rule.startswith(f"{SUBMIT}/"):
                from pytest_vft.items.submission import SubmissionItem as kind  # noqa: N813, PLC0415 - if asked for
            yield kind.from_parent(self, name=rule, source=self._source, run=self._run)


class DatasetNode(pytest.Collector):
    """All files of the run together."""

    def __init__(self, *, rules: Collection[str], run: DatasetRun, **more: Any) -> None:
        super().__init__(**more)
        self._rules = rules
        self._run = run

    def collect(self) -> Iterable[pytest.Item]:
        """Yield an item a rule on all files."""
        for rule in self._rules:
            yield RuleItem.from_parent(self, name=rule, source=None, run=self._run)


class RuleItem(pytest.Item):
    """The rule that it is named for, on one file, or on all files when *source* is None."""

    def __init__(self, *, source: Source | None, run: DatasetRun, **more: Any) -> None:
        super().__init__(**more)
        self.source = source
        self.failing: ItemFailure | None = None
        self._run = run
        self.add_marker("vft")
        if self.config.pluginmanager.hasplugin("timeout"):
            self.add_marker(pytest.mark.timeout(0))  # one item lints for all others

    @property
    def shown_path(self) -> str:
        """The path of its file as the user wrote it."""
        return safe(self.source.path, None) if self.source else DATASET

    def runtest(self) -> None:
        """Read this rule's part of the report; fail, warn or skip by it."""
        report = self._run.report()
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
        reasons = self._run.reasons[self.source.path if self.source else DATASET]
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


def _named(arguments: Sequence[str]) -> Iterator[NodeArgument]:
    for argument in arguments:
        given, _, rules = argument.partition("::")
        for path in [DATASET] if given == DATASET else expand(_shown(given)):
            yield NodeArgument(path, rules)


def _shown(path: str) -> str:
    """Return *path* as a user of this folder would write it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def _unpickle(path: Path) -> Report:
    report: Report = pickle.loads(path.read_bytes())  # noqa: S301 - written by this session, in its own folder
    return report
