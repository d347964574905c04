"""Predictions matched to the questions of a test split."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace

from pytest_vft.errors import EvaluationError, UsageError
from pytest_vft.evaluation.batch import FAILED
from pytest_vft.evaluation.predictions import Answer
from pytest_vft.evaluation.question_labels import MatchMethod, first_ids, has_line, label_answers
from pytest_vft.evaluation.questions import Question, normalise_id
from pytest_vft.evaluation.truths import truths_path
from pytest_vft.naming import option
from pytest_vft.text import count, safe


@dataclass(frozen=True, slots=True, kw_only=True)
class Irregularities:
    """The ids of irregular questions and predictions.

    *missing* questions have no prediction; they and *empty* answers count as wrong. *repeated*
    questions have the same answer several times and count once. *refused* and *cut* answers are
    reported as such by the model, and requests for *failed* answers were refused by the server.
    *malformed* answers do not have the field to compare.
    Missing questions and these fail every gate: *contradictory* questions have several different answers,
    *unknown* ids are not in the test split, and the actual answer of *disputed* predictions differs from
    that of the test split.
    """

    missing: Sequence[str] = ()
    empty: Sequence[str] = ()
    refused: Sequence[str] = ()
    cut: Sequence[str] = ()
    failed: Sequence[str] = ()
    malformed: Sequence[str] = ()
    repeated: Sequence[str] = ()
    contradictory: Sequence[str] = ()
    unknown: Sequence[str] = ()
    disputed: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedPredictions:
    """The answers in the order of the questions, the number of *predictions*, and *how* both were matched."""

    how: MatchMethod
    predictions: int
    answers: Sequence[Answer] = field(repr=False)
    irregular: Irregularities = field(default_factory=Irregularities, repr=False)

    @property
    def questions(self) -> int:
        """The number of questions, which may have several answers each."""
        return len({answer.id for answer in self.answers})


def match_without_split(path: str, predictions: Sequence[Answer]) -> MatchedPredictions:
    """Return *predictions* matched without a test split: each line is its own question, or a repeated one."""
    _check_ids(path, predictions)
    return _combined([_match_alone(path, run) for run in _runs(predictions)])


def _match_alone(path: str, predictions: Sequence[Answer]) -> MatchedPredictions:
    ids = [given.id for given in predictions]
    if not all(ids):
        predictions = [given if given.id else given._replace(id=str(given.line)) for given in predictions]
        ids = [given.id for given in predictions]
    firsts, repeated, contradictory = _distinct(predictions, ids)
    answers = list(firsts.values())
    for answer in answers:
        if answer.truth is None:
            raise EvaluationError(
                f"{path}:{answer.line}: no actual answer; name its key, {option('keys', 'actual=KEY')}, "
                f"or give the test split, {option('test', 'FILE')}"
            )
    irregular = _irregular(answers, repeated=repeated, contradictory=contradictory)
    return MatchedPredictions(how="none", predictions=len(predictions), answers=answers, irregular=irregular)


def match(path: str, predictions: Sequence[Answer], questions: Sequence[Question]) -> MatchedPredictions:
    """Return *predictions*, of the file at *path*, matched to *questions*.

    They are matched by the ids of the questions, else by the ids that a pattern finds in the questions,
    else by the lines that the predictions name, else by order. A question that was asked several times has
    several answers.
    Raises EvaluationError if none of these is possible, or if there is no actual answer.
    """
    if not all(has_line(given) for given in predictions):  # the lines of a transcript are enough
        _check_ids(path, predictions)
    return _combined([_match_run(path, run, questions) for run in _runs(predictions)])


def _check_ids(path: str, predictions: Sequence[Answer]) -> None:
    """Raise EvaluationError if some of *predictions* have no id, or an id has different actual answers."""
    firsts: dict[str, Answer] = {}
    for given in predictions:
        firsts.setdefault(given.id, given)
    if len(firsts) == len(predictions) and "" not in firsts:
        return
    if "" in firsts and len(firsts) > 1:
        raise EvaluationError(
            f"{path}:{firsts[''].line}: no id, but other predictions have ids; give each prediction its id"
        )
    for given in predictions if "" not in firsts else ():
        first = firsts[given.id]
        if differ(first.truths, given.truths):
            raise EvaluationError(
                f"{path}:{given.line}: the id {safe(given.id)!r} is also that of line {first.line}, with "
                "another actual answer; give each question its own id, or name the key of the ids: "
                f"{option('keys', 'id=KEY')}"
            )


def _runs(predictions: Sequence[Answer]) -> list[Sequence[Answer]]:
    """Return *predictions* by their number in `repeat`, if questions have several answers."""
    described = [given for given in predictions if given.fields]  # none of 100,000 plain predictions
    if not any("repeat" in given.fields for given in described):
        return [predictions]
    runs: dict[int, list[Answer]] = {}
    for given in predictions:
        number = given.fields.get("repeat", 1)
        runs.setdefault(number if type(number) is int else 1, []).append(given)
    asked = {given.id or str(given.fields.get("line", given.line)) for given in predictions}
    return [runs[number] for number in sorted(runs)] if len(asked) < len(predictions) else [predictions]


def _combined(runs: Sequence[MatchedPredictions]) -> MatchedPredictions:
    if len(runs) == 1:
        return runs[0]
    irregular: dict[str, list[str]] = {}
    for run in runs:
        for name, ids in asdict(run.irregular).items():
            irregular[name] = list(dict.fromkeys([*irregular.get(name, ()), *ids]))
    return MatchedPredictions(
        how=runs[0].how,
        predictions=sum(run.predictions for run in runs),
        answers=[answer for run in runs for answer in run.answers],
        irregular=Irregularities(**irregular),
    )


def _match_run(path: str, predictions: Sequence[Answer], questions: Sequence[Question]) -> MatchedPredictions:
    how, labels, given = label_answers(path, predictions, questions)
    by_label = dict(zip(labels, questions, strict=True))
    firsts, repeated, contradictory = _distinct(predictions, given)
    if firsts.keys().isdisjoint(by_label):
        raise EvaluationError(_unmatched(path, list(firsts), questions[0].path, labels))
    answers, missing, disputed = [], [], []
    for label, question in by_label.items():
        found = firsts.get(label)
        if found is None:
            missing.append(label)
            answers.append(Answer(label, None, "", question.truth, question, {}, question.others))
            continue
        truth, others = found.truth, found.others
        if question.truth is not None:
            truth, others = question.truth, question.others
            if found.truth != truth and differ((truth, *others), found.truths):
                disputed.append(label)
        if truth is None:
            beside = safe(truths_path(question.path), None)
            raise EvaluationError(
                f"{question.place}: no actual answer here, in {path}:{found.line} or in {beside}, "
                "which vft build writes with a test split"
            )
        answers.append(Answer(label, found.line, found.said, truth, question, found.fields, others))
    irregular = _irregular(
        answers,
        missing=missing,
        repeated=repeated,
        contradictory=contradictory,
        disputed=disputed,
        unknown=[label for label in firsts if label not in by_label],
    )
    return MatchedPredictions(how=how, predictions=len(predictions), answers=answers, irregular=irregular)


def differ(truths: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether no actual answer is in both lists; a list without any differs from nothing."""
    if not truths or not others:
        return False
    return {truth.strip() for truth in truths}.isdisjoint(other.strip() for other in others)


