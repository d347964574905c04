"""Rules proved by their cases, and cases proved by mutants of their rules."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_vft.catalogue.cases import CASE_TIME, Case, read_cases
from pytest_vft.catalogue.conditions import Conditions
from pytest_vft.catalogue.load import Rule
from pytest_vft.catalogue.providers import Provider, load_provider
from pytest_vft.catalogue.select import bind_rule, select_rules
from pytest_vft.checking.lint import LintResult, lint_files
from pytest_vft.checking.plan import LintPlan
from pytest_vft.model import Source, Tally, Verdict


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What a case came to: the verdict of its rule, and the findings as rule, message."""

    verdict: Verdict
    findings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """How one rule stood the trial: cases that do not hold, keywords that no case needs."""

    rule: str
    cases: int
    problems: tuple[str, ...]
    survivors: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether there are cases, all of them hold, and each keyword is needed by one."""
        return bool(self.cases) and not self.problems and not self.survivors


def case_provider() -> Provider:
    """Return the provider whose statements hold in cases that say nothing else: openai."""
    provider = load_provider("openai")
    return provider.for_model(provider.default_model)


def run_rule_tests(rules: Mapping[str, Rule], catalogue: Mapping[str, Rule]) -> list[RuleTest]:
    """Run cases and mutants of *rules* among all of *catalogue*.

    Raises RuleFileError for a case that cannot be read.
    """
    bound = select_rules({**catalogue, **rules}, case_provider())
    return [_prove(rule, bound) for rule in rules.values()]


def _prove(rule: Rule, rules: Sequence[Rule]) -> RuleTest:
    cases = read_cases(rule)
    unstated = _unstated(rule, cases)
    if unstated:
        return RuleTest(rule=rule.id, cases=len(cases), problems=tuple(unstated), survivors=())
    found = {case.name: problem(rule, case, rules) for case in cases}
    problems = [f"case {name}: {words}" for name, words in found.items() if words]
    return RuleTest(
        rule=rule.id,
        cases=len(cases),
        problems=tuple(problems) if cases else ("no cases: write one that passes and one that fails",),
        survivors=tuple(survivors(rule, cases, rules)) if cases and not problems else (),
    )


def _unstated(rule: Rule, cases: Iterable[Case]) -> list[str]:
    """Return the cases that lack a limit, which the provider of the cases does not state either."""
    statement = case_provider().rules.get(rule.id)
    stated = statement.limits if statement else {}
    return [
        f"case {case.name}: openai states no {name}; write limits = {{ {name} = ... }}"
        for case in cases
        for name in rule.limits
        if name not in case.values and name not in stated
    ]


def run_case(rule: Rule, case: Case, rules: Sequence[Rule]) -> CaseResult:
    """Run *case* through the whole pipeline with *rule* and the bound *rules*.

    Other rules of scope file stay out: they are about totals that a case of three lines never has.
    """
    tried = bind_rule(replace(rule, claim=False), case_provider().rules.get(rule.id), case.values)
    if tried is None:
        raise ValueError(f"{rule.id}: case {case.name} lacks a limit")
    others = [other for other in rules if other.id != rule.id and other.scope != "file"]
    linted = _lint(case, [tried, *others])
    tally = sum((file.tallies.get(rule.id, Tally()) for file in linted.files), Tally())
    tally += linted.dataset.get(rule.id, Tally())
    findings = tuple((placed.found.rule, placed.found.message) for placed in linted.findings)
    return CaseResult(_verdict(tally), findings)


def problem(rule: Rule, case: Case, rules: Sequence[Rule]) -> str | None:
    """Return why *case* does not hold for *rule*, None when it does.

    A failing case raises this rule with its message and nothing else, a passing one raises nothing;
    where the rule does not apply or cannot know, other rules may have something to say.
    """
    outcome = run_case(rule, case, rules)
    findings = [finding for finding in outcome.findings if finding[0] not in case.also]
    found = ", ".join(f"{id_}: {message}" for id_, message in findings) or "nothing"
    if outcome.verdict != case.verdict:
        return f"verdict is {outcome.verdict.name.lower()}, want {case.verdict.name.lower()}; found {found}"
    if case.verdict == Verdict.PASS and findings:
        return f"found {found}; want nothing"
    if case.verdict == Verdict.FAIL and not _only(findings, rule.id, str(case.message)):
        return f"found {found}; want {rule.id}: {case.message}"
    return None


def _only(findings: Iterable[tuple[str, str]], rule: str, message: str) -> bool:
    """Return whether all findings are of *rule* with *message*, in which {name} stands for any text.

    What a decoder says is Pillow's, and may change with it.
    """
    pattern = re.compile(".+".join(map(re.escape, re.split(r"\{\w+\}", message))))
    return all(id_ == rule and pattern.fullmatch(text) for id_, text in findings)


def mutants(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """Yield *rule* with one keyword of its conditions deleted, and which, for each keyword in turn."""
    for table in ("when", "require"):
        conditions: Conditions = getattr(rule, table)
        for fact, fragment in conditions.items():
            for keyword in fragment:
                fewer = {key: value for key, value in fragment.items() if key != keyword}
                rest: dict[str, Mapping[str, Any]] = {**conditions, fact: fewer}
                if not fewer:
                    del rest[fact]
                changed = replace(rule, when=rest) if table == "when" else replace(rule, require=rest)
                yield f"{table}.{fact}.{keyword}", changed


def survivors(rule: Rule, cases: Sequence[Case], rules: Sequence[Rule]) -> list[str]:
    """Return the keywords of *rule* that could be deleted and no case would notice."""
    expected = [run_case(rule, case, rules).verdict for case in cases]
    return [
        name
        for name, mutant in mutants(rule)
        if all(
            run_case(mutant, case, rules).verdict == verdict
            for case, verdict in zip(cases, expected, strict=True)
        )
    ]


def _lint(case: Case, rules: Sequence[Rule]) -> LintResult:
    provider = case_provider()
    plan = LintPlan(
        rules=tuple(rules),
        image_tokens=provider.describe(provider.default_model).image_tokens,
        full=True,
        max_findings=0,
        now=CASE_TIME,
    )
    with tempfile.TemporaryDirectory() as folder:
        sources = []
        for file in case.files:
            path = Path(folder, f"{file.split}.jsonl")
            if file.content is not None:
                path.write_bytes(file.content)
            sources.append(Source(str(path), file.split))
        linted = lint_files(sources, plan, fetch=lambda _: case.fetched)
        return replace(linted, findings=tuple(_without(folder, placed) for placed in linted.findings))


def _without(folder: str, placed: Any) -> Any:
    """Leave the folder of this run out of a message: a case knows the names of its files only."""
    message = placed.found.message.replace(f"{folder}/", "")
    return placed._replace(found=placed.found._replace(message=message))


def _verdict(tally: Tally) -> Verdict:
    if tally.failed:
        return Verdict.FAIL
    if tally.unknown:
        return Verdict.UNKNOWN
    return Verdict.PASS if tally.passed else Verdict.NOT_APPLICABLE
