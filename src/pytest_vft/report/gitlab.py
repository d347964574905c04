"""The report as GitLab's code quality JSON (https://docs.gitlab.com/ci/testing/code_quality/)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from xxhash import xxh3_128_hexdigest

from pytest_vft.model import Report
from pytest_vft.report.findings import RepositoryFinding, repository_findings, repository_paths
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
    room = MAX_ISSUES - len(shown)
    return harmless_json([*issues, *islice(_unsettled_urls(report), room)])


def _unsettled_urls(report: Report) -> Iterator[dict[str, Any]]:
    """Yield an issue of severity info for each URL that was not settled, at its first line."""
    paths = repository_paths(one.places[0][0] for one in report.unsettled)
    for one in report.unsettled:
        path, line = one.places[0]
        text = f"URL not settled: {one.cause}: {one.url}"
        yield {
            "description": safe(text, _LONGEST),
            "check_name": "vft",
            "fingerprint": xxh3_128_hexdigest(f"{paths[path]}\0{one.url}".encode("utf-8", "surrogatepass")),
            "severity": "info",
            "location": {"path": safe(paths[path], None), "lines": {"begin": line}},
        }


def _issue(issue: RepositoryFinding) -> dict[str, Any]:
    finding, path, fingerprint, known = issue
    at = f" ({finding.pointer})" if finding.pointer else ""
    return {
        "description": safe(f"{finding.message}{at}; do: {finding.advice}", _LONGEST),
        "check_name": safe(finding.rule, None),
        "fingerprint": fingerprint,
        "severity": "info" if known else "major" if finding.severity == "error" else "minor",
        "location": {"path": safe(path, None), "lines": {"begin": finding.line or 1}},
    }
