"""What one pytest item says: a failed rule on one file, in the room that pytest leaves."""

from __future__ import annotations

from typing import NamedTuple

from pytest_vft.model import Finding, Report, RuleResult, Source, Tally
from pytest_vft.report.text import place, subjects, unknown_reason


class Failure(NamedTuple):
    """The text of a failure, a short one for a warning, and the place of the first finding."""

    text: str
    short: str
    path: str
    line: int | None


def failure(
    report: Report, rule: RuleResult, source: Source | None, tally: Tally, most_shown: int
) -> Failure | None:
    """Return what to say of *rule* on *source* (None: all files), None when there is nothing.

    The first line has at most 35 characters: what pytest's summary leaves of 80 columns.
    """
    if tally.failed:
        return _findings(report, rule, source, tally, most_shown)
    if tally.unknown and report.require_checked:
        reason = unknown_reason(report, rule.id, tally.unknown, tally.checked)
        text = f"{tally.unknown:,} not checked\n{reason}"
        return Failure(text, reason, source.path if source else "", None)
    return None


def _findings(
    report: Report, rule: RuleResult, source: Source | None, tally: Tally, most_shown: int
) -> Failure:
    found = [
        one for one in report.findings if one.rule == rule.id and (not source or one.path == source.path)
    ]
    first = found[0]
    where = f", first: line {first.line}" if first.line else ""
    headline = f"{subjects(rule.id, tally.failed)}{where}"
    shown = found[:most_shown] if most_shown else found
    lines = [headline, *map(_line, shown)]
    hidden = max(tally.failed, len(found)) - len(shown)
    if hidden > 0:
        lines.append(f"... and {hidden:,} more")
    lines.append(f"do: {first.advice}")
    more = f" (and {tally.failed - 1:,} more)" if tally.failed > 1 else ""
    return Failure(
        "\n".join(lines), f"{rule.id}: {first.message}{more}; {first.advice}", first.path, first.line
    )


def _line(finding: Finding) -> str:
    at = f" ({finding.pointer})" if finding.pointer else ""
    return f"{place(finding)}: {finding.message}{at}"
