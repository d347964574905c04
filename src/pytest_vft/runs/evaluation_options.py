"""What `vft eval` and `pytest --vft-eval` ask for: their options read, and the evaluation run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_vft.errors import UsageError, VftError
from pytest_vft.evaluation.accuracy import Requirement
from pytest_vft.evaluation.comparison import Comparison
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.judge import Judge
from pytest_vft.evaluation.live import Live, LiveProgress, Prices
from pytest_vft.evaluation.predictions import Keys, as_keys, read_ids
from pytest_vft.evaluation.questions import ID_PATTERN
from pytest_vft.evaluation.results import Results
from pytest_vft.evaluation.scoring import KINDS, Kind, Scoring, kinds_of, make_scoring
from pytest_vft.runs.evaluation import NO_JUDGE, Evaluation, evaluate
from pytest_vft.runs.live import evaluate_live
from pytest_vft.text import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What to evaluate, and what is asked of it; *minima* by kind, where there are any."""

    predictions: str
    test: str | None = None
    minima: Mapping[Kind, float] = field(default_factory=dict)
    baseline: str | None = None
    margin: float = 0.0
    alpha: float = 0.05
    requirement: Requirement = field(default_factory=Requirement)
    scoring: Scoring = field(default_factory=Scoring)
    judge: Judge | None = None
    live: Live | None = None
    keys: Keys = field(default_factory=Keys)
    id_pattern: str = ID_PATTERN
    ids: Collection[str] | None = None

    def read(self, on_answer: Callable[[LiveProgress], None]) -> Evaluation:
        """Return the predictions with their questions; those of a live model are asked for first."""
        given: dict[str, Any] = {"keys": self.keys, "id_pattern": self.id_pattern, "ids": self.ids}
        if self.live is None or self.test is None:
            return evaluate(self.predictions, test=self.test, **given)
        return evaluate_live(self.predictions, self.live, test=self.test, on_answer=on_answer, **given)

    def run(
        self, wanted: Collection[Kind] = KINDS, on_answer: Callable[[LiveProgress], None] = lambda _: None
    ) -> tuple[Results, Mapping[str, Sequence[str]]]:
        """Return the results for the *wanted* kinds of questions and, for each kind that failed, a command.

        The command evaluates only the wrong answers of that kind.
        """
        evaluation = self.read(on_answer)
        there = kinds_of(evaluation.matched.answers, self.scoring.choices)
        gates: list[Gate] = []
        comparisons: list[Comparison] = []
        errors: dict[Kind, VftError] = {}
        unscored = 0
        for kind in (kind for kind in KINDS if kind in wanted and kind in there):
            requirement = replace(self.requirement, minimum=self.minima.get(kind))
            needs_judge = self.scoring.metric_for(kind) == "judge" and self.judge is None
            if needs_judge and requirement.minimum is None:
                unscored = there.count(kind)
                continue
            try:
                gates.append(evaluation.gate(kind, requirement, self.scoring, self.judge))
                if self.baseline is not None:
                    comparisons.append(self._compare(evaluation, self.baseline, kind))
            except VftError as error:
                errors[kind] = error
        results = Results(
            predictions=self.predictions,
            test=self.test,
            baseline=self.baseline,
            matched=evaluation.matched,
            judge=self.judge.model if self.judge else None,
            gates=gates,
            comparisons=comparisons,
            errors=errors,
            unscored=unscored,
        )
        return results, {
            str(gate.kind): evaluation.rerun_command(gate, self.judge, evaluation.save_wrong_ids(gate))
            for gate in gates
            if not gate.ok
        }

    def _compare(self, evaluation: Evaluation, baseline: str, kind: Kind) -> Comparison:
        return evaluation.comparison(
            baseline,
            kind,
            self.scoring,
            self.judge,
            margin=self.margin,
            alpha=self.alpha,
            confidence=self.requirement.confidence,
        )


