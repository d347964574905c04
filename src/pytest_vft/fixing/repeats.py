"""Repairs of content that recurs: remove-duplicate, remove-leak and zero-weight.

One copy of an example stays. A target turn that is in two splits is removed from train. A few-shot answer
that is trained on many times gets weight 0 everywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.dataset import Recurring, recurring
from pytest_vft.checking.judge import FAIL, RuleJudge
from pytest_vft.checking.merging import FileTotals
from pytest_vft.checking.plan import LintPlan

_REPAIRS = ("remove-duplicate", "remove-leak", "zero-weight")


@dataclass(slots=True)
class RepeatedEntries:
    """What is to be done in a file, by the number of the entry, from 1.

    *removed* has the id of the rule, *unweighted* the ids of rules with the JSON pointers of answers.
    """

    removed: dict[int, str] = field(default_factory=dict)
    unweighted: defaultdict[int, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))


def find_repeats(files: Sequence[FileTotals], plan: LintPlan) -> Mapping[str, RepeatedEntries]:
    """Return the repairs of content that recurs in *files*, by path."""
    found: dict[str, RepeatedEntries] = defaultdict(RepeatedEntries)
    judge = RuleJudge(plan)
    rules = judge.rules["dataset"]
    if not any(rule.fix in _REPAIRS for rule in rules):
        return found
    shots: dict[int, Rule] = {}
    for subject in recurring(files):
        for rule, verdict in zip(rules, judge.checks["dataset"](subject.facts), strict=True):
            if verdict == FAIL and rule.fix == "zero-weight":
                shots[subject.key] = rule
            elif verdict == FAIL and rule.fix in _REPAIRS:
                _remove(rule, subject, found)
    for file in files if shots else ():
        for entry, pointer, key in file.totals.shots:
            if key in shots and shots[key].id not in file.ignored:
                found[file.source.path].unweighted[entry].append((shots[key].id, pointer))
    return found


def _remove(rule: Rule, subject: Recurring, found: dict[str, RepeatedEntries]) -> None:
    """Mark the members of *subject*, which fails *rule*, that are to be removed."""
    for member in subject.members[1:] if rule.fix == "remove-duplicate" else subject.members:
        if rule.fix == "remove-leak" and member.split != "train":
            continue
        if rule.id not in member.file.ignored:
            found[member.file.source.path].removed.setdefault(member.entry, rule.id)
