"""Predictions as pytest nodes: one item per kind of questions, as in `preds.jsonl::eval/closed`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from pytest_vft.errors import UsageError
from pytest_vft.evaluation.results import Results
from pytest_vft.evaluation.scoring import KINDS, Kind
from pytest_vft.items.base import (
    ItemFailedError,
    VftItem,
    file_module,
    file_names,
    given_options,
    load_conftests,
    usage_errors,
)
from pytest_vft.naming import naming_for
from pytest_vft.report.evaluation import result_targets, write_results
from pytest_vft.report.evaluation_calibration import calibration_lines
from pytest_vft.report.evaluation_comparison import render_comparison
from pytest_vft.report.evaluation_text import render_gate
from pytest_vft.report.layout import Display
from pytest_vft.runs.evaluation_options import read_request
from pytest_vft.text import nearest

_PREFIX = "eval/"
_SHARED = ("base_url", "data_format", "image_root")  # options of checks as well


class EvalRun:
    """The hooks and the evaluation of a session that judges predictions.

    *arguments* are ids of items; if there are any, only the kinds that they name are judged.
    """

    def __init__(self, config: pytest.Config, arguments: Sequence[str]) -> None:
        self._config = config
        self._selected: Sequence[Kind] = ()
        self._results: tuple[Results, Mapping[str, Sequence[str]]] | None = None
        with usage_errors():
            paths: Sequence[str] = config.getoption("vft_eval") or ()
            if not paths:
                raise UsageError("no predictions: write --vft-eval=FILE")
            if len(set(paths)) > 1:
                raise UsageError(f"--vft-eval names {len(set(paths))} files of predictions; expected one")
            path = paths[0]
            shared = {name: config.getoption(f"vft_{name}") for name in _SHARED}
            with naming_for("pytest"):
                self.request = read_request(path, {**given_options(config, "vft_eval_"), **shared})
            if not self.request.minima and self.request.against is None:
                raise UsageError("no gate: write --vft-eval-min-accuracy=N or --vft-eval-against=FILE")
            self._targets = result_targets(config.getoption("vft_eval_report") or ())
            gated = KINDS if self.request.against is not None else tuple(self.request.minima)
            self.kinds = _kinds(path, arguments) or gated

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Load the conftest files of the folder with the predictions, whose hooks apply to the items."""
        load_conftests(session, [self.request.predictions])

    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Append the items of the predictions; collecting reads nothing."""
        names = file_names(session.config.rootpath, self.request.predictions)
        items += session.genitems(Predictions.from_parent(session, **names, run=self))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Limit the evaluation to the kinds of the selected items."""
        self._selected = [item.kind for item in session.items if isinstance(item, EvalItem)]

    def results(self) -> tuple[Results, Mapping[str, Sequence[str]]]:
        """Return the verdicts of this session; the first call reads, asks and judges.

        Each worker of pytest-xdist does so; they share a transcript under a lock, so that no question is
        asked twice.
        """
        if self._results is None:
            self._results = self.request.run(self._selected)
            option = self._config.getoption
            display = Display(option("vft_max_shown"), images=not option("vft_no_images"))
            for target in self._targets:
                write_results(*self._results, target, display)
        return self._results

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show how the judge agrees with people, and what requests have cost."""
        if self._results is None:
            return
        results = self._results[0]
        if results.calibration:
            labels = str(results.judge_labels)
            for line in calibration_lines(results.calibration, str(results.judge), labels):
                terminalreporter.write_line(line)
        if results.spending.requests:
            terminalreporter.write_line(f"vft: spent: {results.spending}")


class Predictions(pytest.File):
    """A file of predictions; collecting it reads nothing."""

    def __init__(self, *, run: EvalRun, **more: Any) -> None:
        super().__init__(**more)
        self.obj = file_module(self.path)
        self._run = run

    def collect(self) -> Iterable[pytest.Item]:
        """Yield an item per kind of questions."""
        for kind in self._run.kinds:
            yield EvalItem.from_parent(self, name=f"{_PREFIX}{kind}", kind=kind, run=self._run)


class EvalItem(VftItem):
    """The gates on the answers to one kind of questions."""

    def __init__(self, *, kind: Kind, run: EvalRun, **more: Any) -> None:
        super().__init__(doc=f"The answers to {kind} questions reach the minimum.", **more)
        self.kind = kind
        self._run = run

    def runtest(self) -> None:
        """Fail with the texts of the failed gates.

        Skip if there are only questions of the other kind, and no minimum names this kind.
        """
        with naming_for("pytest"):
            self._judge()

    def _judge(self) -> None:
        results, commands = self._run.results()
        if self.kind in results.errors:
            raise results.errors[self.kind]
        path, most_shown = results.predictions, self.config.getoption("vft_max_shown")
        gates = [gate for gate in results.gates if gate.kind == self.kind]
        comparisons = [one for one in results.comparisons if one.kind == self.kind]
        failed = [
            render_gate(gate, path, results.test, results.matched, commands.get(self.kind, ()), most_shown)
            for gate in gates
            if not gate.ok
        ]
        failed += [render_comparison(one, path, str(results.against)) for one in comparisons if not one.ok]
        if failed:
            raise ItemFailedError("\n".join(failed))
        if not gates:
            pytest.skip(f"no {self.kind} questions")


def _kinds(path: str, arguments: Sequence[str]) -> Sequence[Kind]:
    """Return the kinds that *arguments* name. Raises UsageError for other files and unknown names."""
    named: list[Kind] = []
    for argument in arguments:
        given, _, name = argument.partition("::")
        kind = next((kind for kind in KINDS if f"{_PREFIX}{kind}" == name), None)
        if kind is None:
            known = [f"{_PREFIX}{kind}" for kind in KINDS]
            expected = " or ".join(known)
            raise UsageError(f"{argument}: unknown {name!r}{nearest(name, known)}; expected {expected}")
        if os.path.realpath(given) != os.path.realpath(path):
            raise UsageError(f"{argument}: the predictions are in {path}")
        named.append(kind)
    return tuple(dict.fromkeys(named))
