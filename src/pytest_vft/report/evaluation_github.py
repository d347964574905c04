"""The results of an evaluation as text, with an annotation for GitHub Actions for each gate that fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_vft.evaluation.results import Results
from pytest_vft.evaluation.scoring import Mark
from pytest_vft.report.evaluation_comparison import render_comparison
from pytest_vft.report.evaluation_text import render_gate, render_results
from pytest_vft.report.github import error_command


def render_results_github(results: Results, commands: Mapping[str, Sequence[str]], most_shown: int) -> str:
    """Return *results* as text and workflow commands; see render_results()."""
    return render_results(results, commands, most_shown) + "".join(
        f"{command}\n" for command in _annotations(results)
    )


def _annotations(results: Results) -> Iterator[str]:
    path, against = results.predictions, str(results.against)
    for gate in results.gates:
        if not gate.ok:
            text = render_gate(gate, path, results.test, results.matched, ())
            yield error_command(*_place(path, gate.wrong), "vft eval", text)
    for comparison in results.comparisons:
        if not comparison.ok:
            broken = [change.ours for change in comparison.broken]
            yield error_command(
                *_place(path, broken), "vft eval", render_comparison(comparison, path, against)
            )
    for kind, error in results.errors.items():
        yield error_command(path, None, "vft eval", f"{kind}: {error}")


def _place(path: str, marks: Sequence[Mark]) -> tuple[str, int | None]:
    """Return the question of the first of *marks*, or the line of the prediction without a test split."""
    if not marks:
        return path, None
    answer = marks[0].answer
    return (answer.question.path, answer.question.line) if answer.question else (path, answer.line)
