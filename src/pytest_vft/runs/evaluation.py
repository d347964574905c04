"""An evaluation: predictions matched to their questions, and what can be asked of them."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pytest_vft.client import make_client, read_credentials
from pytest_vft.errors import UsageError
from pytest_vft.evaluation.accuracy import Requirement, of_kind
from pytest_vft.evaluation.chat import ChatModel
from pytest_vft.evaluation.comparison import Comparison, compare
from pytest_vft.evaluation.gate import Gate, evaluate_gate
from pytest_vft.evaluation.gc_pause import gc_paused
from pytest_vft.evaluation.judge import Judge, as_judge, check_not_itself, ratings
from pytest_vft.evaluation.live import Live
from pytest_vft.evaluation.predictions import (
    Keys,
    MatchedPredictions,
    as_keys,
    match,
    match_without_split,
    read_predictions,
    select_ids,
)
from pytest_vft.evaluation.questions import ID_PATTERN, Question, read_questions
from pytest_vft.evaluation.scoring import (
    KINDS,
    Kind,
    Mark,
    Metric,
    Normalisation,
    Scoring,
    kinds_of,
    make_scoring,
    score,
)
from pytest_vft.evaluation.transcript import open_transcript
from pytest_vft.reading.sqlite import FOLDER, make_folder
from pytest_vft.report.evaluation_text import render_comparison, render_gate
from pytest_vft.text import nearest
from pytest_vft.writing import write_text

CACHE = Path(FOLDER)
NO_JUDGE = (
    "open answers need a judge: --vft-eval-judge=MODEL (judge= in Python), "
    "or a metric that takes them at their letters: --vft-eval-metric=normalised_exact (metric=)"
)

StrPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Predictions with their questions, to be asked for verdicts."""

    path: str
    test: str | None
    matched: MatchedPredictions = field(repr=False)
    keys: Keys = field(default_factory=Keys)
    id_pattern: str = ID_PATTERN

    def measure(  # noqa: PLR0913 - all by keyword, each with a default
        self,
        minimum: float | None = None,
        *,
        kind: Kind | None = None,
        metric: Metric | None = None,
        normalise: Normalisation = "text",
        min_f1: float = 0.5,
        choices: Sequence[str] = (),
        judge: Judge | str | None = None,
        by: str | None = None,
        min_n: int = 20,
        confidence: float | None = None,
    ) -> Gate:
        """Return the accuracy of the answers of *kind*, and whether it reaches *minimum*.

        The arguments are those of assert_min_accuracy.
        """
        requirement = Requirement(minimum=minimum, confidence=confidence, by=by, min_n=min_n)
        scoring = make_scoring(metric=metric, normalise=normalise, min_f1=min_f1, choices=choices)
        return self.gate(kind, requirement, scoring, as_judge(judge))

    def gate(
        self, kind: Kind | None, requirement: Requirement, scoring: Scoring, judge: Judge | None
    ) -> Gate:
        """Like measure(), for arguments that have been validated."""
        marks = self.marks(kind, scoring, judge)
        allowed = judge.max_ungraded if judge else 0.0
        return evaluate_gate(self.matched, marks, kind, requirement, scoring, max_ungraded=allowed)

    def marks(self, kind: Kind | None, scoring: Scoring, judge: Judge | None) -> Sequence[Mark]:
        """Return a mark for each answer of *kind*. Raises UsageError for open ones without a judge."""
        if kind is not None and kind not in KINDS:
            raise UsageError(f"no kind {kind!r}{nearest(kind, KINDS)}; want closed or open")
        answers = self.matched.answers
        kinds = kinds_of(answers, scoring.choices)
        if kind is not None:
            answers = [one for one, found in zip(answers, kinds, strict=True) if found in (kind, None)]
            kinds = [found for found in kinds if found in (kind, None)]
        judged = [one for one in KINDS if scoring.metric_for(one) == "judge"]
        wanted = [
            answer
            for answer, found in (zip(answers, kinds, strict=True) if judged else ())
            if found in judged and answer.said.strip()
        ]
        rated: Mapping[str, str] = {}
        if wanted:
            if judge is None:
                raise UsageError(NO_JUDGE)
            check_not_itself(judge, [answer.fields.get("model") for answer in wanted])
            with open_transcript(_cached("ratings.jsonl")) as transcript:
                rated = ratings(wanted, judge, transcript, lambda: make_chat(judge, judge.parameters))
        with gc_paused():
            marks = score(answers, kinds, scoring, rated, judge.passing if judge else ())
        return of_kind(marks, kind)

    def assert_min_accuracy(self, minimum: float, **settings: Any) -> Gate:
        """Raise AssertionError unless the share of right answers reaches *minimum*, else return the gate.

        *settings* are those of pytest_vft.assert_min_accuracy.
        """
        __tracebackhide__ = True
        gate = self.measure(minimum, **settings)
        if not gate.ok:
            command = self.rerun_command(gate, as_judge(settings.get("judge")), self.save_wrong_ids(gate))
            raise AssertionError(render_gate(gate, self.path, self.test, self.matched, command))
        return gate

    def save_wrong_ids(self, gate: Gate) -> Path:
        """Write the ids of the wrong answers, one a line, to a file in the cache; return its path."""
        path = _cached(f"wrong-{Path(self.path).stem}{f'-{gate.kind}' if gate.kind else ''}.txt")
        write_text(path, "".join(f"{mark.answer.id}\n" for mark in gate.wrong), errors="backslashreplace")
        return path

    def rerun_command(self, gate: Gate, judge: Judge | None, ids: Path) -> list[str]:
        """Return the command that evaluates only the answers that the file *ids* lists, as *gate* did."""
        options = {
            "test": self.test,
            "ids": f"@{ids}",
            "keys": ",".join(
                f"{key.name}={getattr(self.keys, key.name)[0]}"
                for key in fields(Keys)
                if getattr(self.keys, key.name) != getattr(Keys(), key.name)
            ),
            "id-pattern": "" if self.id_pattern == ID_PATTERN else self.id_pattern,
            "metric": gate.scoring.metric,
            "normalise": "" if gate.scoring.normalise == "text" else gate.scoring.normalise,
            "choices": ",".join(gate.scoring.choices),
            "judge": judge.model if judge else "",
        }
        given = [f"--{name}={value}" for name, value in options.items() if value]
        return ["vft", "eval", self.path, *given]

    def assert_not_worse_than(  # noqa: PLR0913 - all by keyword, each with a default
        self,
        baseline: StrPath,
        *,
        margin: float = 0.0,
        alpha: float = 0.05,
        confidence: float | None = None,
        kind: Kind | None = None,
        metric: Metric | None = None,
        normalise: Normalisation = "text",
        min_f1: float = 0.5,
        choices: Sequence[str] = (),
        judge: Judge | str | None = None,
    ) -> Comparison:
        """Raise AssertionError if the answers are worse than those of *baseline*, else return the comparison.

        See pytest_vft.assert_not_worse_than.
        """
        __tracebackhide__ = True
        scoring = make_scoring(metric=metric, normalise=normalise, min_f1=min_f1, choices=choices)
        comparison = self.comparison(
            os.fspath(baseline),
            kind,
            scoring,
            as_judge(judge),
            margin=margin,
            alpha=alpha,
            confidence=confidence,
        )
        if not comparison.ok:
            raise AssertionError(render_comparison(comparison, self.path, os.fspath(baseline)))
        return comparison

    def comparison(  # noqa: PLR0913 - as above
        self,
        baseline: str,
        kind: Kind | None,
        scoring: Scoring,
        judge: Judge | None,
        *,
        margin: float,
        alpha: float,
        confidence: float | None,
    ) -> Comparison:
        """Return the comparison with the predictions at *baseline*, of arguments that are checked already."""
        other = evaluate(baseline, test=self.test, keys=self.keys, id_pattern=self.id_pattern)
        mine = {answer.id for answer in self.matched.answers}
        theirs = {answer.id for answer in other.matched.answers}
        if mine < theirs:  # only some ids were asked for
            other = replace(other, matched=select_ids(other.matched, mine))
        return compare(
            (self.marks(kind, scoring, judge), other.marks(kind, scoring, judge)),
            (self.matched.irregular, other.matched.irregular),
            kind,
            margin=margin,
            alpha=alpha,
            confidence=confidence,
            max_ungraded=judge.max_ungraded if judge else 0.0,
        )


