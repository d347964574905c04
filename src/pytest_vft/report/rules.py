"""The list of rules and the results of their tests as text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.selftest import RuleTest
from pytest_vft.report.layout import wrapped
from pytest_vft.text import count


def render_rules(rules: Sequence[Rule], off: Collection[str], reasons: Mapping[str, str]) -> str:
    """Return a line per rule: id, severity, or that it is *off* or ignored, summary or reason, and repair."""
    width = max((len(rule.id) for rule in rules), default=0)
    lines = []
    for rule in rules:
        state = "off" if rule.id in off else "ignored" if rule.id in reasons else rule.severity
        first = f"{rule.id:<{width}}  {state:<7}  "
        text = reasons[rule.id] if state == "ignored" else rule.summary
        if rule.fix and state != "ignored":
            text += f" (repair: {rule.fix}{', unsafe' if rule.unsafe else ''})"
        lines += wrapped(text, first, " " * len(first))
    return "\n".join([*lines, f"{count(len(rules), 'rule')} (vft explain RULE)"]) + "\n"


def render_rule_tests(tests: Sequence[RuleTest]) -> str:
    """Return the problems of each rule's cases, and the number of rules that failed."""
    lines = []
    for test in tests:
        for problem in test.problems:
            lines += wrapped(f"{test.rule}: {problem}")
        lines += [f"{test.rule}: no case fails when {name} is deleted" for name in test.survivors]
    failed = sum(not test.holds for test in tests)
    cases = count(sum(test.cases for test in tests), "case")
    rules = count(len(tests), "rule")
    verdict = f"FAILED  {failed:,} of {rules}, {cases}" if failed else f"PASSED  {rules}, {cases}"
    return "\n".join([*lines, verdict]) + "\n"
