"""The results of an evaluation as text."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from pytest_vft.evaluation.accuracy import Accuracy
from pytest_vft.evaluation.comparison import Comparison
from pytest_vft.evaluation.gate import Cause, Gate
from pytest_vft.evaluation.predictions import Irregularities, MatchedPredictions, MatchMethod
from pytest_vft.evaluation.results import Results
from pytest_vft.evaluation.scoring import Mark, Normalisation
from pytest_vft.evaluation.statistics import Interval
from pytest_vft.text import count, safe

MOST_SHOWN = 10
_MOST_IDS = 5
_QUOTED = 40

_METHODS: Mapping[MatchMethod, str] = {
    "id": "matched by id",
    "pattern": "matched by the id in the question",
    "line": "matched by line number",
    "order": "matched by line order",
    "none": "no test split",
}
_IRREGULAR = {
    "missing": "without a prediction: counted as wrong",
    "empty": "with an empty answer: counted as wrong",
    "refused": "refused by the model",
    "cut": "cut off at the model's limit of tokens",
    "repeated": "answered more than once alike: counted once",
    "contradictory": "answered more than once, differently: no gate passes",
    "unknown": "predicted, but not in the test split: no gate passes",
    "disputed": "with another actual answer than in the test split: no gate passes",
}
_CAUSES: Mapping[Cause, str] = {
    "unknown": "unknown ids",
    "contradictory": "contradictory answers",
    "disputed": "disputed actual answers",
    "ungraded": "too many ungraded",
    "low": "too low",
    "unproven": "not proved",
    "group": "a group is too low",
}


def render_results(results: Results, commands: Mapping[str, Sequence[str]], most_shown: int) -> str:
    """Return *results* for human eyes; *commands*, by kind, evaluate only the wrong answers."""
    lines = [f"vft: {_files(results)}", *_irregular(results.matched.irregular)]
    for gate in results.gates:
        command = commands.get(str(gate.kind), ())
        lines += ["", *_gate(gate, results.predictions, results.test, command, most_shown)]
    for comparison in results.comparisons:
        lines += ["", *_comparison(comparison, str(results.baseline))]
    for kind, error in results.errors.items():
        lines += ["", f"error {kind}: {safe(error, None)}"]
    if results.unscored:
        unscored = count(results.unscored, "open answer")
        lines += ["", f"note: {unscored} not scored: no judge and no metric given"]
    verdicts = [gate.ok for gate in results.gates if gate.minimum is not None or not gate.ok]
    verdicts += [comparison.ok for comparison in results.comparisons]
    verdicts += [False for _ in results.errors]
    of = count(len(verdicts), "gate")
    said = f"{verdicts.count(False)} of {of} failed" if verdicts else "nothing was asked for"
    return "\n".join([*lines, "", f"{'PASSED' if results.ok else 'FAILED'}  {said}"]) + "\n"


def _files(results: Results) -> str:
    return _compared(results.predictions, results.test, results.matched) + (
        f"; judge {safe(results.judge)}" if results.judge else ""
    )


def _compared(path: str, test: str | None, matched: MatchedPredictions) -> str:
    against = f" vs {safe(test, None)}" if test else ""
    return (
        f"{safe(path, None)}{against}: {count(matched.predictions, 'prediction')} to "
        f"{count(len(matched.answers), 'question')}, {_METHODS[matched.how]}"
    )


def _irregular(irregular: Irregularities) -> Iterator[str]:
    for name, words in _IRREGULAR.items():
        ids: Sequence[str] = getattr(irregular, name)
        if ids:
            more = ", ..." if len(ids) > _MOST_IDS else ""
            yield f"  {len(ids):,} {words} ({', '.join(map(safe, ids[:_MOST_IDS]))}{more})"


def render_gate(  # noqa: PLR0913, PLR0917 - what a failure has to tell
    gate: Gate,
    path: str,
    test: str | None,
    matched: MatchedPredictions,
    command: Sequence[str],
    most_shown: int = MOST_SHOWN,
) -> str:
    """Return what to say of *gate*, its first line short enough for pytest's summary."""
    first, *rest = _gate(gate, path, test, command, most_shown)
    return "\n".join([first, _compared(path, test, matched), *_irregular(matched.irregular), *rest])


