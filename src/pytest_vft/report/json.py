"""The report as JSON, format vft-report/1: stable, for other programs."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from pytest_vft.model import Cost, Report

FORMAT = "vft-report/1"


def render_json(report: Report) -> str:
    """Return *report* as JSON text."""
    return harmless_json(as_data(report))


def harmless_json(data: Any) -> str:
    """Return *data* as JSON text; ASCII only, so that no name of a file can do harm."""
    # "#" stands in strings only; a CI runner obeys "##[" wherever it stands (see text.safe).
    return json.dumps(data, indent=2).replace("##", "#\\u0023") + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """Return *report* as plain data."""
    return {
        "format": FORMAT,
        "ok": report.ok,
        "tool": {"name": "pytest-vft", "version": version("pytest-vft")},
        "provider": report.provider,
        "model": report.model,
        "depth": report.depth,
        "offline": report.offline,
        "files": [
            {
                "path": file.path,
                "split": file.split,
                "bytes": file.bytes,
                "lines": file.lines,
                "examples": file.examples,
                "images": file.images,
                "distinct_images": file.distinct_images,
            }
            for file in report.files
        ],
        "rules": [
            {
                "id": rule.id,
                "severity": rule.severity,
                "checked": rule.tally.checked,
                "failed": rule.tally.failed,
                "unknown": rule.tally.unknown,
                "not_applicable": rule.tally.not_applicable,
                "ignored": rule.tally.ignored,
                "reason": rule.reason,
            }
            for rule in report.rules
        ],
        "findings": [
            {
                "rule": finding.rule,
                "severity": finding.severity,
                "path": finding.path,
                "line": finding.line,
                "pointer": finding.pointer,
                "message": finding.message,
                "advice": finding.advice,
                "image": finding.image,
                "skips": finding.skips,
            }
            for finding in report.findings
        ],
        "cost": None if report.cost is None else _cost(report.cost),
        "truncated": {rule.id: rule.truncated for rule in report.rules if rule.tally.failed},
    }


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "tokens_at_least": cost.tokens_at_least,
        "tokens_at_most": cost.tokens_at_most,
        "price": cost.price,
        "price_date": cost.price_date and cost.price_date.isoformat(),
        "low_detail_at_least": cost.low_detail_at_least,
        "low_detail_at_most": cost.low_detail_at_most,
    }
