"""The report as Markdown, for a step summary or a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_vft.model import Report, RuleResult
from pytest_vft.report.folding import by_message, fold
from pytest_vft.report.layout import DEFAULT, Display
from pytest_vft.report.text import amount, render_text
from pytest_vft.report.unsettled import settled_words
from pytest_vft.text import count, safe

# Characters of the table and of the text: both fit into a comment on GitHub, at most 65,536 characters
# (https://github.com/dead-claudia/github-limits), and so into a step summary of 1 MiB.
_ROOM = 30_000
_LONGEST = 300
_HEAD = ("| | rule | what failed | first | what is wrong | what to do |", "| --- " * 6 + "|")


def render_markdown(report: Report, display: Display = DEFAULT) -> str:
    """Return *report* as a table of the rules that failed, followed by its text, collapsed."""
    sample = f"only a sample, {count(report.sampled, 'example')}" if report.sampled else ""
    verdict = "; ".join(filter(None, (_verdict(report), sample, settled_words(report))))
    failed = [rule for rule in report.rules if rule.tally.failed]
    failed.sort(key=lambda rule: rule.severity != "error")
    text = render_text(report, display)
    lines = [
        f"### vft: {verdict}",
        *(["", *_HEAD, *fitting(_row(report, rule) for rule in failed)] if failed else []),
        "",
        "<details><summary>The whole report</summary>",
        "",
        # Indented lines are code, which the text cannot end.
        *fitting(f"    {line}" for line in text.splitlines()),
        "",
        "</details>",
    ]
    return "\n".join(lines) + "\n"


def _verdict(report: Report) -> str:
    """Return the verdict with the number of rules that fail the run, apart for those only partly checked."""
    if report.ok:
        return "PASSED"
    faulty = sum(map(report.fails_by_findings, report.rules))
    partly = sum(rule.has_gaps for rule in report.rules) if report.require_checked else 0
    numbers = [count(faulty, "rule")] if faulty else []
    numbers += [f"{count(partly, 'rule')} partly checked"] if partly else []
    return f"FAILED, {'; '.join(numbers)}"


def _row(report: Report, rule: RuleResult) -> str:
    findings = [finding for finding in report.findings if finding.rule == rule.id]
    folded = fold(by_message(findings)[0])
    cells = (
        code_cell(rule.id),
        amount(rule, findings),
        code_cell(folded.place),
        code_cell(folded.whole),
        code_cell(findings[0].advice),
    )
    return f"| {rule.severity} | {' | '.join(cells)} |"


def code_cell(text: str) -> str:
    """Return *text* as code in a table cell, without links, mentions, HTML, backticks and bars."""
    harmless = safe(text, _LONGEST).replace("`", r"\x60").replace("|", r"\x7c")
    return f"`{harmless or ' '}`"


def fitting(lines: Iterable[str]) -> Iterator[str]:
    """Yield *lines* up to _ROOM characters."""
    room = _ROOM
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            yield "    ..."
            return
        yield line
