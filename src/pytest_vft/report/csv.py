"""The findings as a table, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from pytest_vft.model import Finding, Report
from pytest_vft.report.findings import by_file
from pytest_vft.report.labels import Label, read_labels
from pytest_vft.report.repairable import repair_name
from pytest_vft.text import count, safe

COLUMNS = ("line", "id", "question", "image", "rule", "message", "severity", "file", "repair")
_LONGEST = 1_000  # characters of a cell
# Spreadsheets take a cell that starts with one of these for a formula, the last four in some languages
# (https://owasp.org/www-community/attacks/CSV_Injection). Control characters are escaped already.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001 - wide characters are meant


def render_csv(report: Report) -> str:
    """Return *report* as CSV: a row for each finding, and for each place of a URL that was not settled.

    Text that could be a formula starts with "'".
    """
    return csv_text([COLUMNS, *_rows(report)])


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return *rows* as CSV, in which no text is a formula or a command to a terminal."""
    table = io.StringIO()
    writer = csv.writer(table, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([_cell(value) for value in row] for row in rows)
    return table.getvalue()


def _rows(report: Report) -> Iterator[tuple[object, ...]]:
    by_path = by_file((*report.findings, *report.known))
    known = set(map(id, report.known))
    for file in report.files:
        findings = by_path.get(file.path, ())
        for finding, label in zip(findings, read_labels(file, findings), strict=True):
            yield finding_row(finding, label, "known" if id(finding) in known else None)
    for rule in report.rules:
        if rule.truncated:
            more = f"{count(rule.truncated, 'more finding')}, not kept (--max-findings=0 keeps them)"
            yield "", "", "", "", rule.id, more, rule.severity, "", ""
    for one in report.unsettled:
        for path, line in one.places:
            yield line, "", "", one.url, "", f"URL not settled: {one.cause}", "note", path, ""


def finding_row(finding: Finding, label: Label, severity: str | None = None) -> tuple[object, ...]:
    """Return the row of *finding* on an example with *label*, in the order of COLUMNS.

    *severity* is by default that of the finding.
    """
    line = "" if finding.line is None else finding.line
    image = label.images.get(finding.pointer, "")
    return (
        line,
        label.id,
        label.question,
        image,
        finding.rule,
        finding.message,
        severity or finding.severity,
        finding.path,
        repair_name(finding),
    )


def _cell(value: object) -> str:
    text = safe(value, _LONGEST)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
