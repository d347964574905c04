"""The report as GitLab's code quality JSON (https://docs.gitlab.com/ci/testing/code_quality/)."""

from __future__ import annotations

from typing import Any

from pytest_vft.model import Finding, Report
from pytest_vft.report.findings import dropped, fingerprints, repository_paths
from pytest_vft.report.json import harmless_json
from pytest_vft.text import count, safe

MOST_ISSUES = 4_999
_LONGEST = 1_000


def render_gitlab(report: Report) -> str:
    """Return *report* as a list of issues, errors first; a last one says how many more there are."""
    paths = repository_paths(report.findings)
    named = list(zip(report.findings, fingerprints(report.findings), strict=True))
    named.sort(key=lambda one: one[0].severity != "error")
    shown = named[:MOST_ISSUES]
    issues = [_issue(finding, paths[finding.path], fingerprint) for finding, fingerprint in shown]
    hidden = len(named) - len(shown) + dropped(report)
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


def _issue(finding: Finding, path: str, fingerprint: str) -> dict[str, Any]:
    at = f" ({finding.pointer})" if finding.pointer else ""
    return {
        "description": safe(f"{finding.message}{at}; do: {finding.advice}", _LONGEST),
        "check_name": safe(finding.rule, None),
        "fingerprint": fingerprint,
        "severity": "major" if finding.severity == "error" else "minor",
        "location": {"path": safe(path, None), "lines": {"begin": finding.line or 1}},
    }
