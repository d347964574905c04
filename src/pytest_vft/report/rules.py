"""Rules as text: the list of them, and how their cases came out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.selftest import RuleTest
from pytest_vft.report.text import wrapped
from pytest_vft.text import count


def render_rules(rules: Sequence[Rule], off: Collection[str], reasons: Mapping[str, str]) -> str:
    """Return a line a rule: id, severity and summary; for one that is *off* or ignored, that, and why."""
    width = max((len(rule.id) for rule in rules), default=0)
    lines = []
    for rule in rules:
        state = "off" if rule.id in off else "ignored" if rule.id in reasons else rule.severity
        first = f"{rule.id:<{width}}  {state:<7}  "
        said = reasons[rule.id] if state == "ignored" else rule.summary
        lines += wrapped(said, first, " " * len(first))
    return "\n".join([*lines, f"{count(len(rules), 'rule')} (vft explain RULE)"]) + "\n"


def render_rule_tests(proofs: Sequence[RuleTest]) -> str:
    """Return what is wrong with each rule's cases, and how many hold."""
    lines = []
    for proof in proofs:
        for problem in proof.problems:
            lines += wrapped(f"{proof.rule}: {problem}")
        lines += [f"{proof.rule}: no case notices when {name} is deleted" for name in proof.survivors]
    failed = sum(not proof.holds for proof in proofs)
    cases = count(sum(proof.cases for proof in proofs), "case")
    rules = count(len(proofs), "rule")
    verdict = f"FAILED  {failed} of {rules}, {cases}" if failed else f"PASSED  {rules}, {cases}"
    return "\n".join([*lines, verdict]) + "\n"
