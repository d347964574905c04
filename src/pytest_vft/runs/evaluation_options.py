"""The options of `vft eval` and `pytest --vft-eval`, and the evaluation that they ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from pytest_vft.errors import EvaluationError, UsageError, VftError
from pytest_vft.evaluation.accuracy import Requirement, check_groups
from pytest_vft.evaluation.answer_fields import select_in_answer
from pytest_vft.evaluation.calibration import HumanRating, check_labels, read_labels
from pytest_vft.evaluation.comparison import Comparison, Tolerance
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.judge import Judge, judges_itself
from pytest_vft.evaluation.live import Live, LiveProgress, answer_to_come
from pytest_vft.evaluation.predictions import Keys, as_keys, read_ids
from pytest_vft.evaluation.questions import ID_PATTERN, Question
from pytest_vft.evaluation.results import Results
from pytest_vft.evaluation.scoring import KINDS, Kind, Scoring, kinds_of
from pytest_vft.naming import option
from pytest_vft.runs.evaluation import Evaluation, evaluate
from pytest_vft.runs.live import evaluate_live
from pytest_vft.runs.minima import read_minima
from pytest_vft.runs.option_values import (
    merge_values,
    read_list,
    read_number,
    read_pairs,
    read_whole_number,
)
from pytest_vft.runs.unjudged import no_judge, no_questions
from pytest_vft.text import either

Record = TypeVar("Record")

_LISTS = ("by", "choices", "passing", "prices", "judge_prices")
_INTEGERS = ("concurrency", "max_requests", "min_n", "repeat", "retries")
_JUDGE = (
    "judge_labels",
    "judge_url",
    "judge_images",
    "judge_itself",
    "judge_prices",
    "passing",
    "max_ungraded",
    "retry_ungraded",
)
_ASKING = ("provider", "max_requests", "max_rate", "max_cost", "fresh")
_NUMBERS = ("alpha", "confidence", "margin", "max_cost", "max_rate", "max_ungraded", "min_f1", "timeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """Predictions, the minimum accuracy of each kind in *minima*, and all other options.

    There must be questions of the *required* kinds; a minimum of any other kind applies to those there are.
    With *live*, predictions are answers of a model, asked for where the file does not have them.
    """

    predictions: str
    test: str | None = None
    minima: Mapping[Kind, float] = field(default_factory=dict)
    required: Collection[Kind] = ()
    against: str | None = None
    tolerance: Tolerance = field(default_factory=Tolerance)
    requirement: Requirement = field(default_factory=Requirement)
    scoring: Scoring = field(default_factory=Scoring)
    live: Live | None = None
    keys: Keys = field(default_factory=Keys)
    id_pattern: str = ID_PATTERN
    data_format: str | None = None
    image_roots: Sequence[str] = ()
    ids: Collection[str] | None = None
    judge_labels: str | None = None

    def run(
        self, kinds: Collection[Kind] = KINDS, on_answer: Callable[[LiveProgress], None] = lambda _: None
    ) -> tuple[Results, Mapping[str, Sequence[str]]]:
        """Return the results of *kinds*, and the commands that evaluate only the wrong answers, by kind.

        *on_answer* is called with each answer of a live model.
        """
        labels = None if self.judge_labels is None else read_labels(self.judge_labels, self.keys)
        evaluation = self._evaluate(on_answer, labels or ())
        check_labels(labels or (), {answer.id for answer in evaluation.matched.answers} if labels else ())
        scoring = self.scoring
        present = kinds_of(evaluation.matched.answers, scoring.choices)
        gates: list[Gate] = []
        comparisons: list[Comparison] = []
        errors: dict[Kind, VftError] = {}
        unscored = 0
        wanted = [kind for kind in KINDS if kind in kinds and (kind in present or kind in self.required)]
        for kind in wanted:
            if not self._is_scored(kind):
                unscored = present.count(kind)
                continue
            minimum = self.minima.get(kind)
            try:
                gates.append(evaluation.gate(kind, replace(self.requirement, minimum=minimum), scoring))
                if self.against is not None:
                    comparisons.append(evaluation.comparison(self.against, kind, self.tolerance, scoring))
            except VftError as error:
                errors[kind] = error
        if not gates and not errors:
            errors = {"open": no_judge()} if unscored else dict.fromkeys(kinds, _nothing_judged(kinds))
        calibration = None
        judged = [kind for kind in kinds if scoring.metric_for(kind) == "judge"]
        if labels is not None and judged and not errors:
            try:
                calibration = evaluation.calibration(labels, scoring)
            except VftError as error:
                errors[judged[0]] = error
        results = Results(
            predictions=self.predictions,
            test=self.test,
            against=self.against,
            matched=evaluation.matched,
            judge=scoring.judge.model if scoring.judge else None,
            gates=gates,
            comparisons=comparisons,
            errors=errors,
            unscored=unscored,
            judge_labels=self.judge_labels,
            calibration=calibration,
            spending=evaluation.spending,
        )
        failed = [gate for gate in gates if not gate.ok]
        return results, {str(gate.kind): evaluation.write_wrong_ids(gate) for gate in failed}

    def _is_scored(self, kind: Kind) -> bool:
        """Return whether answers of *kind* can be scored, or a gate on them needs it."""
        scoring = self.scoring
        if scoring.metric_for(kind) != "judge" or scoring.judge is not None or kind in self.minima:
            return True
        return self.against is not None and not self.required

    def _evaluate(
        self, on_answer: Callable[[LiveProgress], None], labels: Sequence[HumanRating]
    ) -> Evaluation:
        path, test, live = self.predictions, self.test, self.live
        if live is None or test is None:
            return self._read(path, self.ids)
        return evaluate_live(
            path,
            live,
            test=test,
            keys=self.keys,
            id_pattern=self.id_pattern,
            data_format=self.data_format,
            image_roots=self.image_roots,
            ids=self.ids,
            before=lambda questions: self._check_before_asking(questions, labels),
            on_answer=on_answer,
        )

    def _check_before_asking(self, questions: Sequence[Question], labels: Sequence[HumanRating]) -> None:
        """Raise an error if answers to *questions* could not be judged, before they cost anything."""
        answers = [select_in_answer(answer_to_come(question), self.keys.field) for question in questions]
        check_groups(answers, self.requirement.keys)
        names = {name for one in questions for name in (one.id, one.numbered, str(one.line))}
        check_labels(labels, {name for name in names if name is not None})
        present = kinds_of(answers, self.scoring.choices)
        for kind in self.required:
            if kind not in present:
                raise EvaluationError(no_questions(kind, answers))
        if not any(self._is_scored(kind) for kind in KINDS if kind in present):
            raise no_judge()
        if "open" in present and self._is_scored("open") and self.scoring.metric_for("open") == "judge":
            if self.scoring.judge is None:
                raise no_judge()
            self.scoring.judge.credentials()
        if self.against is not None:
            self._read(self.against)

    def _read(self, path: str, ids: Collection[str] | None = None) -> Evaluation:
        """Return the evaluation of the predictions at *path*."""
        return evaluate(
            path,
            test=self.test,
            keys=self.keys,
            id_pattern=self.id_pattern,
            data_format=self.data_format,
            image_roots=self.image_roots,
            ids=ids,
        )


def read_request(predictions: str, options: Mapping[str, Any]) -> EvaluationRequest:
    """Return the evaluation for *options*: values by the names of `vft eval`, with _ for -.

    None and False are values that were not given.
    Raises UsageError for invalid options; no data is read.
    """
    merged = merge_values(options)
    given = {name: _value(name, value) for name, value in merged.items() if value not in (None, False)}
    _check_absent(given, ("model",), option("write-batch", "FILE"))
    _check_gates(given)
    minima = read_minima(given.get("min_accuracy"))
    scoring = _record(Scoring, given, judge=_judge(given))
    required = tuple(minima) if "=" in given.get("min_accuracy", "") else ()
    if "open" in required and scoring.metric_for("open") == "judge" and scoring.judge is None:
        raise no_judge()
    if "judge_labels" in given and all(scoring.metric_for(kind) != "judge" for kind in KINDS):
        raise UsageError(
            f"{option('judge-labels')} needs answers that the judge rates; leave out {option('metric')}"
        )
    live = _live(given)
    if live and scoring.judge and live.model == scoring.judge.model and not scoring.judge.may_judge_itself:
        raise judges_itself(live.model)
    if live is not None and "test" not in given:
        raise UsageError(f"a live model needs the test split: {option('test', 'FILE')}")
    return _record(
        EvaluationRequest,
        given,
        predictions=predictions,
        minima=minima,
        required=required,
        tolerance=_record(Tolerance, given),
        requirement=_record(Requirement, given),
        scoring=scoring,
        live=live,
        image_roots=tuple(given.get("image_root", ())),
        keys=replace(as_keys(read_pairs("keys", given.get("keys", ""))), field=given.get("field")),
        ids=read_ids(given["ids"]) if "ids" in given else None,
    )


def _check_gates(given: Mapping[str, Any]) -> None:
    """Raise UsageError for an option of a gate without that gate, which would have no effect."""
    against, minimum = option("against", "FILE"), option("min-accuracy", "N")
    if "against" not in given:
        _check_absent(given, ("margin", "alpha"), f"another model: {against}")
        if "min_accuracy" not in given:
            _check_absent(given, ("confidence",), f"a minimum or another model: {minimum} or {against}")
    if "by" not in given:
        _check_absent(given, ("min_n",), f"groups: {option('by', 'KEYS')}")


def _nothing_judged(kinds: Collection[Kind]) -> EvaluationError:
    return EvaluationError(f"nothing was judged: there are no {either(sorted(kinds))} questions")


def _judge(given: Mapping[str, Any]) -> Judge | None:
    if "judge" not in given:
        _check_absent(given, _JUDGE, f"a judge: {option('judge', 'MODEL')}")
        return None
    return _record(
        Judge,
        given,
        model=given["judge"],
        base_url=given.get("judge_url") or given.get("base_url"),
        images="judge_images" in given,
        may_judge_itself="judge_itself" in given,
        prices=_prices(given, "judge_prices"),
    )


def _live(given: Mapping[str, Any]) -> Live | None:
    if "live" not in given:
        _check_absent(given, ("prices", "repeat"), f"a live model: {option('live', 'MODEL')}")
        if "judge" not in given:
            asked = f"a model or a judge: {option('live', 'MODEL')} or {option('judge', 'MODEL')}"
            _check_absent(given, _ASKING, asked)
        return None
    return _record(Live, given, model=given["live"], prices=_prices(given, "prices"))


def _prices(given: Mapping[str, Any], name: str) -> tuple[float, ...] | None:
    return tuple(read_number(name, price) for price in given[name]) if name in given else None


def _check_absent(given: Mapping[str, Any], names: Sequence[str], needed: str) -> None:
    for name in names:
        if name in given:
            raise UsageError(f"{option(name.replace('_', '-'))} needs {needed}")


def _record(record: type[Record], given: Mapping[str, Any], **others: Any) -> Record:
    """Return the dataclass *record* with the *given* values that are named like its fields, and *others*."""
    named = {field.name: given[field.name] for field in fields(record) if field.name in given}  # type: ignore[arg-type]  # a dataclass
    return record(**{**named, **others})


def _value(name: str, value: Any) -> Any:
    """Return the *value* of the option *name* as the type that records have."""
    if name in _LISTS:
        return read_list(value)
    if name in _INTEGERS:
        return read_whole_number(name, value)
    return read_number(name, value) if name in _NUMBERS else value
