"""The page about an evaluation: verdict, accuracy, ratings, and the answers to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pytest_vft.evaluation.comparison import Comparison
from pytest_vft.evaluation.gate import Cause, Gate
from pytest_vft.evaluation.results import Results
from pytest_vft.report.evaluation_calibration import calibration_headlines
from pytest_vft.report.evaluation_comparison import interval_details
from pytest_vft.report.evaluation_text import (
    METHODS,
    command_line,
    gate_details,
    irregular_lines,
    near_miss_lines,
)
from pytest_vft.report.evaluation_words import CAUSES, percent, points
from pytest_vft.report.html.accuracy_chart import accuracy_chart
from pytest_vft.report.html.album import Album
from pytest_vft.report.html.answer_tables import calibration_matrix, confusion_matrix, rating_bars
from pytest_vft.report.html.answers import answer_lists
from pytest_vft.report.html.page import Page
from pytest_vft.text import count

_MOST_DIGITS = 3


class Tile(NamedTuple):
    """A figure at the top of the page with its verdict: "passed", "failed" or "measured".

    *reason* says why, in a few words.
    """

    verdict: str
    what: str
    figure: str
    unit: str
    reason: str
    lines: Sequence[str]


class DetailGroup(NamedTuple):
    """Lines below a title, and a *command* that evaluates only the wrong answers."""

    title: str
    lines: Sequence[str]
    command: str = ""


def evaluation_page(results: Results, commands: Mapping[str, Sequence[str]], *, images: bool) -> Page:
    """Return the page about *results*; *commands*, by kind, evaluate only the wrong answers.

    With *images*, those of the questions are read again from the test split.
    """
    album = Album() if images and results.test else None
    tiles = list(_tiles(results))
    word, sentence = _verdict(results, tiles)
    matrices = [
        (f"{gate.kind or 'all'} answers", matrix)
        for gate in results.gates
        if (matrix := confusion_matrix(gate, results)) is not None
    ]
    lists = answer_lists(results, album)
    return Page(
        "evaluation.html",
        {
            "title": f"{word}: {Path(results.predictions).name}, {sentence}",
            "word": word,
            "sentence": sentence,
            "subject": _subject(results),
            "tiles": tiles,
            "chart": accuracy_chart(results),
            "ratings": list(rating_bars(results)),
            "matrices": matrices,
            "calibration": _calibration(results),
            "lists": lists,
            "kinds": list(dict.fromkeys(one.kind for one in lists)),
            "names": list(dict.fromkeys(one.name for one in lists)),
            "costs": results.spending.entries,
            "details": list(_details(results, commands)),
            "settings": list(_settings(results)),
        },
        album.thumbnails if album else {},
    )


def _verdict(results: Results, tiles: Sequence[Tile]) -> tuple[str, str]:
    """Return a word, and a sentence about the gates that fail, else about all of them."""
    if not results.ok:
        failed = [_words(tile) for tile in tiles if tile.verdict == "failed"]
        gates = len([tile for tile in tiles if tile.verdict != "measured"])
        return "FAILED", f"{len(failed):,} of {count(gates, 'gate')} failed: {'; '.join(failed)}"
    word = "PASSED" if any(tile.verdict == "passed" for tile in tiles) else "NO GATE"
    return word, "; ".join(map(_words, tiles))


def _words(tile: Tile) -> str:
    return f"{tile.what} {tile.figure}{tile.unit and f' {tile.unit}'} ({tile.reason})"


def _tiles(results: Results) -> Iterator[Tile]:
    yield from map(gate_tile, results.gates)
    for comparison in results.comparisons:
        yield comparison_tile(comparison, str(results.against))
    for kind, error in results.errors.items():
        yield Tile("failed", f"{kind} answers", "no verdict", "", str(error), [str(error)])


def gate_tile(gate: Gate) -> Tile:
    """Return the accuracy of *gate* with its verdict."""
    accuracy, minimum = gate.accuracy, gate.minimum
    share = percent(accuracy.share)
    right = f"{accuracy.right:,} of {accuracy.n:,} right"
    causes = [_cause(cause, gate) for cause in gate.causes if cause != "low"]
    required = ""
    if minimum is not None:
        digits = _MOST_DIGITS if share == percent(minimum) and gate.short_by else 1
        share = percent(accuracy.share, digits)
        required = f"at least {percent(minimum, digits)} required"
    reasons = [required] if required and (gate.ok or gate.short_by) else []
    reason = ", ".join([*reasons, *causes]) or right
    lines = [*filter(None, [required]), right, *causes]
    verdict = "failed" if not gate.ok else "measured" if minimum is None else "passed"
    return Tile(verdict, f"{gate.kind or 'all'} answers", share, "", reason, lines)


def _cause(cause: Cause, gate: Gate) -> str:
    """Return why *gate* fails; of groups that are too low, the first is named."""
    if cause == "ungraded":
        return f"{CAUSES[cause]}: {len(gate.ungraded):,}"
    low = [group for group in gate.groups if not group.ok]
    if cause != "group" or not low:
        return CAUSES[cause]
    others = f" and {count(len(low) - 1, 'other group')}" if len(low) > 1 else ""
    return f"{low[0].key} {low[0].value}{others} too low"


def comparison_tile(comparison: Comparison, against: str) -> Tile:
    """Return the difference of *comparison* with the model *against*, with its verdict."""
    changes = f"{len(comparison.fixed):,} fixed, {len(comparison.broken):,} broken"
    causes = [CAUSES[cause] for cause in comparison.causes if cause != "low"]
    reason = ", ".join([*(["worse"] if "low" in comparison.causes else []), *causes]) or changes
    verdict = "passed" if comparison.ok else "failed"
    what = f"{comparison.kind or 'all'} answers against {against}"
    return Tile(verdict, what, points(comparison.difference), "points", reason, [changes, *causes])


def _subject(results: Results) -> str:
    matched = results.matched
    questions = f"{count(matched.questions, 'question')}{f' of {results.test}' if results.test else ''}"
    return f"{results.predictions}: {count(matched.predictions, 'prediction')} to {questions}"


def _calibration(results: Results) -> Mapping[str, Any] | None:
    if results.calibration is None:
        return None
    lines = calibration_headlines(results.calibration, str(results.judge), str(results.judge_labels))
    return {"lines": list(lines), "matrix": calibration_matrix(results.calibration)}


def _details(results: Results, commands: Mapping[str, Sequence[str]]) -> Iterator[DetailGroup]:
    for gate in results.gates:
        lines = [*gate_details(gate), *near_miss_lines(gate)]
        command = command_line(commands.get(str(gate.kind), ()))
        yield DetailGroup(f"{gate.kind or 'all'} answers", lines, command)
    for comparison in results.comparisons:
        title = f"{comparison.kind or 'all'} answers against {results.against}"
        yield DetailGroup(title, list(interval_details(comparison)))
    lines = list(irregular_lines(results.matched.irregular))
    if results.unscored:
        lines.append(f"{count(results.unscored, 'open answer')} not scored: no judge and no metric given")
    if lines:
        yield DetailGroup("Not in order", lines)


def _settings(results: Results) -> Iterator[tuple[str, str]]:
    yield "predictions", results.predictions
    if results.test:
        yield "test split", results.test
    if results.against:
        yield "other model", results.against
    yield "questions", METHODS[results.matched.how]
    if results.judge:
        yield "judge", results.judge
    for gate in results.gates[:1]:
        yield (
            "passing ratings" if gate.scoring.judge else "normalisation",
            (", ".join(gate.scoring.judge.passing) if gate.scoring.judge else gate.scoring.normalise),
        )
    for gate in results.gates:
        yield f"metric of {gate.kind or 'all'} answers", ", ".join(gate.metrics)
