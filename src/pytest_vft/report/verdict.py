"""The verdict on a run, the last line of a report."""

from __future__ import annotations

from collections.abc import Collection

from pytest_vft.line_ranges import union
from pytest_vft.model import FileResult, Report, Severity
from pytest_vft.report.baseline import known_words
from pytest_vft.report.findings import dropped
from pytest_vft.report.repairable import repair_words
from pytest_vft.report.unsettled import settled_words
from pytest_vft.text import count


def verdict(report: Report) -> str:
    """Return the verdict, as in "FAILED  221 of 19,987 lines have errors (340 findings)".

    Without findings, it counts the known findings or, without those, the rules. Rules that could not judge
    everything qualify a run that passes, and come first if nothing else fails a run; URLs that were not
    settled qualify any run. Findings with a safe repair are counted at the end.
    """
    words = "; ".join(filter(None, (_judged(report), settled_words(report), repair_words(report))))
    if not report.sampled:
        return words
    word, _, rest = words.partition("  ")
    if report.require_checked and not any(map(report.fails_by_findings, report.rules)):
        rest += "; a sample never passes --require-checked"
    return f"{word}  only a sample, {count(report.sampled, 'example')}: {rest}"


def _judged(report: Report) -> str:
    word = "PASSED" if report.ok else "FAILED"
    partly = [rule for rule in report.rules if rule.tally.unknown]
    fine = len(report.rules) - len(partly)
    if report.require_checked and not report.ok:  # those that fail the run
        partly = [rule for rule in partly if rule.has_gaps]
    unknown = len(partly)
    failed = [rule for rule in report.rules if rule.tally.failed]
    if failed or report.known:
        parts = [_extent(report), known_words(report)] if failed else [f"{known_words(report)}, no new ones"]
        if unknown and (report.ok or report.require_checked):
            is_cause = not report.ok and not any(map(report.fails_by_findings, failed))
            parts.insert(0 if is_cause else 1, f"{count(unknown, 'rule')} partly checked")
        return f"{word}  " + "; ".join(filter(None, parts))
    numbers = ((unknown, "partly checked"), (fine, "fine"))
    (first, state), *others = [one for one in numbers if one[0]] or [(0, "fine")]
    return f"{word}  " + ", ".join([f"{count(first, 'rule')} {state}", *(f"{n:,} {s}" for n, s in others)])


def _extent(report: Report) -> str:
    """Return the number of lines with errors, or with warnings if there are no errors.

    Lines are not counted if one has several examples, as in a JSON array without line breaks.
    """
    severity: Severity = "error" if _rules(report, "error") else "warning"
    usual = _rules(report, severity)
    rules = [_rules(report, severity, file) if file.severities else usual for file in report.files]
    judged = list(zip(report.files, rules, strict=True))
    bad = [_bad_lines(file, own) for file, own in judged]
    lines, total = sum(bad), sum(file.lines for file in report.files)
    found = count(len(report.findings) + dropped(report), "finding")
    where = ""
    if len(report.files) > 1:
        failed: dict[tuple[int, int], bool] = {}  # many files share their tallies
        for file, own in judged:
            key = id(file.tallies), id(own)
            if key not in failed:
                failed[key] = _has_failed(file, own)
        files = sum(
            number > 0 or failed[id(file.tallies), id(own)]
            for number, (file, own) in zip(bad, judged, strict=True)
        )
        where = f" in {files:,} of {count(len(report.files), 'file')}"
    if not lines or any(file.lines < file.examples for file in report.files):
        return f"{found}{where}"
    have = "has" if lines == 1 else "have"
    return f"{lines:,} of {count(total, 'line')} {have} {severity}s ({found}){where}"


def bad_lines(report: Report, file: FileResult, severity: Severity) -> int:
    """Return the number of lines of *file* that fail a rule of *severity*."""
    return _bad_lines(file, _rules(report, severity, file))


def _bad_lines(file: FileResult, rules: Collection[str]) -> int:
    if not file.bad_lines:
        return 0
    return len(union(ranges for rule, ranges in file.bad_lines.items() if rule in rules))


def _has_failed(file: FileResult, rules: Collection[str]) -> bool:
    return any(rule in file.tallies and file.tallies[rule].failed for rule in rules)


def _rules(report: Report, severity: Severity, file: FileResult | None = None) -> set[str]:
    """Return the ids of the rules that failed with *severity*: in *file*, or in the whole run."""
    own = file.severities if file else {}
    return {
        rule.id for rule in report.rules if rule.tally.failed and own.get(rule.id, rule.severity) == severity
    }
