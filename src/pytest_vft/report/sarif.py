"""The report as SARIF 2.1.0, for code scanning (https://docs.oasis-open.org/sarif/sarif/v2.1.0/)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from pytest_vft.model import Report, RuleResult
from pytest_vft.reading.object_paths import is_object
from pytest_vft.report.findings import RepositoryFinding, repository_findings, repository_paths
from pytest_vft.report.json import harmless_json
from pytest_vft.report.repairable import repair_name
from pytest_vft.report.text import unchecked_lines
from pytest_vft.text import count, safe

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
# GitHub shows the first 5,000 results of a run and refuses a file of more than 25,000 results or, zipped,
# 10 MB (https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support).
MAX_RESULTS = 4_999
MAX_NOTIFICATIONS = 1_000
_LONGEST = 1_000


def render_sarif(report: Report) -> str:
    """Return *report* as SARIF, one result per finding, errors first."""
    shown, hidden = repository_findings(report, MAX_RESULTS)
    indexes = {rule.id: index for index, rule in enumerate(report.rules)}
    notifications = [*_hidden_findings(hidden), *_unsettled_urls(report), *_notes(report)]
    run = {
        "tool": {
            "driver": {
                "name": "pytest-vft",
                "version": version("pytest-vft"),
                "informationUri": "https://pypi.org/project/pytest-vft/",
                "rules": [_rule(rule) for rule in report.rules],
            }
        },
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notifications}],
        "results": [_result(one, indexes[one.finding.rule]) | _state(one, report) for one in shown],
    }
    return harmless_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(rule: RuleResult) -> dict[str, Any]:
    descriptor = {
        "id": safe(rule.id, None),
        "shortDescription": _message(rule.summary),
        "fullDescription": _message(rule.why),
        "help": {"text": f"{_plain(rule.why)}\n\n{_plain(rule.advice)}"},
        "defaultConfiguration": {"level": rule.severity},
    }
    if re.match("https?://", rule.source):
        descriptor["helpUri"] = quote(rule.source, safe="%/:?#@!$&'()*+,;=~")
    return descriptor


def _result(result: RepositoryFinding, index: int) -> dict[str, Any]:
    finding, path, fingerprint, _ = result
    at = f" ({finding.pointer})" if finding.pointer else ""
    return {
        "ruleId": safe(finding.rule, None),
        "ruleIndex": index,
        "level": finding.severity,
        "message": _message(finding.message + at),
        "locations": [_location(path, finding.line or 1)],
        # GitHub reads only this key. Without the key, upload-sarif hashes the first 100 characters of the
        # line, which all lines of a dataset share, so each alert would depend on the line number
        # (https://github.com/github/codeql-action/blob/main/src/fingerprints.ts).
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
        **({"properties": {"repair": repair_name(finding)}} if finding.fix else {}),
    }


def _state(result: RepositoryFinding, report: Report) -> dict[str, Any]:
    """Return whether *result* is new, if there is a baseline (sections 3.27.23 and 3.27.24)."""
    if not report.baselines:
        return {}
    if not result.known:
        return {"baselineState": "new"}
    accepted = {"kind": "external", "status": "accepted", "justification": "a known finding of the baseline"}
    return {"baselineState": "unchanged", "suppressions": [accepted]}


def _location(path: str, line: int) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(path)}, "region": {"startLine": line}}}


def _hidden_findings(hidden: int) -> Iterator[dict[str, Any]]:
    if hidden:
        text = f"{count(hidden, 'more finding')} not listed here; vft check counts them"
        yield {"level": "warning", "message": {"text": text}}


def _unsettled_urls(report: Report) -> Iterator[dict[str, Any]]:
    """Yield a notification for each URL that was not settled, with the lines that contain the URL."""
    paths = repository_paths(path for one in report.unsettled for path, _ in one.places)
    for one in report.unsettled[:MAX_NOTIFICATIONS]:
        yield {
            "level": "note",
            "message": _message(f"URL not settled: {one.cause}: {one.url}"),
            "locations": [_location(paths[path], line) for path, line in one.places[:MAX_NOTIFICATIONS]],
        }
    hidden = len(report.unsettled) - MAX_NOTIFICATIONS
    if hidden > 0:
        yield {"level": "note", "message": {"text": f"{count(hidden, 'more URL')} not settled"}}


def _notes(report: Report) -> Iterator[dict[str, Any]]:
    """Yield the notes of *report*, and what was not checked."""
    unchecked = unchecked_lines(report) if report.files else ()
    for note in (*report.notes[:MAX_NOTIFICATIONS], *unchecked):
        yield {"level": "note", "message": _message(note)}


def _message(text: str) -> dict[str, str]:
    return {"text": _plain(text)}


def _plain(text: str) -> str:
    """Return *text* without links: "[x](y)" is a link even in plain text (section 3.11.6)."""
    return safe(text, _LONGEST).replace("](", r"]\x28")


def _uri(path: str) -> str:
    if is_object(path):
        return quote(path, safe=":/")
    absolute = PurePath(path)
    return absolute.as_uri() if absolute.is_absolute() else quote(os.fsencode(path))