def render_comparison(comparison: Comparison, path: str, baseline: str) -> str:
    """Return what to say of *comparison*."""
    first, *rest = _comparison(comparison, baseline)
    return "\n".join([first, f"{safe(path, None)} vs {safe(baseline, None)}, on the same questions", *rest])


def _gate(gate: Gate, path: str, test: str | None, command: Sequence[str], most_shown: int) -> Iterator[str]:
    accuracy = gate.accuracy
    yield _headline(gate)
    yield f"  {_interval(accuracy)}"
    yield from _compared_with_minimum(gate)
    if gate.ungraded:
        yield (
            f"  {len(gate.ungraded):,} of {len(gate.ungraded) + accuracy.n:,} not rated by the judge as it "
            f"was asked, and left out ({_ids(gate.ungraded)})"
        )
    if gate.ratings:
        yield f"  ratings: {' | '.join(f'{rating} {number:,}' for rating, number in gate.ratings.items())}"
    for group in gate.groups[:_MOST_IDS]:
        low = "" if group.ok else "too low: "
        few = ", too few to judge" if group.few else ""
        share = f"{_percent(group.accuracy.share)} ({group.accuracy.right:,}/{group.accuracy.n:,})"
        yield f"  {low}{safe(gate.by)}={safe(group.value)} {share}{few}"
    if len(gate.groups) > _MOST_IDS:
        yield f"  ... and {count(len(gate.groups) - _MOST_IDS, 'better group')}"
    if gate.wrong:
        yield from _wrong(gate, path, test, command, most_shown)


def _headline(gate: Gate) -> str:
    accuracy = gate.accuracy
    share, kind = _percent(accuracy.share), gate.kind or "all"
    if gate.minimum is None:
        said = f"{kind} {share}"
    else:
        reached = not gate.short_by
        wanted = _percent(gate.minimum)
        if share == wanted and not reached:
            share, wanted = _percent(accuracy.share, 3), _percent(gate.minimum, 3)
        said = f"{kind} {share} {'>=' if reached else '<'} {wanted}"
    others = [_CAUSES[cause] for cause in gate.causes if cause != "low"]
    return f"{said} ({accuracy.right:,}/{accuracy.n:,}){'; ' if others else ''}{', '.join(others)}"


def _interval(accuracy: Accuracy) -> str:
    if accuracy.images is None:
        basis = f"n {accuracy.n:,}; answers taken as independent: no test split names their images"
    else:
        effective = f"effective n {accuracy.effective_n:,.0f} of {accuracy.n:,}"
        basis = f"{count(accuracy.images, 'image')}, {effective}"
    return f"95 % interval {_range(accuracy.interval)} (Wilson; {basis})"


def _range(interval: Interval) -> str:
    return f"{100 * interval.low:.1f} to {_percent(interval.high)}"


def _compared_with_minimum(gate: Gate) -> Iterator[str]:
    if gate.minimum is None:
        return
    if gate.short_by:
        yield f"  short by {count(gate.short_by, 'answer')}"
    if gate.bound is not None and gate.confidence is not None:
        yield f"  at least {_percent(gate.bound)} with confidence {gate.confidence:g}, on one side"
        settled = gate.bound >= gate.minimum
    else:
        settled = not gate.accuracy.interval.low <= gate.minimum <= gate.accuracy.interval.high
    if not settled:
        lacking = "the interval holds the minimum: no proof" if gate.bound is None else "a proof takes more"
        yield f"  {lacking}; {_settled_by(gate.settled_by)}"


def _settled_by(number: int | None) -> str:
    if number is None:
        return "no number of answers would settle it, at just this share"
    return f"about {count(number, 'answer')} in all would settle it, at this share"


