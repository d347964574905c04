"""The comparison of providers as Markdown, for a comment or a step summary."""

from __future__ import annotations

from pytest_vft.compatibility import ProviderComparison
from pytest_vft.report.layout import DEFAULT, Display
from pytest_vft.report.markdown import code_cell, fitting
from pytest_vft.report.matrix_text import AFTER_NOTE, after_words, why
from pytest_vft.text import count

_HEAD = ("| provider | verdict | why | after convert |", "| --- | --- | --- | --- |")


def render_matrix_markdown(comparison: ProviderComparison, display: Display = DEFAULT) -> str:
    """Return *comparison* as a table with a row for each provider."""
    files = [
        f"- {code_cell(file.path)}: {file.data_format}, {file.split}, {count(file.examples, 'example')}, "
        f"{count(file.images, 'image')}"
        for file in comparison.files
    ]
    rows = []
    for one in comparison.providers:
        reasons = "<br>".join(map(code_cell, why(comparison, one, display.most_shown)))
        after = code_cell(after_words(one)) if one.after else ""
        rows.append(f"| {code_cell(one.id)} | {one.verdict} | {reasons} | {after} |")
    notes = [f"- note: {code_cell(note)}" for note in comparison.notes]
    if any(one.after for one in comparison.providers):
        notes.append(f"- {AFTER_NOTE}")
    lines = ["### vft: providers", "", *files, "", *_HEAD, *fitting(rows), "", *notes]
    return "\n".join(lines).rstrip() + "\n"
