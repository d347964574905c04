"""Verdicts and findings on what recurs in a dataset."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pytest_vft.checking.compile import Verdicts
from pytest_vft.checking.dataset import Recurring
from pytest_vft.checking.judge import FAIL, RuleJudge, Subject
from pytest_vft.checking.merging import FileTotals
from pytest_vft.checking.tallies import make_tally
from pytest_vft.checking.totals import ShardFinding, ShardTotals
from pytest_vft.model import Tally

Recurrence = tuple[FileTotals, ShardFinding]


def judge_dataset(
    files: Sequence[FileTotals], judge: RuleJudge, subjects: Iterable[Recurring]
) -> tuple[Mapping[str, Tally], list[Recurrence]]:
    """Return the tallies of the rules of scope dataset on *subjects*, by id, and all their findings."""
    rules = judge.rules["dataset"]
    if any(file.is_sample for file in files):
        return {rule.id: Tally(unknown=1) for rule in rules}, []
    findings: list[Recurrence] = []
    tallies = {rule.id: Tally() for rule in rules}
    if not rules:
        return tallies, findings
    counts: defaultdict[tuple[str, frozenset[str]], Counter[Verdicts]] = defaultdict(Counter)
    for number, places, facts, key, first, _ in subjects:
        verdicts = judge.checks["dataset"](facts)
        counts[facts["kind"], places[0].file.ignored][verdicts] += number
        for place in places if FAIL in verdicts else ():
            found = judge.findings(verdicts, Subject("dataset", facts), place.file.ignored)
            findings += [
                (
                    place.file,
                    one._replace(
                        line=place.entry,
                        pointer=place.pointer,
                        example=f"{key:032x}",
                        first=first.location if first and first.location != place.location else None,
                    ),
                )
                for one in found
            ]
    for (kind, ignoring), counted in counts.items():
        for position, rule in enumerate(rules):
            if rule.subject in (kind, "dataset"):
                tallies[rule.id] += make_tally(counted.items(), position, ignored=rule.id in ignoring)
    return tallies, findings


def line_of(found: ShardFinding) -> int:
    """Return the line of *found* in its file, 0 for a finding on the whole file."""
    return found.line or 0


def keep_recurrences(
    recurrences: list[Recurrence], max_findings: int
) -> tuple[Mapping[int, Sequence[ShardFinding]], Counter[str]]:
    """Return the first *max_findings* of each rule (0: all), by the number of their file; count the others.

    The lines of all *recurrences* are marked as bad.
    """
    totals = ShardTotals()
    kept: defaultdict[int, list[ShardFinding]] = defaultdict(list)
    recurrences.sort(key=lambda one: (one[0].number, line_of(one[1])))
    for file, found in recurrences:
        if found.line is not None:
            file.totals.mark_bad(found.rule, found.line)
        if totals.admit(found.rule, max_findings):
            totals.keep(found)
            kept[file.number].append(found)
    return kept, Counter(totals.dropped)
