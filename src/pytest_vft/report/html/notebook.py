"""Reports and evaluations as fragments of HTML for notebooks: small, without images, styles and scripts.

Notebooks have themes of their own, so a fragment states only the colours of bars and verdicts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_vft.evaluation.accuracy import Accuracy
from pytest_vft.evaluation.comparison import Comparison
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.scoring import Mark
from pytest_vft.model import Finding, Report
from pytest_vft.report.evaluation_comparison import interval_details
from pytest_vft.report.evaluation_text import gate_details
from pytest_vft.report.evaluation_words import interval_words, rating_words, share_words
from pytest_vft.report.html.answers import answer_text
from pytest_vft.report.html.bars import BarPart, bar
from pytest_vft.report.html.check import file_row, not_checked
from pytest_vft.report.html.evaluation import Tile, comparison_tile, gate_tile
from pytest_vft.report.html.page import fragment
from pytest_vft.report.text import amount
from pytest_vft.report.verdict import verdict
from pytest_vft.text import count

_MOST_FILES = 20
_MOST_RULES = 50
_MOST_FINDINGS = 10
_MOST_ANSWERS = 5
_MOST_NOTES = 10


class AnswerRow(NamedTuple):
    """An answer in a table; *before* is that of the other model, "" without one."""

    place: str
    question: str
    truth: str
    said: str
    before: str
    rating: str


class AccuracyLine(NamedTuple):
    """An accuracy with a bar of right and wrong answers; *ratings* are those of the judge."""

    name: str
    share: str
    interval: str
    bar: Sequence[BarPart]
    ratings: str


class AnswerTable(NamedTuple):
    """The first answers of a list, and how many others there are."""

    title: str
    rows: Sequence[AnswerRow]
    more: int


class GateFragment(NamedTuple):
    """A gate or a comparison: its figure, accuracies, details, and answers to look at."""

    tile: Tile
    lines: Sequence[AccuracyLine]
    details: Sequence[str]
    tables: Sequence[AnswerTable]


def report_fragment(report: Report) -> str:
    """Return *report* as HTML: the verdict, a bar for each file, the rules that fail, the first findings."""
    word, _, sentence = verdict(report).partition("  ")
    found: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        found[finding.rule].append(finding)
    rules = [rule for rule in report.rules if rule.tally.failed]
    rules.sort(key=lambda rule: rule.severity != "error")
    rows = [
        (rule, amount(rule, found[rule.id]), next((one.advice for one in found[rule.id]), rule.advice))
        for rule in rules[:_MOST_RULES]
    ]
    unchecked = list(not_checked(report))
    first = sorted(report.findings, key=lambda one: one.severity != "error")
    values = {
        "word": word,
        "sentence": sentence,
        "ok": report.ok,
        "files": [file_row(report, file) for file in report.files[:_MOST_FILES]],
        "more_files": len(report.files[_MOST_FILES:]),
        "rules": rows,
        "more_rules": len(rules[_MOST_RULES:]),
        "findings": [(one, _place(one)) for one in first[:_MOST_FINDINGS]],
        "more_findings": len(first[_MOST_FINDINGS:]),
        "not_checked": unchecked[:_MOST_NOTES],
        "more_not_checked": len(unchecked[_MOST_NOTES:]),
    }
    return fragment("notebook_check.html", values)


def gates_fragment(
    title: str, gates: Sequence[Gate], comparisons: Sequence[Comparison] = (), notes: Sequence[str] = ()
) -> str:
    """Return *gates* and *comparisons* as HTML: verdicts, bars, intervals, and a few answers of each."""
    parts = [*map(_gate_part, gates), *map(_comparison_part, comparisons)]
    return fragment("notebook_evaluation.html", {"title": title, "sections": parts, "notes": notes})


def gate_fragment(gate: Gate) -> str:
    """Return *gate* as HTML."""
    return gates_fragment("", [gate])


def comparison_fragment(comparison: Comparison) -> str:
    """Return *comparison* as HTML."""
    return gates_fragment("", [], [comparison])


def _place(finding: Finding) -> str:
    if finding.line is None:
        return finding.path
    element = "" if finding.element is None else f" (#{finding.element})"
    return f"{finding.path}:{finding.line}{element}"


def _gate_part(gate: Gate) -> GateFragment:
    lines = [_line("all", gate.accuracy, rating_words(gate.ratings))]
    lines += [_line(f"{group.key}={group.value}", group.accuracy) for group in gate.groups[:_MOST_FINDINGS]]
    tables = list(_table("wrong", [_answer(mark) for mark in gate.wrong[:_MOST_ANSWERS]], len(gate.wrong)))
    return GateFragment(gate_tile(gate), lines, list(gate_details(gate)), tables)


def _comparison_part(comparison: Comparison) -> GateFragment:
    lines = [
        _line("this model", comparison.accuracy, rating_words(comparison.ratings)),
        _line("other model", comparison.against, rating_words(comparison.against_ratings)),
    ]
    tables = [
        table
        for title, changes in (("broken", comparison.broken), ("fixed", comparison.fixed))
        for table in _table(title, [_answer(*one) for one in changes[:_MOST_ANSWERS]], len(changes))
    ]
    tile = comparison_tile(comparison, "the other model")
    return GateFragment(tile, lines, list(interval_details(comparison)), tables)


def _line(name: str, accuracy: Accuracy, ratings: str = "") -> AccuracyLine:
    parts = bar(right=accuracy.right, wrong=accuracy.n - accuracy.right)
    return AccuracyLine(name, share_words(accuracy), interval_words(accuracy), parts, ratings)


def _table(title: str, rows: Sequence[AnswerRow], total: int) -> Iterator[AnswerTable]:
    if rows:
        yield AnswerTable(count(total, f"{title} answer"), rows, total - len(rows))


def _answer(mark: Mark, other: Mark | None = None) -> AnswerRow:
    answer, question = mark.answer, mark.answer.question
    return AnswerRow(
        question.place if question else f"id {answer.id}",
        answer_text(question.text) if question else "",
        answer_text(" or ".join(answer.truths)),
        answer_text(answer.said),
        answer_text(other.answer.said) if other else "",
        mark.rating or "",
    )
