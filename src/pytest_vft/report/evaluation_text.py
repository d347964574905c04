"""The results of an evaluation as text."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from pytest_vft.evaluation.accuracy import Accuracy, Group
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.matching import Irregularities, MatchedPredictions
from pytest_vft.evaluation.question_labels import MatchMethod
from pytest_vft.evaluation.questions import Question
from pytest_vft.evaluation.results import Results
from pytest_vft.evaluation.scoring import Mark, Normalisation
from pytest_vft.naming import option
from pytest_vft.report.evaluation_calibration import calibration_lines
from pytest_vft.report.evaluation_comparison import comparison_lines
from pytest_vft.report.evaluation_words import (
    CAUSES,
    MOST_IDS,
    conclusive_words,
    first_ids,
    interval_words,
    percent,
    quoted,
    rating_words,
    said_words,
    share_words,
)
from pytest_vft.report.layout import MOST_SHOWN
from pytest_vft.text import count, safe

METHODS: Mapping[MatchMethod, str] = {
    "id": "matched by id",
    "pattern": "matched by the id in the question",
    "line": "matched by line number",
    "order": "matched by line order",
    "none": "no test split",
}
_IRREGULAR = {
    "missing": "without a prediction: counted as wrong, no gate passes",
    "empty": "with an empty answer: counted as wrong",
    "refused": "refused by the model",
    "cut": "cut off at the model's token limit",
    "failed": "whose request failed: counted as wrong",
    "malformed": "without the field to compare: counted as wrong",
    "repeated": "with several equal answers: counted once",
    "contradictory": "with several different answers: no gate passes",
    "unknown": "predicted, but not in the test split: no gate passes",
    "disputed": "with another actual answer than in the test split: no gate passes",
}


def render_results(results: Results, commands: Mapping[str, Sequence[str]], most_shown: int) -> str:
    """Return *results* as text.

    *commands*, by kind, evaluate only the wrong answers, of which at most *most_shown* are shown for each
    kind; 0 shows all.
    """
    judge = f"; judge {safe(results.judge)}" if results.judge else ""
    lines = [
        f"vft: {files_line(results.predictions, results.test, results.matched)}{judge}",
        *(f"  {line}" for line in irregular_lines(results.matched.irregular)),
    ]
    for gate in results.gates:
        command = commands.get(str(gate.kind), ())
        lines += ["", *_gate(gate, results.predictions, results.test, command, most_shown, most_shown)]
    for comparison in results.comparisons:
        lines += ["", *comparison_lines(comparison, results.predictions, str(results.against), most_shown)]
    if results.calibration:
        labels = str(results.judge_labels)
        lines += ["", *calibration_lines(results.calibration, str(results.judge), labels)]
    for kind, error in results.errors.items():
        lines += ["", f"error {kind}: {safe(error, None)}"]
    if results.spending.requests:
        lines += ["", f"spent: {results.spending}"]
    if results.unscored:
        unscored = count(results.unscored, "open answer")
        lines += ["", f"note: {unscored} not scored: no judge and no metric given"]
    return "\n".join([*lines, "", verdict(results)]) + "\n"


def verdict(results: Results) -> str:
    """Return the last line: whether all gates pass."""
    verdicts = [gate.ok for gate in results.gates if gate.minimum is not None or not gate.ok]
    verdicts += [comparison.ok for comparison in results.comparisons]
    verdicts += [False for _ in results.errors]
    if not verdicts:
        return "PASSED  no gate: no minimum and no other model given"
    gates = f"of {count(len(verdicts), 'gate')}"
    if results.ok:
        return f"PASSED  {len(verdicts):,} {gates}"
    return f"FAILED  {verdicts.count(False):,} {gates} failed"


def files_line(path: str, test: str | None, matched: MatchedPredictions) -> str:
    """Return the files of an evaluation, and how predictions were *matched*."""
    against = f" vs {safe(test, None)}" if test else ""
    return (
        f"{safe(path, None)}{against}: {count(matched.predictions, 'prediction')} to "
        f"{count(matched.questions, 'question')}, {METHODS[matched.how]}"
    )


def irregular_lines(irregular: Irregularities) -> Iterator[str]:
    """Yield a line for each kind of *irregular* questions and predictions."""
    for name, words in _IRREGULAR.items():
        ids: Sequence[str] = getattr(irregular, name)
        if ids:
            yield f"{len(ids):,} {words} ({first_ids(ids)})"


def render_gate(  # noqa: PLR0913, PLR0917 - the parts of a message
    gate: Gate,
    path: str,
    test: str | None,
    matched: MatchedPredictions,
    command: Sequence[str],
    most_shown: int = MOST_SHOWN,
    *,
    all_groups: bool = False,
) -> str:
    """Return the message of a failed *gate*; the first line is short enough for pytest's summary."""
    most_groups = 0 if all_groups else most_shown
    first, *rest = _gate(gate, path, test, command, most_shown, most_groups)
    irregular = (f"  {line}" for line in irregular_lines(matched.irregular))
    return "\n".join([first, files_line(path, test, matched), *irregular, *rest])


