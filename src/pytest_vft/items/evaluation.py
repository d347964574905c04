"""Predictions as pytest nodes: one item a kind of questions, `preds.jsonl::eval/closed`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_vft.errors import MissingKeyError, UsageError, VftError
from pytest_vft.evaluation.results import Results
from pytest_vft.evaluation.scoring import KINDS, Kind
from pytest_vft.report.evaluation import result_targets, write_results
from pytest_vft.report.evaluation_text import render_comparison, render_gate
from pytest_vft.runs.evaluation_options import read_request
from pytest_vft.text import nearest, safe

_PREFIX = "eval/"


class GateFailedError(Exception):
    """A gate that fails; its text is what the user reads."""


class EvalRun:
    """The hooks of a session that judges predictions, and its one evaluation.

    *arguments* are ids of items, as in preds.jsonl::eval/closed; with any, no other kind is judged.
    """

    def __init__(self, config: pytest.Config, arguments: Sequence[str]) -> None:
        self._config = config
        self._wanted: Sequence[Kind] = ()
        self._results: tuple[Results, Mapping[str, Sequence[str]]] | None = None
        try:
            path = config.getoption("vft_eval")
            if path is None:
                raise UsageError("no predictions: write --vft-eval=FILE")
            options = {
                name.removeprefix("vft_eval_"): value
                for name, value in vars(config.option).items()
                if name.startswith("vft_eval_")
            }
            options["base_url"] = config.getoption("vft_base_url")
            self.request = read_request(path, options)
            if not self.request.minima and self.request.baseline is None:
                raise UsageError(
                    "nothing to judge by: write --vft-eval-min-accuracy=N, or --vft-eval-baseline"
                )
            self._targets = result_targets(config.getoption("vft_eval_report") or ())
            self.kinds = _kinds(path, arguments) or self._asked_of()
        except VftError as error:
            raise pytest.UsageError(f"vft: {error}") from None

    def _asked_of(self) -> Sequence[Kind]:
        """Return the kinds of questions that something is asked of."""
        return KINDS if self.request.baseline is not None else tuple(self.request.minima)

    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add our items behind what was collected; collecting reads nothing."""
        root = session.config.rootpath
        path = Path(os.path.abspath(self.request.predictions))  # noqa: PTH100 - a link stays a link
        place = path.relative_to(root) if path.is_relative_to(root) else path
        node = Predictions.from_parent(
            session, path=path, name=safe(path.name, None), nodeid=safe(place.as_posix(), None), run=self
        )
        items += session.genitems(node)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember which items are to run: nobody is asked about other kinds."""
        self._wanted = [item.kind for item in session.items if isinstance(item, EvalItem)]

    def results(self) -> tuple[Results, Mapping[str, Sequence[str]]]:
        """Return the verdicts of this session; the first call reads, asks and judges.

        Each worker of pytest-xdist does so: what was asked stands in a transcript, for which they
        take turns, so that nothing is asked twice.
        """
        if self._results is None:
            self._results = self.request.run(self._wanted)
            for target in self._targets:
                write_results(*self._results, target, self._config.getoption("vft_max_shown"))
        return self._results


class Predictions(pytest.File):
    """A file of predictions; collecting it reads nothing."""

    def __init__(self, *, run: EvalRun, **more: Any) -> None:
        super().__init__(**more)
        self._run = run

    def collect(self) -> Iterable[pytest.Item]:
        """Yield an item a kind."""
        for kind in self._run.kinds:
            yield EvalItem.from_parent(self, name=f"{_PREFIX}{kind}", kind=kind, run=self._run)


class EvalItem(pytest.Item):
    """What is asked of the answers to one kind of questions."""

    def __init__(self, *, kind: Kind, run: EvalRun, **more: Any) -> None:
        super().__init__(**more)
        self.kind = kind
        self._run = run
        self.add_marker("vft")
        if self.config.pluginmanager.hasplugin("timeout"):
            self.add_marker(pytest.mark.timeout(0))  # one item asks for all others

    def runtest(self) -> None:
        """Fail with what its gates say, or skip when there is nothing to say."""
        try:
            results, commands = self._run.results()
            if self.kind in results.errors:
                raise results.errors[self.kind]
        except MissingKeyError as error:
            if self.config.getoption("vft_require_checked"):
                raise
            pytest.skip(str(error))
        path, most_shown = results.predictions, self.config.getoption("vft_max_shown")
        gates = [gate for gate in results.gates if gate.kind == self.kind]
        comparisons = [one for one in results.comparisons if one.kind == self.kind]
        failed = [
            render_gate(gate, path, results.test, results.matched, commands.get(self.kind, ()), most_shown)
            for gate in gates
            if not gate.ok
        ]
        failed += [render_comparison(one, path, str(results.baseline)) for one in comparisons if not one.ok]
        if failed:
            raise GateFailedError("\n".join(failed))
        if not gates:
            pytest.skip(f"no {self.kind} questions")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any, **__: Any) -> Any:
        """Return our own text as it is: no traceback for what predictions did."""
        if isinstance(excinfo.value, GateFailedError | VftError):
            return (
                str(excinfo.value)
                if isinstance(excinfo.value, GateFailedError)
                else safe(excinfo.value, None)
            )
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where this item stands, and its name for headings."""
        return Path(safe(self.path, None)), None, f"{self.name} in {safe(self.path.name, None)}"

    def _initrequest(self) -> None:
        """Do nothing: pytest-retry resets fixtures by it, and there are none."""


def _kinds(path: str, arguments: Sequence[str]) -> Sequence[Kind]:
    """Return the kinds that *arguments* name. Raises UsageError for other files and other names."""
    named: list[Kind] = []
    for argument in arguments:
        given, _, name = argument.partition("::")
        kind = next((kind for kind in KINDS if f"{_PREFIX}{kind}" == name), None)
        if kind is None:
            known = [f"{_PREFIX}{kind}" for kind in KINDS]
            raise UsageError(f"{argument}: no {name!r}{nearest(name, known)}; there are {', '.join(known)}")
        if os.path.realpath(given) != os.path.realpath(path):
            raise UsageError(f"{argument}: the predictions are in {path}")
        named.append(kind)
    return tuple(dict.fromkeys(named))
