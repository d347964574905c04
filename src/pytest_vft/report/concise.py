"""The report with one line for each finding, as compilers and linters print it."""

from __future__ import annotations

from pytest_vft.model import Report
from pytest_vft.report.findings import dropped
from pytest_vft.report.folding import place
from pytest_vft.report.layout import DEFAULT, Display
from pytest_vft.report.repairable import mark
from pytest_vft.report.text import unchecked_lines, unknown_lines
from pytest_vft.report.verdict import verdict
from pytest_vft.text import count, safe


def render_concise(report: Report, display: Display = DEFAULT) -> str:
    """Return all findings of *report* as `path:line: severity rule: message`, and the verdict.

    Before the verdict is what was not checked. The rule of a finding that can be repaired is marked with [*].

    URLs that were not settled are listed like findings, as notes.
    """
    if display.quiet and report.ok and not report.sampled:
        return ""
    lines = [
        safe(f"{place(finding)}: {finding.severity} {finding.rule}{mark([finding])}: {finding.message}", None)
        for finding in report.findings
    ]
    if dropped(report):
        lines.append(
            f"... and {count(dropped(report), 'more finding')}, not kept (--max-findings=0 keeps them)"
        )
    if report.require_checked or not display.quiet:
        lines += [
            safe(f"{path}:{line}: note: URL not settled: {one.cause}", None)
            for one in report.unsettled
            for path, line in one.places
        ]
        lines += unknown_lines(report) if display.quiet else unchecked_lines(report)
    return "\n".join([*lines, verdict(report)]) + "\n"
