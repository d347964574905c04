"""Annotations for GitHub Actions: workflow commands, which the runner reads from the log.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_vft.model import Finding, Report, RuleResult
from pytest_vft.report.findings import dropped, repository_paths
from pytest_vft.report.text import by_image, folded
from pytest_vft.text import count, safe

# GitHub shows ten errors and ten warnings of a step and drops the others in silence
# (https://github.com/orgs/community/discussions/26680). The tenth says that there are more.
MOST_ANNOTATIONS = 9
_LONGEST = 1_000


def render_github(report: Report) -> str:
    """Return *report* as workflow commands: nine annotations at most, then how many more there are.

    Errors come first, and the first finding of each rule before the second of any.
    """
    groups = _groups(report)
    shown, rest = groups[:MOST_ANNOTATIONS], groups[MOST_ANNOTATIONS:]
    paths = repository_paths([group[0] for _, group in shown])
    commands = [_annotation(rule, group, paths[group[0].path]) for rule, group in shown]
    hidden = sum(len(group) for _, group in rest) + dropped(report)
    if hidden:
        unseen = [rule for rule, _ in rest] + [rule for rule in report.rules if rule.truncated]
        level = "error" if any(rule.severity == "error" for rule in unseen) else "warning"
        commands.append(f"::{level} title=pytest-vft::and {count(hidden, 'more finding')}; see the log")
    return "".join(f"{command}\n" for command in commands)


def _groups(report: Report) -> list[tuple[RuleResult, Sequence[Finding]]]:
    """Return the findings of *report*, those on one image together, the most telling first."""
    groups = list(_ranked(report))
    groups.sort(key=lambda one: (one[1].severity != "error", one[0]))
    return [(rule, group) for _, rule, group in groups]


def _ranked(report: Report) -> Iterator[tuple[int, RuleResult, Sequence[Finding]]]:
    for rule in report.rules:
        findings = [finding for finding in report.findings if finding.rule == rule.id]
        for rank, group in enumerate(by_image(findings)):
            yield rank, rule, group


def _annotation(rule: RuleResult, group: Sequence[Finding], path: str) -> str:
    first = group[0]
    _, message, details = folded(group, rule)
    said = safe(f"{message} ({details})" if details else message, _LONGEST)
    line = "" if first.line is None else f",line={first.line}"
    text = f"{said}\ndo: {safe(first.advice, _LONGEST)}"
    return f"::{rule.severity} file={_property(path)}{line},title={_property(rule.id)}::{_data(text)}"


def _data(text: str) -> str:
    """Escape *text* for the runner, as escapeData of @actions/core does.

    https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape *text* for the runner, as escapeProperty of @actions/core does."""
    return _data(safe(text, None)).replace(":", "%3A").replace(",", "%2C")
