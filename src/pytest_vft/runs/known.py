"""A report in which known findings are told apart from new ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_vft.line_ranges import LineRanges
from pytest_vft.model import FileResult, Finding, Report, RuleResult, Tally

# The path of a file and the id of a rule.
_FileRule = tuple[str, str]


def told_apart(report: Report, known: Sequence[Finding], new: Sequence[Finding], most: int) -> Report:
    """Return *report*, whose findings are *known* and *new*, with numbers and bad lines of new ones.

    At most *most* new findings are kept for each rule and file (0: all). A subject with several findings is
    known if all of them are.
    """
    numbers = Counter(map(_file_rule, new))
    by_rule = Counter(finding.rule for finding in new)
    changed = set(map(_file_rule, known))
    lines = _lines(new)
    files = tuple(_file(file, changed, numbers, lines) for file in report.files)
    rules = {rule for _, rule in changed} & report.dataset.keys()
    dataset = {**report.dataset, **{rule: _split(report.dataset[rule], by_rule[rule]) for rule in rules}}
    kept = _kept(new, most)
    left = by_rule - Counter(finding.rule for finding in kept)
    return replace(
        report,
        files=files,
        dataset=dataset,
        rules=tuple(_rule(rule, files, dataset, left[rule.id]) for rule in report.rules),
        findings=kept,
        known=tuple(known),
    )


def _file_rule(finding: Finding) -> _FileRule:
    return finding.path, finding.rule


def _kept(findings: Sequence[Finding], most: int) -> tuple[Finding, ...]:
    seen: Counter[_FileRule] = Counter()
    kept = []
    for finding in findings:
        seen[_file_rule(finding)] += 1
        if not most or seen[_file_rule(finding)] <= most:
            kept.append(finding)
    return tuple(kept)


def _lines(findings: Sequence[Finding]) -> Mapping[_FileRule, LineRanges]:
    lines: dict[_FileRule, LineRanges] = {}
    for finding in findings:
        if finding.line is not None:
            lines.setdefault(_file_rule(finding), LineRanges()).add(finding.line)
    return lines


def _split(tally: Tally, new: int) -> Tally:
    """Return *tally* with failures told apart, of which *new* findings are new."""
    failed = min(tally.failed, new)
    return replace(tally, failed=failed, known=tally.failed - failed)


def _file(
    file: FileResult,
    changed: set[_FileRule],
    numbers: Mapping[_FileRule, int],
    lines: Mapping[_FileRule, LineRanges],
) -> FileResult:
    """Return *file* with the numbers of the rules that have known findings in it, those in *changed*."""
    places = {rule: (file.path, rule) for rule in (*file.tallies, *file.bad_lines)}
    tallies = {
        rule: _split(tally, numbers[places[rule]]) if places[rule] in changed else tally
        for rule, tally in file.tallies.items()
    }
    bad = {
        rule: lines.get(places[rule], LineRanges()) if places[rule] in changed else ranges
        for rule, ranges in file.bad_lines.items()
    }
    return file._replace(
        tallies=tallies, bad_lines={rule: ranges for rule, ranges in bad.items() if len(ranges)}
    )


def _rule(
    rule: RuleResult, files: Sequence[FileResult], dataset: Mapping[str, Tally], truncated: int
) -> RuleResult:
    tallies = (one.get(rule.id, Tally()) for one in (*(file.tallies for file in files), dataset))
    return rule._replace(tally=sum(tallies, Tally()), truncated=truncated)
