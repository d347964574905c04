"""Verdicts on the subjects of every scope, and findings for failed verdicts."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from xxhash import xxh3_128_hexdigest

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.compile import Check, Verdicts, compile_check
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.totals import ShardFinding, ShardTotals
from pytest_vft.facts.image import DATA_URL
from pytest_vft.facts.scopes import optional_facts
from pytest_vft.formats.base import KeyPath, are_at, pointer
from pytest_vft.model import SCOPES, Scope, Verdict
from pytest_vft.reading.shards import LongLine
from pytest_vft.text import Safe, fill

FAIL, UNKNOWN = int(Verdict.FAIL), int(Verdict.UNKNOWN)
# A run judges shards, files and the dataset by the same rules.
_compiled = lru_cache(4 * len(SCOPES))(compile_check)


class Subject(NamedTuple):
    """A judged subject: its facts, line in the shard, place in the example, and the key of an image.

    *line* and *raw*, the line as read, are None for a subject larger than a line. *message_past* maps the id
    of a rule and a number of tokens to the message that exceeds it, for an example. *lines* is the number of
    equal lines, from *line* on, that are judged as one.
    """

    scope: Scope
    facts: Mapping[str, Any]
    line: int | None = None
    raw: bytes | LongLine | None = None
    place: KeyPath = ()
    image: int | None = None
    message_past: Callable[[str, int], KeyPath] | None = None
    lines: int = 1


class _Checks(dict[Scope, Check]):
    """The compiled function of each scope; a scope is compiled when its function is first used."""

    def __init__(self, rules: Mapping[Scope, tuple[Rule, ...]], data_format: str) -> None:
        super().__init__()
        self._rules = rules
        self._data_format = data_format

    def __missing__(self, scope: Scope) -> Check:
        usual = DATA_URL if scope == "image" else ()
        check = self[scope] = _compiled(scope, self._rules[scope], self._data_format, usual)
        return check


class RuleJudge:
    """The rules of a plan, compiled: `checks[scope](facts)` returns the verdicts of the rules of a scope."""

    def __init__(self, plan: LintPlan) -> None:
        self.rules = {scope: tuple(rule for rule in plan.rules if rule.scope == scope) for scope in SCOPES}
        self._shown = frozenset(column for one in plan.measurers for column in one.columns)
        self._narrowed = any(rule.data_formats for rule in plan.rules)
        self._by_format: dict[str, Mapping[Scope, Check]] = {}
        self._explainers: dict[frozenset[str], Explainer] = {}
        self.checks = self.checks_for("")

    def checks_for(self, data_format: str) -> Mapping[Scope, Check]:
        """Return the functions that judge examples in *data_format*, by scope."""
        name = data_format if self._narrowed else ""
        if name not in self._by_format:
            self._by_format[name] = _Checks(self.rules, name)
        return self._by_format[name]

    def needs_optional(self, *scopes: Scope) -> bool:
        """Return whether any rule in *scopes* uses an optional fact, which is measured only then.

        What the measurers of the plan find out of images does not count.
        """
        used = ((scope, rule.facts) for scope in scopes for rule in self.rules[scope])
        return any((facts & optional_facts(scope)).difference(self._shown) for scope, facts in used)

    def unknown(self, scope: Scope, verdicts: Verdicts) -> list[str]:
        """Return the ids of the rules whose verdict is unknown."""
        by_rule = zip(self.rules[scope], verdicts, strict=True)
        return [rule.id for rule, verdict in by_rule if verdict == UNKNOWN]

    def findings(self, verdicts: Verdicts, subject: Subject, ignored: frozenset[str]) -> list[ShardFinding]:
        """Return all findings on *subject*, except those of *ignored* rules."""
        if FAIL not in verdicts:
            return []
        explain = self._explainers.get(ignored)
        if explain is None:
            explain = self._explainers[ignored] = Explainer(self.rules, ShardTotals(), ignored)
        explain(verdicts, subject)
        return explain.totals.pop_findings()


@dataclass(slots=True)
class Explainer:
    """Adds findings for failed verdicts to *totals*, at most *max_findings* for each rule (0: all).

    *facts_of* returns the facts of an example for a rule whose tokens are counted otherwise.
    """

    rules: Mapping[Scope, tuple[Rule, ...]]
    totals: ShardTotals
    ignored: Collection[str]
    max_findings: int = 0
    facts_of: Callable[[str, Mapping[str, Any]], Mapping[str, Any]] | None = None
    _failing: dict[tuple[Scope, Verdicts], list[Rule]] = field(default_factory=dict)

    def __call__(self, verdicts: Verdicts, subject: Subject) -> None:
        """Add a finding for each failed verdict on *subject*."""
        key = subject.scope, verdicts
        failing = self._failing.get(key)
        if failing is None:  # a few tuples of verdicts recur
            by_rule = zip(self.rules[subject.scope], verdicts, strict=True)
            failing = [rule for rule, verdict in by_rule if verdict == FAIL and rule.id not in self.ignored]
            self._failing[key] = failing
        for rule in failing:
            if subject.line is not None:
                self.totals.mark_bad(rule.id, subject.line, subject.lines)
            if rule.below is not None:
                self.totals.see_folder(rule.id, os.path.dirname(subject.facts.get(rule.below["path"]) or ""))  # noqa: PTH120 - text
            if rule.cut_after is not None and subject.message_past is not None:
                place = subject.message_past(rule.id, rule.params[rule.cut_after])
                self._keep(rule, subject._replace(place=place))
            elif rule.each is None:
                self._keep(rule, subject)
            else:
                unchecked = rule.require.get(rule.each, {}).get("only_at", ())
                for fault in subject.facts[rule.each]:
                    if are_at((fault,), unchecked):
                        continue
                    facts = {**subject.facts, rule.each: Safe(fault.words)}
                    self._keep(rule, subject._replace(facts=facts, place=fault.path))

    def _keep(self, rule: Rule, subject: Subject) -> None:
        """Keep a finding for each line of *subject*, up to the maximum."""
        finding = None
        for number in range(subject.lines):
            if not self.totals.admit(rule.id, self.max_findings):
                self.totals.drop(rule.id, subject.lines - number - 1)
                return
            finding = finding or _finding(rule, self._counted(rule, subject))
            moved = finding._replace(line=finding.line + number) if number and finding.line else finding
            self.totals.keep(moved)

    def _counted(self, rule: Rule, subject: Subject) -> Subject:
        """Return *subject* with its tokens as they are counted for *rule*."""
        if self.facts_of is None or subject.scope != "example":
            return subject
        return subject._replace(facts=self.facts_of(rule.id, subject.facts))


def _finding(rule: Rule, subject: Subject) -> ShardFinding:
    message = message_on(rule, subject.facts)
    image = None if subject.image is None else f"{subject.image:032x}"
    raw = subject.raw
    example = None
    if isinstance(raw, bytes):
        one = raw.partition(b"\n")[0] if subject.lines > 1 else raw.removesuffix(b"\n")
        example = xxh3_128_hexdigest(one.removesuffix(b"\r"))  # the same, whatever ends the line
    fix = rule.fix if is_repairable(rule, subject.facts) else None
    box = subject.facts.get(rule.box) if rule.box else None
    return ShardFinding(
        rule.id, subject.line, pointer(subject.place), message, image, example, fix=fix, box=box
    )


def message_on(rule: Rule, facts: Mapping[str, Any]) -> str:
    """Return the message of *rule*, which is bound, on a subject with *facts*; some may not be measured."""
    return fill(rule.message, {**rule.params, **dict.fromkeys(rule.facts), **facts})


def is_repairable(rule: Rule, facts: Mapping[str, Any]) -> bool:
    """Return whether a finding of *rule* on a subject with *facts* can be repaired, unsafe repairs included.

    For a rule on each fault, the fact has the words of one fault.
    """
    if rule.fix is None or (rule.each and facts[rule.each] not in rule.fix_faults):
        return False
    return not rule.fix_when or _is_fixed(rule)(facts) == (int(Verdict.PASS),)


@lru_cache(64)
def _is_fixed(rule: Rule) -> Check:
    """Return the function that judges whether facts meet the `fix_when` of *rule*."""
    return compile_check(rule.scope, [replace(rule, when={}, require=rule.fix_when)])
