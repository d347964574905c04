"""Rules as text: the list of them, and how their cases came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.prove import Proof
from pytest_vft.text import count


def render_rules(rules: Sequence[Rule], reasons: Mapping[str, str]) -> str:
    """Return a line a rule: id, severity and summary; for an ignored one, why."""
    width = max((len(rule.id) for rule in rules), default=0)
    lines = []
    for rule in rules:
        state = "ignored" if rule.id in reasons else rule.severity
        lines.append(f"{rule.id:<{width}}  {state:<7}  {reasons.get(rule.id, rule.summary)}")
    return "\n".join([*lines, f"{count(len(rules), 'rule')} (vft explain RULE)"]) + "\n"


def render_proof(proofs: Sequence[Proof]) -> str:
    """Return what is wrong with each rule's cases, and how many hold."""
    lines = []
    for proof in proofs:
        lines += [f"{proof.rule}: {problem}" for problem in proof.problems]
        lines += [f"{proof.rule}: no case notices when {name} is deleted" for name in proof.survivors]
    cases = sum(proof.cases for proof in proofs)
    failed = sum(not proof.holds for proof in proofs)
    verdict = f"FAILED  {count(failed, 'rule')} of {len(proofs)}" if failed else "PASSED"
    return "\n".join([*lines, f"{verdict}  {count(len(proofs), 'rule')}, {count(cases, 'case')}"]) + "\n"
