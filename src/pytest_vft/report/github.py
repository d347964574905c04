"""Annotations for GitHub Actions: workflow commands that the runner reads from the log.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_vft.model import Finding, Report, RuleResult
from pytest_vft.report.findings import dropped, repository_paths
from pytest_vft.report.folding import by_image, fold
from pytest_vft.report.unsettled import UnsettledLines, settled_words, shown_lines, unsettled_lines
from pytest_vft.text import count, safe

# GitHub shows ten errors and ten warnings of a step and drops the others without a message
# (https://github.com/orgs/community/discussions/26680). The tenth annotation counts the rest.
MAX_ANNOTATIONS = 9
_LONGEST = 1_000


def render_github(report: Report) -> str:
    """Return *report* as workflow commands: at most nine annotations, and one that counts the rest.

    Errors come first, and the first finding of each rule before the second of any rule.
    """
    groups = _groups(report)
    shown, rest = groups[:MAX_ANNOTATIONS], groups[MAX_ANNOTATIONS:]
    paths = repository_paths(group[0].path for _, group in shown)
    commands = [_annotation(rule, group, paths[group[0].path]) for rule, group in shown]
    hidden = sum(len(group) for _, group in rest) + dropped(report)
    if hidden:
        unseen = [rule for rule, _ in rest] + [rule for rule in report.rules if rule.truncated]
        level = "error" if any(rule.severity == "error" for rule in unseen) else "warning"
        commands.append(f"::{level} title=pytest-vft::and {count(hidden, 'more finding')}; see the log")
    unsettled = unsettled_lines(report)
    if unsettled:
        commands.append(_notice(report, unsettled))
    return "".join(f"{command}\n" for command in commands)


def _notice(report: Report, unsettled: Sequence[UnsettledLines]) -> str:
    """Return a notice at the first line with a URL that was not settled, which names all such lines."""
    first = unsettled[0]
    path = repository_paths([first.path])[first.path]
    texts = [safe(f"{one.path}:{shown_lines(one)}: {one.cause}", _LONGEST) for one in unsettled]
    text = "\n".join([settled_words(report), *texts[:MAX_ANNOTATIONS]])
    return f"::notice file={_property(path)},line={first.lines.bounds[0]},title=pytest-vft::{_data(text)}"


def _groups(report: Report) -> list[tuple[RuleResult, Sequence[Finding]]]:
    """Return the findings of *report* grouped by image, in the order in which they are shown."""
    ranked = [
        (rule.severity != "error", rank, rule, group)
        for rule in report.rules
        for rank, group in enumerate(by_image([one for one in report.findings if one.rule == rule.id]))
    ]
    ranked.sort(key=lambda one: one[:2])
    return [(rule, group) for _, _, rule, group in ranked]


def _annotation(rule: RuleResult, group: Sequence[Finding], path: str) -> str:
    first = group[0]
    headline = safe(fold(group).whole, _LONGEST)
    line = "" if first.line is None else f",line={first.line}"
    text = f"{headline}\ndo: {safe(first.advice, _LONGEST)}"
    return f"::{rule.severity} file={_property(path)}{line},title={_property(rule.id)}::{_data(text)}"


def error_command(path: str, line: int | None, title: str, text: str) -> str:
    """Return the workflow command of an error at a *line* of the file at *path*; *text* may have lines."""
    place = f"file={_property(repository_paths([path])[path])}{'' if line is None else f',line={line}'}"
    safe_text = "\n".join(safe(part, _LONGEST) for part in text.split("\n"))
    return f"::error {place},title={_property(title)}::{_data(safe_text)}"


def _data(text: str) -> str:
    """Escape *text* for the runner, as escapeData of @actions/core does.

    https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape *text* for the runner, as escapeProperty of @actions/core does."""
    return _data(safe(text, None)).replace(":", "%3A").replace(",", "%2C")