def _unmatched(path: str, given: Sequence[str], split: str, labels: Sequence[str]) -> str:
    """Return why no prediction has a question."""
    return (
        f"{path}: none of {count(len(given), 'predicted id')} is in {split}: predicted are "
        f"{first_ids(given)}, in the test split are {first_ids(labels)}; give the test split of these "
        f"predictions, or name the key of their ids: {option('keys', 'id=KEY')}"
    )


def select_ids(matched: MatchedPredictions, ids: Collection[str]) -> MatchedPredictions:
    """Return *matched* with only the answers with *ids*, and what is irregular about them.

    Unknown ids remain: they show that the files do not belong together.
    Raises UsageError without ids and for an id without an answer.
    """
    wanted = {normalise_id(id_) for id_ in ids}
    if not wanted:
        raise UsageError(f"{option('ids')} has no id; expected at least one")
    answers = [answer for answer in matched.answers if answer.id in wanted]
    absent = wanted - {answer.id for answer in answers}
    if absent:
        raise UsageError(f"no question has the id {safe(min(absent))!r}")
    irregular = {
        name: [id_ for id_ in found if id_ in wanted]
        for name, found in asdict(matched.irregular).items()
        if name != "unknown"
    }
    return replace(matched, answers=answers, irregular=replace(matched.irregular, **irregular))


def _distinct(
    predictions: Sequence[Answer], labels: Sequence[str]
) -> tuple[dict[str, Answer], list[str], list[str]]:
    """Return the first prediction by label, the labels with equal answers, and those with different ones."""
    firsts = dict(zip(labels, predictions, strict=True))
    if len(firsts) == len(predictions):
        return firsts, [], []
    firsts = {}
    differs: dict[str, bool] = {}
    for given, label in zip(predictions, labels, strict=True):
        first = firsts.setdefault(label, given)
        if first is not given:
            differs[label] = differs.get(label, False) or first.said.strip() != given.said.strip()
    return firsts, [one for one in differs if not differs[one]], [one for one in differs if differs[one]]


def _irregular(answers: Sequence[Answer], **others: Sequence[str]) -> Irregularities:
    described = [one for one in answers if one.fields]
    return Irregularities(
        empty=[one.id for one in answers if (not one.said or one.said.isspace()) and _is_given(one)],
        cut=[one.id for one in described if one.fields.get("finish_reason") == "length"],
        failed=[one.id for one in described if one.fields.get("finish_reason") == FAILED],
        refused=[one.id for one in described if one.fields.get("refusal")],
        **others,
    )


def _is_given(answer: Answer) -> bool:
    return answer.line is not None and answer.fields.get("finish_reason") != FAILED
