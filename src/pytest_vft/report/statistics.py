"""The number of findings and lines of each rule."""

from __future__ import annotations

from collections import Counter

from pytest_vft.model import Report
from pytest_vft.report.layout import DEFAULT, Display, wrapped
from pytest_vft.report.text import unchecked_lines, unknown_lines
from pytest_vft.report.verdict import verdict
from pytest_vft.text import safe


def render_statistics(report: Report, display: Display = DEFAULT) -> str:
    """Return a table of the rules that failed, errors first, then by number of findings, and the verdict.

    Before the verdict is what was not checked, as in the text.
    """
    if display.quiet and report.ok and not report.sampled:
        return ""
    kept = Counter(finding.rule for finding in report.findings)
    rows = [
        (
            kept[rule.id] + rule.truncated,
            sum(len(file.bad_lines[rule.id]) for file in report.files if rule.id in file.bad_lines),
            f"{rule.severity} {safe(rule.id, None)}",
        )
        for rule in sorted(report.rules, key=lambda rule: rule.severity != "error")
        if rule.tally.failed
    ]
    rows.sort(key=lambda row: (row[2].startswith("warning"), -row[0]))
    lines = [f"{findings:>8,}  {bad:>7,}  {rule}" for findings, bad, rule in rows]
    head = [f"{'findings':>8}  {'lines':>7}  rule"] if rows else []
    unchecked: list[str] = []
    if report.require_checked or not display.quiet:
        for line in unknown_lines(report) if display.quiet else unchecked_lines(report):
            unchecked += wrapped(line, width=display.width)
    return "\n".join([*head, *lines, *unchecked, verdict(report)]) + "\n"
