"""Findings and results of rules for a report, made from the result of linting."""

from __future__ import annotations

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.lint import LintResult
from pytest_vft.checking.totals import ShardFinding
from pytest_vft.model import Finding, RuleResult, Severity, Tally
from pytest_vft.runs.settings import Settings


def make_finding(rule: Rule, severity: Severity, path: str, found: ShardFinding) -> Finding:
    """Return *found*, a finding of *rule* on the file at *path*, with *severity* and the texts of *rule*."""
    return Finding(
        rule=rule.id,
        severity=severity,
        path=path,
        line=found.line,
        pointer=found.pointer,
        message=found.message,
        advice=rule.advice,
        image=found.image,
        skips=rule.skips,
        example=found.example,
        element=found.element,
    )


def rule_result(settings: Settings, rule: Rule, linted: LintResult) -> RuleResult:
    """Return the result of *rule* on all files of *linted*; its severity follows `allow`."""
    by_file = (file.tallies.get(rule.id, Tally()) for file in linted.files)
    tally = sum(by_file, linted.dataset.get(rule.id, Tally()))
    allowed = settings.config.allow.get(rule.id)
    tolerated = allowed is not None and tally.failed <= allowed
    ignored = (reasons[rule.id] for reasons in settings.reasons_by_file.values() if rule.id in reasons)
    return RuleResult(
        id=rule.id,
        subject=rule.subject,
        severity="warning" if tolerated else rule.severity,
        tally=tally,
        truncated=linted.dropped.get(rule.id, 0),
        undecoded=linted.undecoded.get(rule.id, 0),
        allowed=allowed,
        reason="; ".join(dict.fromkeys(ignored)) or None,
        summary=rule.summary,
        why=rule.why,
        advice=rule.advice,
        source=rule.source,
    )
