"""Texts of a pytest item: a failed rule on one file, within the width that pytest leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pytest_vft.model import FileResult, Finding, Report, RuleResult
from pytest_vft.report.folding import place
from pytest_vft.report.text import unknown_reason
from pytest_vft.text import count, safe

HEADLINE = 35  # characters that pytest's summary leaves of 80 columns
UNCHECKED = "not checked"


class ItemFailure(NamedTuple):
    """The text of a failure, a short text for a warning, and the cause: its kind, message and place.

    *kind* is the severity of the first finding, whose message and place these are, or UNCHECKED.
    """

    text: str
    short: str
    kind: str
    message: str
    path: str
    line: int | None


def on_file(rule: RuleResult, file: FileResult) -> RuleResult:
    """Return the result of *rule* on *file* alone."""
    return rule._replace(
        tally=file.tallies[rule.id],
        severity=file.severities.get(rule.id, rule.severity),
        gaps=file.gaps.get(rule.id, {}),
    )


def failure(
    report: Report, rule: RuleResult, path: str, findings: Sequence[Finding], most_shown: int
) -> ItemFailure | None:
    """Return the failure of *rule*, whose result is that on the file at *path* ("": on all files), or None.

    *findings* are those of all rules there. The first line of its text has at most HEADLINE characters. What
    was not checked follows the findings, unless only that fails the run.
    """
    found = _findings(rule, findings, most_shown) if rule.tally.failed else None
    if not rule.tally.unknown:
        return found
    reason = unknown_reason(report, rule)
    if report.fails(rule) and not report.fails_by_findings(rule):
        lines = [f"{rule.tally.unknown:,} not checked", reason]
        lines += [f"{rule.severity}: {found.text}"] if found else []
        return ItemFailure("\n".join(lines), reason, UNCHECKED, reason, path, None)
    return found and found._replace(text=f"{found.text}\n{reason}", short=f"{found.short} {reason}")


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
    return ItemFailure("\n".join(lines), short, rule.severity, first.message, first.path, first.line)


def _line(finding: Finding) -> str:
    at = f" ({finding.pointer})" if finding.pointer else ""
    return f"{place(finding)}: {safe(finding.message + at, None)}"