def evaluate(
    predictions: StrPath,
    *,
    test: StrPath | None = None,
    keys: Keys | Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    ids: Collection[str] | None = None,
) -> Evaluation:
    """Return the predictions at *predictions*, matched to the questions of the split at *test*.

    *keys* maps id, predicted and actual to the keys that lines of predictions have. *id_pattern* is
    a regular expression with one group that finds the id in a question. *ids*: only these.
    Raises EvaluationError for files that cannot be used, UsageError for arguments that cannot.
    """
    path, keys = os.fspath(predictions), as_keys(keys)
    given = read_predictions(path, keys)
    if test is None:
        matched = match_without_split(path, given)
    else:
        matched = match(path, given, questions_of(os.fspath(test), keys, id_pattern))
    return Evaluation(
        path=path,
        test=None if test is None else os.fspath(test),
        matched=matched if ids is None else select_ids(matched, ids),
        keys=keys,
        id_pattern=id_pattern,
    )


def questions_of(test: str, keys: Keys, id_pattern: str) -> list[Question]:
    """Return the questions of the split at *test*. Raises EvaluationError and UsageError."""
    return read_questions(test, id_keys=keys.id, actual_keys=keys.actual, id_pattern=id_pattern)


def make_chat(asked: Live | Judge, parameters: Mapping[str, Any]) -> ChatModel:
    """Return a chat with the model of *asked*. Raises MissingKeyError when there is no API key."""
    credentials = read_credentials(asked.base_url, os.environ)
    client = make_client(credentials, timeout=asked.timeout, max_retries=asked.retries)
    return ChatModel(client, asked.model, parameters, credentials.masked)


def _cached(name: str) -> Path:
    make_folder(CACHE)
    return CACHE / name
