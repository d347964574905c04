"""The images that a provider is expected to leave out of a job."""

from __future__ import annotations

from collections.abc import Container

from pytest_vft.model import Report


def expected_skips(report: Report, rules: Container[str]) -> dict[str, int]:
    """Return the number of subjects that fail *rules*, which are ids, by the skip reason of their rule."""
    reasons = {finding.rule: finding.skips for finding in report.findings if finding.skips}
    skips: dict[str, int] = {}
    for rule in report.rules:
        if rule.id in reasons and rule.id in rules:
            reason = str(reasons[rule.id])
            skips[reason] = skips.get(reason, 0) + rule.tally.failed
    return skips