def _wrong(gate: Gate, path: str, test: str | None, command: Sequence[str], most_shown: int) -> Iterator[str]:
    pairs = " | ".join(
        f"said {safe(said)}, truth {safe(truth)}: {number:,}"
        for (said, truth), number in list(gate.confusions.items())[:_MOST_IDS]
    )
    yield f"  wrong {len(gate.wrong):,}{': ' + pairs if pairs else ''}"
    asked = gate.minimum is not None
    shown = () if asked and gate.ok else gate.wrong[:most_shown] if most_shown else gate.wrong
    for mark in shown:
        yield f"    {_mark(mark, path)}"
    if shown and len(gate.wrong) > len(shown):
        yield f"    ... and {len(gate.wrong) - len(shown):,} more"
    by_name: dict[Normalisation, list[Mark]] = {}
    for mark, name in gate.near_misses:
        by_name.setdefault(name, []).append(mark)
    for name, marks in by_name.items():
        first = _quoted(marks[0].answer.said)
        yield f"  near misses {len(marks):,} ({first} ...): normalise={name} would count them"
    if test and (place := next((one.answer.question for one in shown if one.answer.question), None)):
        yield f"  with its image: vft show {shlex.quote(safe(test, None))}:{place.line} --save DIR"
    if command:
        yield f"  the wrong ones alone: {' '.join(shlex.quote(safe(part, None)) for part in command)}"


def _mark(mark: Mark, path: str) -> str:
    answer = mark.answer
    place = f"{safe(path, None)}:{answer.line}" if answer.line else "no prediction"
    question = f"  {_quoted(answer.question.text)}" if answer.question else ""
    at = f", {answer.question.place}" if answer.question else ""
    rating = f"  {mark.rating}" if mark.rating else ""
    return f"{place}{at}{question}  {_said(mark)}{rating}"


def _said(mark: Mark) -> str:
    answer = mark.answer
    truth = "unknown" if answer.truth is None else _quoted(answer.truth)
    return f"id {safe(answer.id)}  said {_quoted(answer.said)}  truth {truth}"


def _ids(marks: Sequence[Mark]) -> str:
    more = ", ..." if len(marks) > _MOST_IDS else ""
    return f"ids {', '.join(safe(mark.answer.id) for mark in marks[:_MOST_IDS])}{more}"


def _comparison(comparison: Comparison, baseline: str) -> Iterator[str]:
    kind = comparison.kind or "all"
    ours, theirs = comparison.accuracy, comparison.baseline
    causes = ", ".join("worse" if cause == "low" else _CAUSES[cause] for cause in comparison.causes)
    said = f"{kind} {_points(comparison.difference)} points vs baseline"
    yield f"{said}{': ' + causes if causes else ''}"
    yield (
        f"  {_percent(ours.share)} ({ours.right:,}) against {_percent(theirs.share)} ({theirs.right:,}) of "
        f"{ours.n:,} in {safe(baseline, None)}"
    )
    low, high = comparison.interval
    yield f"  95 % interval of the difference {_points(low)} to {_points(high)} points"
    yield (
        f"  only this one right {comparison.better:,}, only the baseline {comparison.worse:,}: "
        f"exact McNemar p = {comparison.p:.3g}"
    )
    if low <= 0 <= high:
        settled = _settled_by(comparison.settled_by).replace("share", "difference")
        yield f"  no proof of a difference: the interval holds 0; {settled}"
    elif comparison.p >= comparison.alpha:
        yield f"  no proof of a difference: exact McNemar p is not below {comparison.alpha:g}"
    for mark in comparison.lost[:_MOST_IDS] if causes else ():
        yield f"    lost: {_said(mark)}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def _quoted(text: str) -> str:
    return repr(safe(text, _QUOTED)).replace("\\\\", "\\")


def progress_line(answered: int, of: int, right: int, scored: int) -> str:
    """Return how far a live run is, and how much of what can be scored at its letters is right."""
    so_far = f", {_percent(right / scored)} of {scored:,} exactly right so far" if scored else ""
    return f"vft: {answered:,} of {count(of, 'question')} answered{so_far}"
