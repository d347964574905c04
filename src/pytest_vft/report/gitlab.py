"""The report as GitLab's code quality JSON (https://docs.gitlab.com/ci/testing/code_quality/)."""

from __future__ import annotations

from typing import Any

from pytest_vft.model import Report
from pytest_vft.report.findings import RepositoryFinding, repository_findings
from pytest_vft.report.json import harmless_json
from pytest_vft.text import count, safe

MAX_ISSUES = 4_999
_LONGEST = 1_000


def render_gitlab(report: Report) -> str:
    """Return *report* as a list of issues, errors first; a last issue counts the rest."""
    shown, hidden = repository_findings(report, MAX_ISSUES)
    issues = [_issue(one) for one in shown]
    if hidden:
        issues.append(
            {
                **issues[-1],
                "description": f"and {count(hidden, 'more finding')}; vft check counts them",
                "check_name": "vft",
                "fingerprint": "more",
                "severity": "info",
            }
        )
    return harmless_json(issues)


def _issue(issue: RepositoryFinding) -> dict[str, Any]:
    finding, path, fingerprint = issue
    at = f" ({finding.pointer})" if finding.pointer else ""
    return {
        "description": safe(f"{finding.message}{at}; do: {finding.advice}", _LONGEST),
        "check_name": safe(finding.rule, None),
        "fingerprint": fingerprint,
        "severity": "major" if finding.severity == "error" else "minor",
        "location": {"path": safe(path, None), "lines": {"begin": finding.line or 1}},
    }