def _gate(  # noqa: PLR0913, PLR0917 - as render_gate()
    gate: Gate, path: str, test: str | None, command: Sequence[str], most_shown: int, most_groups: int
) -> Iterator[str]:
    yield gate_headline(gate)
    yield from (f"  {line}" for line in gate_details(gate))
    for key in gate.by:
        yield from _groups([group for group in gate.groups if group.key == key], most_groups)
    if gate.wrong:
        yield from _wrong(gate, path, test, command, most_shown)


def gate_details(gate: Gate) -> Iterator[str]:
    """Yield lines about the accuracy of *gate*, its interval and minimum, and about ratings."""
    accuracy = gate.accuracy
    yield _interval(accuracy)
    if gate.minimum is not None:
        yield from _minimum(gate, gate.minimum)
    if gate.ungraded:
        ids = first_ids([mark.answer.id for mark in gate.ungraded])
        total = count(len(gate.ungraded) + accuracy.n, "answer")
        yield f"{len(gate.ungraded):,} of {total} without a valid rating: left out (ids {ids})"
        yield f"  for the first of them the judge said {quoted(gate.ungraded[0].judge_said)}"
        if "ungraded" in gate.causes:
            tolerated = option("max-ungraded", f"{gate.scoring.max_ungraded:g}")
            yield f"  tolerated is {tolerated}; to ask the judge again: {option('retry-ungraded')}"
    if gate.ratings:
        yield f"ratings: {rating_words(gate.ratings)}"
    if accuracy.questions < accuracy.n:
        flips = f" (ids {first_ids(gate.flips)})" if gate.flips else ""
        flipped = f"{len(gate.flips):,} of {count(accuracy.questions, 'question')}"
        yield f"{flipped} answered right only at times{flips}"


def _groups(groups: Sequence[Group], most_shown: int) -> Iterator[str]:
    """Yield a line for each of *groups*, by one key, that is too low, and for *most_shown* in all."""
    failed = sum(not group.ok for group in groups)
    shown = groups[: max(most_shown, failed)] if most_shown else groups
    for group in shown:
        low = "" if group.ok else "too low: "
        few = ", too few answers for a verdict" if group.few else ""
        yield f"  {low}{safe(group.key)}={safe(group.value)} {share_words(group.accuracy)}{few}"
    if len(groups) > len(shown):
        yield f"  ... and {count(len(groups) - len(shown), 'more group')} by {safe(groups[0].key)}"


def gate_headline(gate: Gate) -> str:
    """Return a line about *gate*."""
    accuracy, kind = gate.accuracy, gate.kind or "all"
    share = percent(accuracy.share)
    compared = ""
    if gate.minimum is not None:
        minimum = percent(gate.minimum)
        if share == minimum and gate.short_by:
            share, minimum = percent(accuracy.share, 3), percent(gate.minimum, 3)
        compared = f" {'<' if gate.short_by else '>='} {minimum}"
    others = ", ".join(CAUSES[cause] for cause in gate.causes if cause != "low")
    right = f"({accuracy.right:,}/{accuracy.n:,})"
    return f"{kind} {share}{compared} {right}{'; ' if others else ''}{others}"


