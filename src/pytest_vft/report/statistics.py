"""The number of findings and lines of each rule."""

from __future__ import annotations

from collections import Counter

from pytest_vft.model import Report
from pytest_vft.report.verdict import verdict
from pytest_vft.text import safe


def render_statistics(report: Report) -> str:
    """Return a table of the rules that failed, errors first, then by number of findings, and the verdict."""
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
    return "\n".join([*head, *lines, verdict(report)]) + "\n"
