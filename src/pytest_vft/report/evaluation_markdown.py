"""The results of an evaluation as Markdown, for a step summary or a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_vft.evaluation.calibration import Calibration
from pytest_vft.evaluation.comparison import Change
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.results import Results
from pytest_vft.report.evaluation_calibration import calibration_headlines, confusion_rows
from pytest_vft.report.evaluation_comparison import comparison_headline, comparison_rows
from pytest_vft.report.evaluation_text import gate_headline, render_results, verdict
from pytest_vft.report.evaluation_words import share_words
from pytest_vft.report.markdown import code_cell, fitting
from pytest_vft.text import safe

_MOST_CHANGES = 100  # questions of a list


def render_results_markdown(results: Results, commands: Mapping[str, Sequence[str]], most_shown: int) -> str:
    """Return *results* as lists and tables, followed by their text, collapsed; see render_results()."""
    text = render_results(results, commands, most_shown)
    lines = [f"### vft eval: {verdict(results)}", ""]
    lines += [_item(gate_headline(gate), ok=gate.ok) for gate in results.gates]
    lines += [_item(f"error {kind}: {error}", ok=False) for kind, error in results.errors.items()]
    for gate in results.gates:
        lines += _groups(gate)
    for comparison in results.comparisons:
        against = str(results.against)
        lines += [_item(comparison_headline(comparison, against), ok=comparison.ok), ""]
        head, *rows = comparison_rows(comparison, results.predictions, against)
        lines += [_row(head), "| --- " * len(head) + "|", *map(_row, rows), ""]
        lines += _changes("fixed", comparison.fixed)
        lines += _changes("broken", comparison.broken)
    if results.calibration:
        lines += _calibration(results.calibration, results)
    lines += ["", "<details><summary>The whole report</summary>", ""]
    # Indented lines are code, which the text cannot end.
    lines += fitting(f"    {line}" for line in text.splitlines())
    return "\n".join([*lines, "", "</details>"]) + "\n"


def _groups(gate: Gate) -> Iterator[str]:
    """Yield a table of all groups of *gate*."""
    if not gate.groups:
        return
    yield ""
    yield f"| {gate.kind or 'all'} answers with | accuracy | verdict |"
    yield "| --- | --- | --- |"
    rows = (
        [
            f"{safe(group.key)}={safe(group.value)}",
            share_words(group.accuracy),
            "too few answers for a verdict" if group.few else "fine" if group.ok else "too low",
        ]
        for group in gate.groups
    )
    yield from fitting(map(_row, rows))
    yield ""


def _calibration(calibration: Calibration, results: Results) -> Iterator[str]:
    yield ""
    for line in calibration_headlines(calibration, str(results.judge), str(results.judge_labels)):
        yield f"- {code_cell(line.strip())}"
    yield ""
    head, *rows = confusion_rows(calibration)
    yield _row(head)
    yield "| --- " * len(head) + "|"
    yield from map(_row, rows)


def _item(text: str, *, ok: bool) -> str:
    return f"- {'passed' if ok else '**failed**'}: {code_cell(text)}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(code_cell, cells))} |"


def _changes(name: str, changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        return
    yield f"<details><summary>{len(changes):,} {name}</summary>"
    yield ""
    yield "| question | truth | now | before |"
    yield "| --- | --- | --- | --- |"
    rows = (
        [_place(change), str(change.ours.answer.truth), change.ours.answer.said, change.theirs.answer.said]
        for change in changes[:_MOST_CHANGES]
    )
    yield from fitting(_row([safe(text) for text in row]) for row in rows)
    yield ""
    yield "</details>"
    yield ""


def _place(change: Change) -> str:
    question = change.ours.answer.question
    return question.place if question else f"id {change.ours.answer.id}"