def _interval(accuracy: Accuracy) -> str:
    if accuracy.questions < accuracy.n:
        effective = f"effective n {accuracy.effective_n:,.0f} of {accuracy.n:,}"
        images = f"{count(accuracy.images, 'image')}, " if accuracy.images else ""
        basis = f"{images}{count(accuracy.questions, 'question')}, {effective}"
    elif accuracy.images is None:
        basis = f"n {accuracy.n:,}; without a test split, answers are assumed to be independent"
    else:
        effective = f"effective n {accuracy.effective_n:,.0f} of {accuracy.n:,}"
        basis = f"{count(accuracy.images, 'image')}, {effective}"
    return f"95 % interval {interval_words(accuracy)} (Wilson; {basis})"


def _minimum(gate: Gate, minimum: float) -> Iterator[str]:
    if gate.short_by:
        yield f"short by {count(gate.short_by, 'answer')}"
    if gate.bound is not None and gate.confidence is not None:
        yield f"at least {percent(gate.bound)} with a one-sided confidence of {gate.confidence:g}"
        settled, inconclusive = gate.bound >= minimum, "the lower bound is below the minimum"
    else:
        low, high = gate.accuracy.interval
        settled, inconclusive = not low <= minimum <= high, "the interval contains the minimum"
    if not settled:
        yield f"inconclusive: {inconclusive}; {conclusive_words(gate.settled_by, 'answer', 'accuracy')}"


def _wrong(gate: Gate, path: str, test: str | None, command: Sequence[str], most_shown: int) -> Iterator[str]:
    pairs = " | ".join(
        f"said {safe(said)}, truth {safe(truth)}: {number:,}"
        for (said, truth), number in list(gate.confusions.items())[:MOST_IDS]
    )
    yield f"  wrong {len(gate.wrong):,}{': ' + pairs if pairs else ''}"
    passed = gate.minimum is not None and gate.ok
    shown = () if passed else gate.wrong[: most_shown or None]
    for mark in shown:
        yield f"    {_mark(mark, path)}"
    if shown and len(gate.wrong) > len(shown):
        yield f"    ... and {len(gate.wrong) - len(shown):,} more"
    yield from (f"  {line}" for line in near_miss_lines(gate))
    if test and (place := next((one.answer.question for one in shown if one.answer.question), None)):
        yield f"  to show the image: vft show {_shown_place(test, place)} --save DIR"
    if command:
        yield f"  to evaluate only the wrong answers: {command_line(command)}"


def near_miss_lines(gate: Gate) -> Iterator[str]:
    """Yield lines about the wrong answers of *gate* that another option would accept."""
    by_name: dict[Normalisation, list[Mark]] = {}
    for mark, name in gate.near_misses:
        by_name.setdefault(name, []).append(mark)
    for name, marks in by_name.items():
        first = quoted(marks[0].answer.said)
        yield f"near misses {len(marks):,} ({first} ...): {option('normalise', name)} would accept them"
    for field, number in list(gate.near_fields.items())[:1]:
        objects = count(number, "JSON object")
        yield f"near misses {objects}: {option('field', safe(field))} would accept them"


def command_line(command: Sequence[str]) -> str:
    """Return *command* as the shell reads it."""
    return " ".join(shlex.quote(safe(part, None)) for part in command)


def _shown_place(test: str, question: Question) -> str:
    """Return the place of *question* in the file at *test* as the shell reads it."""
    _, _, number = question.place.rpartition(":")
    return f"{shlex.quote(safe(test, None))}:{number}"


def _mark(mark: Mark, path: str) -> str:
    answer = mark.answer
    place = f"{safe(path, None)}:{answer.line}" if answer.line else "no prediction"
    question = f"  {quoted(answer.question.text)}" if answer.question else ""
    at = f", {answer.question.place}" if answer.question else ""
    rating = f"  {mark.rating}" if mark.rating else ""
    return f"{place}{at}{question}  {said_words(mark)}{rating}"


def progress_line(answered: int, total: int, right: int, scored: int) -> str:
    """Return the progress of a live run: questions *answered*, and answers *right* of those *scored*."""
    so_far = f", {percent(right / scored)} of {scored:,} right so far" if scored else ""
    return f"vft: {answered:,} of {count(total, 'question')} answered{so_far}"
