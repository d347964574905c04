"""The results of an evaluation in a report format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from pytest_vft.errors import UsageError
from pytest_vft.evaluation.results import Results
from pytest_vft.options import EVAL_FORMATS
from pytest_vft.report.evaluation_github import render_results_github
from pytest_vft.report.evaluation_json import render_results_json
from pytest_vft.report.evaluation_junit import render_results_junit
from pytest_vft.report.evaluation_markdown import render_results_markdown
from pytest_vft.report.evaluation_text import render_results
from pytest_vft.report.formats import Target, parse_targets, write_target
from pytest_vft.report.layout import Display

_RENDERERS: Mapping[str, Callable[[Results, Mapping[str, Sequence[str]], int], str]] = {
    "text": render_results,
    "markdown": render_results_markdown,
    "github": render_results_github,
    "junit": render_results_junit,
    "json": lambda results, *_: render_results_json(results),
}


def result_targets(given: Sequence[str]) -> list[Target]:
    """Return the targets of FORMAT:FILE texts. Raises UsageError for a format of checks only."""
    targets = parse_targets(given)
    for target in targets:
        if target.format not in EVAL_FORMATS:
            raise UsageError(
                f"vft eval has no report format {target.format!r}; known: {', '.join(EVAL_FORMATS)}"
            )
    return targets


def render_results_as(
    format_name: str, results: Results, commands: Mapping[str, Sequence[str]], display: Display
) -> str:
    """Return *results* in the report format *format_name*; see render_results()."""
    if format_name == "html":
        from pytest_vft.report.html.evaluation import evaluation_page  # noqa: PLC0415 - for this format only
        from pytest_vft.report.html.page import one_file  # noqa: PLC0415 - jinja2 takes 40 ms to import

        return one_file(evaluation_page(results, commands, images=display.images))
    return _RENDERERS[format_name](results, commands, display.most_shown)


def write_results(
    results: Results, commands: Mapping[str, Sequence[str]], target: Target, display: Display
) -> None:
    """Write *results* to *target*; see render_results(). Raises UsageError if the file cannot be written."""
    if target.format == "html":
        from pytest_vft.report.html.evaluation import evaluation_page  # noqa: PLC0415 - as above
        from pytest_vft.report.html.page import write_page  # noqa: PLC0415 - as above

        page = evaluation_page(results, commands, images=display.images)
        write_page(page, target.path, list(_inputs(results)))
        return
    write_target(target, render_results_as(target.format, results, commands, display), _inputs(results))


def _inputs(results: Results) -> Iterable[str]:
    """Return the files that *results* are about."""
    return filter(None, (results.predictions, results.test, results.against, results.judge_labels))
