"""The report as JSON, format vft-report/1, which stays stable for other programs."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from pytest_vft.gaps import CAUSES, Cause
from pytest_vft.model import Report

FORMAT = "vft-report/1"
_FILE_KEYS = ("path", "split", "data_format", "bytes", "lines", "examples", "images", "distinct_images")
_TOO_LARGE: tuple[Cause, ...] = ("undecoded", "oversized")  # one key
_FINDING_KEYS = (
    "rule",
    "severity",
    "path",
    "line",
    "pointer",
    "message",
    "advice",
    "image",
    "skips",
    "fix",
    "unsafe",
    "box",
)


def render_json(report: Report) -> str:
    """Return *report* as JSON text."""
    return harmless_json(as_data(report))


def harmless_json(data: Any) -> str:
    """Return *data* as JSON text in ASCII, without commands to CI runners."""
    # "#" occurs in strings only; a CI runner reads "##[" anywhere as a command (see text.safe).
    return json.dumps(data, indent=2).replace("##", "#\\u0023") + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """Return *report* as plain data."""
    cost = report.cost
    return {
        "format": FORMAT,
        "ok": report.ok,
        "tool": {"name": "pytest-vft", "version": version("pytest-vft")},
        "provider": report.provider,
        "model": report.model,
        "depth": report.depth,
        "offline": report.offline,
        "faces": report.faces,
        "sampled": report.sampled or None,
        "files": [
            {
                **_items(file, _FILE_KEYS),
                "bad_lines": {rule: list(map(list, ranges)) for rule, ranges in file.bad_lines.items()},
            }
            for file in report.files
        ],
        "rules": [
            {
                "id": rule.id,
                "severity": rule.severity,
                **_items(rule.tally, ("checked", "failed", "unknown", "not_applicable", "ignored", "known")),
                "undecoded": sum(rule.gaps.get(cause, 0) for cause in _TOO_LARGE),
                **{cause: rule.gaps.get(cause, 0) for cause in CAUSES if cause not in _TOO_LARGE},
                "reason": rule.reason,
            }
            for rule in report.rules
        ],
        "findings": [_items(finding, _FINDING_KEYS) for finding in report.findings],
        "known": [_items(finding, _FINDING_KEYS) for finding in report.known],
        "baselines": [{"path": use.path, "gone": sum(use.gone.values())} for use in report.baselines],
        "cost": cost and {**cost._asdict(), "price_date": cost.price_date and cost.price_date.isoformat()},
        "notes": list(report.notes),
        "urls": report.urls,
        "unsettled": [
            {
                "url": one.url,
                "cause": one.cause,
                "places": [{"path": path, "line": line} for path, line in one.places],
            }
            for one in report.unsettled
        ],
        "truncated": {rule.id: rule.truncated for rule in report.rules if rule.tally.failed},
    }


def _items(record: object, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: getattr(record, key) for key in keys}
