"""The options of `vft eval` and `pytest --vft-eval`, and the evaluation that they ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict, TypeVar

from pytest_vft.errors import UsageError, VftError
from pytest_vft.evaluation.accuracy import MIN_N, Requirement
from pytest_vft.evaluation.comparison import Comparison, Tolerance
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.judge import PASSING, Judge
from pytest_vft.evaluation.live import Live, LiveProgress, Prices
from pytest_vft.evaluation.predictions import Keys, as_keys, read_ids
from pytest_vft.evaluation.questions import ID_PATTERN
from pytest_vft.evaluation.results import Results
from pytest_vft.evaluation.scoring import KINDS, Kind, Scoring, kinds_of
from pytest_vft.evaluation.statistics import check_share
from pytest_vft.runs.evaluation import NO_JUDGE, Evaluation, evaluate
from pytest_vft.runs.live import evaluate_live
from pytest_vft.text import nearest

Default = TypeVar("Default", float, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """Predictions, the minimum accuracy of each kind in *minima*, and all other options.

    With *live*, predictions are answers of a model, asked for where the file does not have them.
    """

    predictions: str
    test: str | None = None
    minima: Mapping[Kind, float] = field(default_factory=dict)
    baseline: str | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    requirement: Requirement = field(default_factory=Requirement)
    scoring: Scoring = field(default_factory=Scoring)
    live: Live | None = None
    keys: Keys = field(default_factory=Keys)
    id_pattern: str = ID_PATTERN
    ids: Collection[str] | None = None

    def run(
        self, kinds: Collection[Kind] = KINDS, on_answer: Callable[[LiveProgress], None] = lambda _: None
    ) -> tuple[Results, Mapping[str, Sequence[str]]]:
        """Return the results of *kinds*, and the commands that evaluate only the wrong answers, by kind.

        *on_answer* is called with each answer of a live model.
        """
        evaluation = self._evaluate(on_answer)
        scoring = self.scoring
        present = kinds_of(evaluation.matched.answers, scoring.choices)
        gates: list[Gate] = []
        comparisons: list[Comparison] = []
        errors: dict[Kind, VftError] = {}
        unscored = 0
        for kind in (kind for kind in KINDS if kind in kinds and kind in present):
            minimum = self.minima.get(kind)
            if minimum is None and scoring.metric_for(kind) == "judge" and scoring.judge is None:
                unscored = present.count(kind)
                continue
            try:
                gates.append(evaluation.gate(kind, replace(self.requirement, minimum=minimum), scoring))
                if self.baseline is not None:
                    comparisons.append(evaluation.comparison(self.baseline, kind, self.tolerance, scoring))
            except VftError as error:
                errors[kind] = error
        results = Results(
            predictions=self.predictions,
            test=self.test,
            baseline=self.baseline,
            matched=evaluation.matched,
            judge=scoring.judge.model if scoring.judge else None,
            gates=gates,
            comparisons=comparisons,
            errors=errors,
            unscored=unscored,
        )
        failed = [gate for gate in gates if not gate.ok]
        return results, {
            str(gate.kind): evaluation.rerun_command(gate, evaluation.save_wrong_ids(gate)) for gate in failed
        }

    def _evaluate(self, on_answer: Callable[[LiveProgress], None]) -> Evaluation:
        path, test, live = self.predictions, self.test, self.live
        keys, pattern, ids = self.keys, self.id_pattern, self.ids
        if live is None or test is None:
            return evaluate(path, test=test, keys=keys, id_pattern=pattern, ids=ids)
        return evaluate_live(
            path, live, test=test, keys=keys, id_pattern=pattern, ids=ids, on_answer=on_answer
        )


def read_request(predictions: str, options: Mapping[str, Any]) -> EvaluationRequest:
    """Return the evaluation for *options*: values by the names of `vft eval`, with _ for -.

    None and False are values that were not given.
    Raises UsageError for invalid options; no data is read.
    """
    given = {name: value for name, value in options.items() if value not in (None, False)}
    minima = read_minima(given.get("min_accuracy"))
    scoring = Scoring(
        metric=given.get("metric"),
        normalise=given.get("normalise", "text"),
        min_f1=_number(given, "min_f1", 0.5),
        choices=_listed(given.get("choices")),
        judge=_judge(given),
    )
    explicit = "=" in given.get("min_accuracy", "") and "open" in minima
    if explicit and scoring.metric_for("open") == "judge" and scoring.judge is None:
        raise UsageError(NO_JUDGE)
    confidence = _number(given, "confidence", None)
    live = _live(given)
    if live is not None and "test" not in given:
        raise UsageError("a live model needs the test split: --vft-eval-test=FILE")
    return EvaluationRequest(
        predictions=predictions,
        test=given.get("test"),
        minima=minima,
        baseline=given.get("baseline"),
        tolerance=Tolerance(
            margin=_number(given, "margin", 0.0), alpha=_number(given, "alpha", 0.05), confidence=confidence
        ),
        requirement=Requirement(
            confidence=confidence, by=given.get("by"), min_n=int(_number(given, "min_n", MIN_N))
        ),
        scoring=scoring,
        live=live,
        keys=as_keys(_pairs("keys", given.get("keys", ""))),
        id_pattern=given.get("id_pattern", ID_PATTERN),
        ids=read_ids(given["ids"]) if "ids" in given else None,
    )


def read_minima(text: str | None) -> dict[Kind, float]:
    """Return the minimum accuracy of each kind: "0.9" for both, or "closed=0.9,open=0.6"."""
    if text is None:
        return {}
    if "=" not in text:
        return dict.fromkeys(KINDS, _share(text))
    minima: dict[Kind, float] = {}
    for name, value in _pairs("min-accuracy", text).items():
        kind = next((kind for kind in KINDS if kind == name), None)
        if kind is None:
            raise UsageError(
                f"min-accuracy: no kind {name!r}{nearest(name, KINDS)}; known: {', '.join(KINDS)}"
            )
        minima[kind] = _share(value)
    return minima


def _judge(given: Mapping[str, Any]) -> Judge | None:
    if "judge" not in given:
        _check_absent(
            given,
            ("judge_url", "judge_images", "judge_itself", "passing", "max_ungraded"),
            "a judge: --vft-eval-judge",
        )
        return None
    return Judge(
        model=given["judge"],
        base_url=given.get("judge_url") or given.get("base_url"),
        passing=_listed(given["passing"]) if "passing" in given else PASSING,
        images="judge_images" in given,
        may_judge_itself="judge_itself" in given,
        max_ungraded=_number(given, "max_ungraded", 0.01),
        **_requests(given),
    )


def _live(given: Mapping[str, Any]) -> Live | None:
    if "live" not in given:
        _check_absent(
            given, ("max_requests", "max_rate", "max_cost", "prices"), "a live model: --vft-eval-live"
        )
        return None
    prices = _listed(given.get("prices"))
    if prices and len(prices) != len(Prices._fields):
        raise UsageError(
            "prices: expected two, such as 2.50,10: US dollars per million tokens of prompts and of answers"
        )
    max_requests = _number(given, "max_requests", None)
    return Live(
        model=given["live"],
        base_url=given.get("base_url"),
        max_requests=None if max_requests is None else int(max_requests),
        max_rate=_number(given, "max_rate", None),
        max_cost=_number(given, "max_cost", None),
        prices=Prices(*(_float("prices", price) for price in prices)) if prices else None,
        **_requests(given),
    )


def _check_absent(given: Mapping[str, Any], names: Sequence[str], needed: str) -> None:
    for name in names:
        if name in given:
            raise UsageError(f"{name.replace('_', '-')} needs {needed}=MODEL")


class _Requests(TypedDict):
    concurrency: int
    timeout: float
    retries: int


def _requests(given: Mapping[str, Any]) -> _Requests:
    return {
        "concurrency": int(_number(given, "concurrency", 8)),
        "timeout": _number(given, "timeout", 60.0),
        "retries": int(_number(given, "retries", 5)),
    }


def _pairs(option: str, text: str) -> dict[str, str]:
    pairs = {}
    for part in _listed(text):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise UsageError(f"{option}: {part!r}: expected NAME=VALUE, comma-separated")
        pairs[name] = value
    return pairs


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _share(text: str) -> float:
    value = _float("min-accuracy", text)
    check_share("min-accuracy", value)
    return value


def _number(given: Mapping[str, Any], name: str, default: Default) -> float | Default:
    return _float(name, given[name]) if name in given else default


def _float(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{option.replace('_', '-')} is {text!r}; expected a number") from None
