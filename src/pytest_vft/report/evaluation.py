"""The results of an evaluation written as text or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_vft.errors import UsageError
from pytest_vft.evaluation.results import Results
from pytest_vft.report.evaluation_json import render_results_json
from pytest_vft.report.evaluation_text import render_results
from pytest_vft.report.formats import Target, parse_targets, write_target

FORMATS = ("text", "json")


def result_targets(given: Sequence[str]) -> list[Target]:
    """Return the targets of FORMAT:FILE texts. Raises UsageError for a format not in FORMATS."""
    targets = parse_targets(given)
    for target in targets:
        if target.format not in FORMATS:
            raise UsageError(f"vft eval has no report format {target.format!r}; known: {', '.join(FORMATS)}")
    return targets


def render_results_as(
    format_name: str, results: Results, commands: Mapping[str, Sequence[str]], most_shown: int
) -> str:
    """Return *results* in the report format *format_name*; see render_results()."""
    return (
        render_results_json(results)
        if format_name == "json"
        else render_results(results, commands, most_shown)
    )


def write_results(
    results: Results, commands: Mapping[str, Sequence[str]], target: Target, most_shown: int
) -> None:
    """Write *results* to *target*; see render_results(). Raises UsageError if the file cannot be written."""
    inputs = filter(None, (results.predictions, results.test, results.baseline))
    write_target(target, render_results_as(target.format, results, commands, most_shown), inputs)
