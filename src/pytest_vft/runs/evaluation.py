"""The evaluation of predictions: assertions on accuracy, alone and against another model."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Unpack

from pytest_vft.errors import EvaluationError, UsageError, without_inner_frames
from pytest_vft.evaluation.accuracy import MIN_N, Requirement, check_groups
from pytest_vft.evaluation.answer_fields import select_field
from pytest_vft.evaluation.calibration import Calibration, HumanRating, calibrate, read_labels
from pytest_vft.evaluation.comparison import Comparison, Tolerance, compare
from pytest_vft.evaluation.gate import Gate, evaluate_gate
from pytest_vft.evaluation.judge import Judge, as_judge, rate_answers
from pytest_vft.evaluation.matching import MatchedPredictions, match, match_without_split, select_ids
from pytest_vft.evaluation.predictions import Keys, as_keys, read_predictions
from pytest_vft.evaluation.questions import ID_PATTERN, read_questions
from pytest_vft.evaluation.ratings import Rating
from pytest_vft.evaluation.scoring import (
    KINDS,
    Kind,
    Mark,
    Scoring,
    ScoringOptions,
    check_name,
    kinds_of,
    score,
)
from pytest_vft.evaluation.spending import Spending
from pytest_vft.evaluation.transcript import open_transcript
from pytest_vft.garbage import gc_paused
from pytest_vft.naming import option
from pytest_vft.report.evaluation_comparison import render_comparison
from pytest_vft.report.evaluation_text import files_line, render_gate
from pytest_vft.runs.answer_options import AccuracyOptions
from pytest_vft.runs.rerun import cache_path, rerun_command, write_wrong_ids
from pytest_vft.runs.unjudged import no_judge, no_questions
from pytest_vft.text import count

StrPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Predictions matched to their questions; *spending* is what the requests to models have cost."""

    path: str
    test: str | None
    matched: MatchedPredictions = field(repr=False)
    keys: Keys = field(default_factory=Keys)
    id_pattern: str = ID_PATTERN
    data_format: str | None = None
    image_roots: Sequence[str] = ()
    spending: Spending = field(default_factory=Spending, repr=False, compare=False)

    @without_inner_frames
    def assert_min_accuracy(self, minimum: float, **options: Unpack[AccuracyOptions]) -> Gate:
        """Return the gate, or raise AssertionError if the accuracy is below *minimum*."""
        __tracebackhide__ = True
        if minimum is None:
            raise UsageError(f"{option('min-accuracy')} is None; expected a share from 0 to 1, such as 0.9")
        gate = self.measure(minimum, **options)
        if not gate.ok:
            command = self.write_wrong_ids(gate)
            raise AssertionError(render_gate(gate, self.path, self.test, self.matched, command))
        return gate

    @without_inner_frames
    def measure(  # noqa: PLR0913 - all by keyword, each with a default
        self,
        minimum: float | None = None,
        *,
        kind: Kind | None = None,
        judge: Judge | str | None = None,
        by: str | Sequence[str] | None = None,
        min_n: int = MIN_N,
        confidence: float | None = None,
        **scoring: Unpack[ScoringOptions],
    ) -> Gate:
        """Return the gate of the answers, whether it passes or not; see AccuracyOptions."""
        requirement = Requirement(minimum=minimum, confidence=confidence, by=by, min_n=min_n)
        return self.gate(kind, requirement, Scoring(judge=as_judge(judge), **scoring))

    def gate(self, kind: Kind | None, requirement: Requirement, scoring: Scoring) -> Gate:
        """Like measure(), for options that have been validated."""
        return evaluate_gate(
            self.matched, self.marks(kind, scoring, requirement.keys), kind, requirement, scoring
        )

    @without_inner_frames
    def assert_not_worse_than(  # noqa: PLR0913 - as above
        self,
        against: StrPath,
        *,
        kind: Kind | None = None,
        judge: Judge | str | None = None,
        margin: float = 0.0,
        alpha: float = 0.05,
        confidence: float | None = None,
        **scoring: Unpack[ScoringOptions],
    ) -> Comparison:
        """Return the comparison, or raise AssertionError if the answers are worse than those of *against*.

        See ComparisonOptions.
        """
        __tracebackhide__ = True
        tolerance = Tolerance(margin=margin, alpha=alpha, confidence=confidence)
        path = os.fspath(against)
        comparison = self.comparison(path, kind, tolerance, Scoring(judge=as_judge(judge), **scoring))
        if not comparison.ok:
            raise AssertionError(render_comparison(comparison, self.path, path))
        return comparison

    def comparison(
        self, against: str, kind: Kind | None, tolerance: Tolerance, scoring: Scoring
    ) -> Comparison:
        """Return the comparison with the predictions at *against*, for options that have been validated."""
        other = evaluate(
            against,
            test=self.test,
            keys=self.keys,
            id_pattern=self.id_pattern,
            data_format=self.data_format,
            image_roots=self.image_roots,
        )
        other = replace(other, spending=self.spending)
        ids = {answer.id for answer in self.matched.answers}
        if ids < {answer.id for answer in other.matched.answers}:  # only some ids were selected
            other = replace(other, matched=select_ids(other.matched, ids))
        return compare(
            (self.marks(kind, scoring), other.marks(kind, scoring)),
            (self.matched.irregular, other.matched.irregular),
            kind,
            tolerance,
            scoring.max_ungraded,
        )

    @without_inner_frames
    def calibrate(
        self, labels: StrPath, *, judge: Judge | str, **scoring: Unpack[ScoringOptions]
    ) -> Calibration:
        """Return how the ratings of *judge* agree with those of people in the file *labels*."""
        read = read_labels(os.fspath(labels), self.keys)
        return self.calibration(read, Scoring(judge=as_judge(judge), **scoring))

    def calibration(self, labels: Sequence[HumanRating], scoring: Scoring) -> Calibration:
        """Like calibrate(), for labels that have been read and options that have been validated."""
        passing = scoring.judge.passing if scoring.judge else ()
        return calibrate(self.marks(None, scoring), labels, passing)

    def marks(self, kind: Kind | None, scoring: Scoring, by: Sequence[str] = ()) -> Sequence[Mark]:
        """Return a mark for each answer of *kind*, or of an unknown kind, which have the keys in *by*.

        Raises UsageError for open answers without a judge, EvaluationError without answers of *kind*.
        """
        if kind is not None:
            check_name("kind", kind, KINDS)
        kinds = kinds_of(self.matched.answers, scoring.choices)
        with gc_paused():
            pairs = list(zip(self.matched.answers, kinds, strict=True))
            if kind is not None:
                pairs = [pair for pair in pairs if pair[1] in (kind, None)]
        if not any(found for _, found in pairs):
            raise EvaluationError(no_questions(kind, self.matched.answers))
        check_groups((answer for answer, _ in pairs), by)
        judged = [one for one in KINDS if scoring.metric_for(one) == "judge"]
        unrated = (
            [answer for answer, found in pairs if found in judged and answer.said.strip()] if judged else []
        )
        ratings: Mapping[tuple[str, str], Rating] = {}
        if unrated:
            if scoring.judge is None:
                raise no_judge()
            with open_transcript(cache_path("ratings.jsonl")) as transcript:
                ratings = rate_answers(unrated, scoring.judge, transcript, self.spending)
        with gc_paused():
            return score(pairs, scoring, ratings)

    def _repr_html_(self) -> str:
        """Return what can be judged without a judge and a minimum as HTML, which notebooks show."""
        from pytest_vft.report.html.notebook import gates_fragment  # noqa: PLC0415 - for notebooks only

        kinds = kinds_of(self.matched.answers)
        gates = [self.measure(kind="closed")] if "closed" in kinds else []
        left = kinds.count("open")
        notes = (
            [f"{count(left, 'open answer')} not scored: measure() takes a judge or a metric"] if left else []
        )
        return gates_fragment(files_line(self.path, self.test, self.matched), gates, notes=notes)

    def write_wrong_ids(self, gate: Gate) -> list[str]:
        """Write the ids of the wrong answers to a file; return the command that evaluates only them."""
        ids = write_wrong_ids(gate, self.path)
        return rerun_command(
            self.path,
            ids,
            gate.scoring,
            test=self.test,
            keys=self.keys,
            id_pattern=self.id_pattern,
            data_format=self.data_format,
            image_roots=self.image_roots,
        )


