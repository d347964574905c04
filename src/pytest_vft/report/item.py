"""Texts of a pytest item: a failed rule on one file, within the width that pytest leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pytest_vft.model import Finding, Report, RuleResult
from pytest_vft.report.folding import place
from pytest_vft.report.text import unknown_reason
from pytest_vft.text import count, safe

HEADLINE = 35  # characters that pytest's summary leaves of 80 columns


class ItemFailure(NamedTuple):
    """The text of a failure, a short text for a warning, and the first finding: message and place."""

    text: str
    short: str
    message: str
    path: str
    line: int | None


def failure(
    report: Report, rule: RuleResult, path: str, findings: Sequence[Finding], most_shown: int
) -> ItemFailure | None:
    """Return the failure of *rule*, whose tally is that of the file at *path* ("": of all files), or None.

    *findings* are those of all rules there. The first line of its text has at most HEADLINE characters.
    """
    tally = rule.tally
    if tally.failed:
        return _findings(rule, findings, most_shown)
    if rule.has_gaps and report.require_checked:
        reason = unknown_reason(report, rule)
        text = f"{tally.unknown:,} not checked\n{reason}"
        return ItemFailure(text, reason, reason, path, None)
    return None


def _findings(rule: RuleResult, findings: Sequence[Finding], most_shown: int) -> ItemFailure:
    found = [one for one in findings if one.rule == rule.id]
    first, failed = found[0], rule.tally.failed
    headline = count(failed, rule.subject) if first.line else safe(first.message, HEADLINE)
    where = f", first: line {first.line}" if first.line else ""
    if len(headline + where) <= HEADLINE:
        headline += where
    shown = found[:most_shown] if most_shown > 0 else found
    lines = [headline, *map(_line, shown)]
    hidden = max(failed, len(found)) - len(shown)
    if hidden > 0:
        lines.append(f"... and {hidden:,} more")
    lines.append(f"do: {safe(first.advice, None)}")
    more = f" (and {failed - 1:,} more)" if failed > 1 else ""
    short = safe(f"{rule.id}: {first.message}{more}. {first.advice}", None)
    return ItemFailure("\n".join(lines), short, first.message, first.path, first.line)


def _line(finding: Finding) -> str:
    at = f" ({finding.pointer})" if finding.pointer else ""
    return f"{place(finding)}: {safe(finding.message + at, None)}"