def read_request(predictions: str, options: Mapping[str, Any]) -> EvaluationRequest:
    """Return what *options*, by the names of `vft eval` with _ for -, say; None or False: not given.

    Raises UsageError for what cannot be followed; no data is read.
    """
    given = {name: value for name, value in options.items() if value not in (None, False)}
    minima = read_minima(given.get("min_accuracy"))
    scoring = make_scoring(
        metric=given.get("metric"),
        normalise=given.get("normalise", "text"),
        min_f1=_number(given, "min_f1", 0.5),
        choices=_listed(given.get("choices")),
    )
    judge = _judge(given)
    explicit = "=" in given.get("min_accuracy", "") and "open" in minima
    if explicit and scoring.metric_for("open") == "judge" and judge is None:
        raise UsageError(NO_JUDGE)
    live = _live(given)
    if live is not None and "test" not in given:
        raise UsageError("a live model needs the test split: --vft-eval-test=FILE")
    return EvaluationRequest(
        predictions=predictions,
        test=given.get("test"),
        minima=minima,
        baseline=given.get("baseline"),
        margin=_number(given, "margin", 0.0),
        alpha=_number(given, "alpha", 0.05),
        requirement=Requirement(
            confidence=_optional(given, "confidence"),
            by=given.get("by"),
            min_n=int(_number(given, "min_n", 20)),
        ),
        scoring=scoring,
        judge=judge,
        live=live,
        keys=as_keys(_pairs("keys", given.get("keys", ""))),
        id_pattern=given.get("id_pattern", ID_PATTERN),
        ids=read_ids(given["ids"]) if "ids" in given else None,
    )


def read_minima(text: str | None) -> dict[Kind, float]:
    """Return the minimum of each kind that *text* names: "0.9" of both, or "closed=0.9,open=0.6"."""
    if text is None:
        return {}
    if "=" not in text:
        return dict.fromkeys(KINDS, _share("min-accuracy", text))
    minima: dict[Kind, float] = {}
    for name, value in _pairs("min-accuracy", text).items():
        kind = next((kind for kind in KINDS if kind == name), None)
        if kind is None:
            raise UsageError(f"min-accuracy: no kind {name!r}{nearest(name, KINDS)}; want closed or open")
        minima[kind] = _share("min-accuracy", value)
    return minima


def _judge(given: Mapping[str, Any]) -> Judge | None:
    if "judge" not in given:
        for name in ("judge_url", "judge_images", "judge_itself", "passing", "max_ungraded"):
            if name in given:
                raise UsageError(f"{name.replace('_', '-')} needs a judge: --vft-eval-judge=MODEL")
        return None
    settings: dict[str, Any] = {"passing": _listed(given["passing"])} if "passing" in given else {}
    return Judge(
        model=given["judge"],
        base_url=given.get("judge_url") or given.get("base_url"),
        images="judge_images" in given,
        may_judge_itself="judge_itself" in given,
        max_ungraded=_number(given, "max_ungraded", 0.01),
        **settings,
        **_client(given),
    )


def _live(given: Mapping[str, Any]) -> Live | None:
    if "live" not in given:
        for name in ("max_requests", "max_rate", "max_cost", "prices"):
            if name in given:
                raise UsageError(f"{name.replace('_', '-')} needs a live model: --vft-eval-live=MODEL")
        return None
    prices = _listed(given.get("prices"))
    if prices and len(prices) != len(Prices._fields):
        raise UsageError("prices: want two, as in 2.50,10: US dollars for a million tokens of each")
    requests = _optional(given, "max_requests")
    return Live(
        model=given["live"],
        base_url=given.get("base_url"),
        max_requests=None if requests is None else int(requests),
        max_rate=_optional(given, "max_rate"),
        max_cost=_optional(given, "max_cost"),
        prices=Prices(*(_float("prices", price) for price in prices)) if prices else None,
        **_client(given),
    )


def _client(given: Mapping[str, Any]) -> dict[str, Any]:
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
            raise UsageError(f"{option}: {part!r}: want NAME=VALUE, comma-separated")
        pairs[name] = value
    return pairs


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _share(option: str, text: str) -> float:
    value = _float(option, text)
    if not 0 <= value <= 1:
        raise UsageError(f"{option}: it is {text!r}, want a share from 0 to 1, as in 0.9")
    return value


def _number(given: Mapping[str, Any], name: str, default: float) -> float:
    return _float(name, given[name]) if name in given else default


def _optional(given: Mapping[str, Any], name: str) -> float | None:
    return _float(name, given[name]) if name in given else None


def _float(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{option.replace('_', '-')}: it is {text!r}, want a number") from None