@without_inner_frames
def evaluate(  # noqa: PLR0913 - all by keyword, each with a default
    predictions: StrPath,
    *,
    test: StrPath | None = None,
    keys: Keys | Mapping[str, str] | None = None,
    id_pattern: str = ID_PATTERN,
    data_format: str | None = None,
    image_roots: Sequence[str] = (),
    ids: Collection[str] | None = None,
) -> Evaluation:
    """Return the predictions at *predictions*, matched to the questions of the test split at *test*.

    *keys* maps id, predicted and actual to the keys of the predictions, and field to the field to compare of
    answers that are JSON objects. *id_pattern* is a regular
    expression with one group that finds the id in a question. *data_format* is that of the split, by default
    that of its first examples, and its local images are in its folder or in *image_roots*. With *ids*, only
    those are evaluated.
    Raises EvaluationError for files that cannot be evaluated, UsageError for invalid arguments.
    """
    path, split, keys = os.fspath(predictions), None if test is None else os.fspath(test), as_keys(keys)
    answers = read_predictions(path, keys)
    if split is None:
        matched = match_without_split(path, answers)
    else:
        questions = read_questions(
            split,
            id_keys=keys.id,
            actual_keys=keys.actual,
            id_pattern=id_pattern,
            data_format=data_format,
            image_roots=image_roots,
        )
        matched = match(path, answers, questions)
    matched = select_field(matched if ids is None else select_ids(matched, ids), keys.field)
    return Evaluation(
        path=path,
        test=split,
        matched=matched,
        keys=keys,
        id_pattern=id_pattern,
        data_format=data_format,
        image_roots=image_roots,
    )
