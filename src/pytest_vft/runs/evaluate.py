"""One evaluation from predictions to verdicts: what every entry point calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pytest_vft.client import make_client, read_credentials
from pytest_vft.errors import UsageError
from pytest_vft.evaluation.chat import Chat
from pytest_vft.evaluation.collector import collector_paused
from pytest_vft.evaluation.gates import Comparison, Demand, Gate, compare, judge_gate, of_kind
from pytest_vft.evaluation.judge import Judge, check_not_itself, ratings
from pytest_vft.evaluation.live import Live, LiveProgress, ask_questions
from pytest_vft.evaluation.predictions import (
    Answer,
    Keys,
    Matched,
    as_answers,
    match,
    match_without_split,
    read_predictions,
    select_ids,
)
from pytest_vft.evaluation.questions import ID_PATTERN, Question, read_questions
from pytest_vft.evaluation.scoring import (
    KINDS,
    METRICS,
    NORMALISATIONS,
    Kind,
    Mark,
    Metric,
    Normalisation,
    Scoring,
    kinds,
    score,
)
from pytest_vft.evaluation.transcript import open_transcript
from pytest_vft.reading.sqlite import FOLDER, make_folder
from pytest_vft.report.evaluation import render_comparison, render_gate
from pytest_vft.text import nearest

CACHE = Path(FOLDER)
NO_JUDGE = (
    "open answers need a judge: --vft-eval-judge=MODEL (judge= in Python), "
    "or a metric that takes them at their letters: --vft-eval-metric=normalised_exact (metric=)"
)

Path_ = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Predictions with their questions, to be asked for verdicts."""

    path: str
    test: str | None
    matched: Matched
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
        demand = Demand(minimum=minimum, confidence=confidence, by=by, min_n=min_n)
        scoring = make_scoring(metric=metric, normalise=normalise, min_f1=min_f1, choices=choices)
        return self.gate(kind, demand, scoring, as_judge(judge))

    def gate(self, kind: Kind | None, demand: Demand, scoring: Scoring, judge: Judge | None) -> Gate:
        """Return the same, of arguments that are checked already."""
        marks = self.marks(kind, scoring, judge)
        allowed = judge.max_ungraded if judge else 0.0
        return judge_gate(self.matched, marks, kind, demand, scoring, max_ungraded=allowed)

    def marks(self, kind: Kind | None, scoring: Scoring, judge: Judge | None) -> Sequence[Mark]:
        """Return a mark for each answer of *kind*. Raises UsageError for open ones without a judge."""
        if kind is not None and kind not in KINDS:
            raise UsageError(f"no kind {kind!r}{nearest(kind, KINDS)}; want closed or open")
        answers = self.matched.answers
        its = kinds(answers, scoring.choices)
        if kind is not None:
            answers = [one for one, found in zip(answers, its, strict=True) if found in (kind, None)]
            its = [found for found in its if found in (kind, None)]
        judged = [kind for kind in KINDS if scoring.metric_for(kind) == "judge"]
        wanted = [
            answer
            for answer, found in (zip(answers, its, strict=True) if judged else ())
            if found in judged and answer.said.strip()
        ]
        rated: Mapping[str, str] = {}
        if wanted:
            if judge is None:
                raise UsageError(NO_JUDGE)
            check_not_itself(judge, [answer.fields.get("model") for answer in wanted])
            with open_transcript(_cached("ratings.jsonl")) as transcript:
                rated = ratings(wanted, judge, transcript, lambda: _chat(judge, judge.parameters))
        with collector_paused():
            marks = score(answers, its, scoring, rated, judge.passing if judge else ())
        return of_kind(marks, kind)

    def assert_min_accuracy(self, minimum: float, **settings: Any) -> Gate:
        """Raise AssertionError unless the share of right answers reaches *minimum*, else return the gate.

        *settings* are those of pytest_vft.assert_min_accuracy.
        """
        __tracebackhide__ = True
        gate = self.measure(minimum, **settings)
        if not gate.ok:
            command = self.command(gate, as_judge(settings.get("judge")))
            raise AssertionError(render_gate(gate, self.path, self.test, self.matched, command))
        return gate

    def command(self, gate: Gate, judge: Judge | None) -> list[str]:
        """Write the ids of the wrong answers to a file, one a line; return the command that reads it."""
        file = _cached(f"wrong-{Path(self.path).stem}{f'-{gate.kind}' if gate.kind else ''}.txt")
        ids = "".join(f"{mark.answer.id}\n" for mark in gate.wrong)
        file.write_text(ids, encoding="utf-8", errors="backslashreplace")
        options = {
            "test": self.test,
            "ids": f"@{file}",
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
        baseline: Path_,
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
    predictions: Path_,
    *,
    test: Path_ | None = None,
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
        matched = match(path, given, _questions(os.fspath(test), keys, id_pattern))
    return Evaluation(
        path=path,
        test=None if test is None else os.fspath(test),
        matched=matched if ids is None else select_ids(matched, ids),
        keys=keys,
        id_pattern=id_pattern,
    )


def evaluate_live(  # noqa: PLR0913 - as above
    transcript: Path_,
    live: Live,
    *,
    test: Path_,
    keys: Keys | Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    ids: Collection[str] | None = None,
    on_answer: Callable[[LiveProgress], None] = lambda _: None,
) -> Evaluation:
    """Ask the model of *live* the questions of the split at *test* that *transcript* has no answer to.

    Returns all answers of this model. Killed at any point and started again, it asks each question
    once. Raises EvaluationError when not every question has an answer in the end.
    """
    path, keys = os.fspath(transcript), as_keys(keys)
    questions = _questions(os.fspath(test), keys, id_pattern)
    if ids is not None:
        wanted = set(ids)
        questions = [one for one in questions if {one.id, one.numbered, str(one.line)} & wanted]
    with open_transcript(Path(path)) as kept:
        answers = ask_questions(questions, kept, lambda: _chat(live, live.parameters), live, on_answer)
    own = Keys(id=(), predicted=("predicted_answer",), actual=("actual_answer", *keys.actual))
    given = as_answers(path, enumerate(answers, 1), own)
    matched = match(path, given, questions)
    return Evaluation(path=path, test=os.fspath(test), matched=matched, keys=keys, id_pattern=id_pattern)


def run_live(
    *,
    model: str,
    test: Path_,
    transcript: Path_,
    keys: Keys | Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    **settings: Any,
) -> Evaluation:
    """Ask *model* the questions of the split at *test*; the answers stand in *transcript*.

    *settings* are those of Live.
    """
    live = Live(model=model, **settings)
    return evaluate_live(transcript, live, test=test, keys=keys, id_pattern=id_pattern)


@dataclass(slots=True)
class LiveTally:
    """How many answers of a live run are right so far, of those that can be scored at their letters."""

    scoring: Scoring
    right: int = 0
    scored: int = 0

    def add(self, progress: LiveProgress) -> None:
        """Count the last answer of *progress*, if its question has an actual answer and needs no judge."""
        question = progress.question
        if question.truth is None:
            return
        answer = Answer("", None, progress.said, question.truth, question, {})
        (mark,) = score([answer], kinds([answer], self.scoring.choices), self.scoring, {}, ())
        if mark.right is not None:
            self.scored += 1
            self.right += mark.right


class Evaluator:
    """What the fixture vft_eval is: called, it reads predictions; `run` asks a model for them."""

    __call__ = staticmethod(evaluate)
    run = staticmethod(run_live)


def assert_min_accuracy(  # noqa: PLR0913 - all by keyword, each with a default
    predictions: Path_,
    minimum: float,
    *,
    test: Path_ | None = None,
    kind: Kind | None = None,
    metric: Metric | None = None,
    normalise: Normalisation = "text",
    min_f1: float = 0.5,
    choices: Sequence[str] = (),
    judge: Judge | str | None = None,
    by: str | None = None,
    min_n: int = 20,
    confidence: float | None = None,
    keys: Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
) -> Gate:
    """Raise AssertionError unless the share of right answers reaches *minimum*, else return the gate.

    *kind*: only the "closed" questions, whose actual answer is Yes, No or one of *choices*, or only
    the "open" ones. *metric* None takes closed answers at their letters and lets *judge*, a model's
    name or a Judge, rate open ones. *by* names a key: each group of at least *min_n* answers must
    reach the minimum, too. With *confidence* (0.95) the lower bound of the share must reach it.
    The other arguments are those of evaluate and Scoring.
    """
    __tracebackhide__ = True
    return evaluate(predictions, test=test, keys=keys, id_pattern=id_pattern).assert_min_accuracy(
        minimum,
        kind=kind,
        metric=metric,
        normalise=normalise,
        min_f1=min_f1,
        choices=choices,
        judge=judge,
        by=by,
        min_n=min_n,
        confidence=confidence,
    )


def assert_not_worse_than(
    predictions: Path_,
    baseline: Path_,
    *,
    test: Path_ | None = None,
    keys: Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    **settings: Any,
) -> Comparison:
    """Raise AssertionError if *predictions* are worse than *baseline*, else return the comparison.

    Worse: fewer right answers by more than *margin* (0), which chance does not explain at *alpha*
    (0.05). With *confidence* (0.95) it must be proved that they are not: the lower bound of the
    difference lies above -margin. The other *settings* are those of assert_min_accuracy.
    """
    __tracebackhide__ = True
    mine = evaluate(predictions, test=test, keys=keys, id_pattern=id_pattern)
    return mine.assert_not_worse_than(baseline, **settings)


# Arguments


def as_keys(keys: Keys | Mapping[str, str] | None) -> Keys:
    """Return *keys*, those that are not named as they are by default."""
    if keys is None or isinstance(keys, Keys):
        return keys or Keys()
    for name in keys:
        if name not in ("id", "predicted", "actual"):
            raise UsageError(
                f"no key {name!r}{nearest(name, ('id', 'predicted', 'actual'))}; want id, predicted, actual"
            )
    return Keys(**{name: (key,) for name, key in keys.items()})


def as_judge(judge: Judge | str | None) -> Judge | None:
    """Return *judge*, which may be the name of a model."""
    return Judge(model=judge) if isinstance(judge, str) else judge


def make_scoring(*, metric: str | None, normalise: str, min_f1: float, choices: Sequence[str]) -> Scoring:
    """Return the scoring of these. Raises UsageError, which names the nearest of what is unknown."""
    for name, value, known in (
        ("metric", metric, METRICS),
        ("normalisation", normalise, NORMALISATIONS),
    ):
        if value is not None and value not in known:
            raise UsageError(f"no {name} {value!r}{nearest(value, known)}; there are {', '.join(known)}")
    if not 0 < min_f1 <= 1:
        raise UsageError(f"min_f1 is {min_f1:g}, want a share above 0, up to 1")
    return Scoring(metric=metric, normalise=normalise, min_f1=min_f1, choices=tuple(choices))  # type: ignore[arg-type]  # checked above


def _questions(test: str, keys: Keys, id_pattern: str) -> list[Question]:
    return read_questions(test, id_keys=keys.id, actual_keys=keys.actual, id_pattern=id_pattern)


def _cached(name: str) -> Path:
    make_folder(CACHE)
    return CACHE / name


def _chat(asked: Live | Judge, parameters: Mapping[str, Any]) -> Chat:
    """Return a chat with the model of *asked*. Raises MissingKeyError when there is none."""
    credentials = read_credentials(asked.base_url, os.environ)
    client = make_client(credentials, timeout=asked.timeout, max_retries=asked.retries)
    return Chat(client, asked.model, parameters, credentials.masked)
