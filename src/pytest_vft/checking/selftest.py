"""Tests of rules by their cases, and of cases by mutants of their rules."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pytest_vft.catalogue.cases import CASE_TIME, Case, read_cases
from pytest_vft.catalogue.conditions import Conditions
from pytest_vft.catalogue.image_tokens import is_stand_in
from pytest_vft.catalogue.load import Rule
from pytest_vft.catalogue.providers import Provider, RuleStatement, default_provider, load_provider
from pytest_vft.catalogue.select import bind_rule, select_rules
from pytest_vft.checking.lint import lint_files
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.results import LintResult
from pytest_vft.formats.detection import detect_format
from pytest_vft.model import Source, Tally, Verdict
from pytest_vft.reading.measurers import Columns
from pytest_vft.reading.views import DecodedImage, View

_PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True)
class _StandIn:
    """Finds the face that cases draw: no model is shipped, and a drawing of a face is not a face."""

    id: str = "stand-in 1"
    columns: tuple[str, ...] = ("face_score", "face_box")
    views: frozenset[View] = frozenset({"large"})

    def measure(self, images: Sequence[DecodedImage]) -> Sequence[Columns]:
        """Return a high score for images in the colour of faces in cases."""
        return [self._measure(one) for one in images]

    def _measure(self, image: DecodedImage) -> Columns:
        if image.large is None:
            return dict.fromkeys(self.columns)
        score = 93 if is_stand_in(image.large) else 12
        return {"face_score": score, "face_box": f"0,0,{image.width},{image.height}"}


class CaseResult(NamedTuple):
    """The verdict of a rule on a case, and all findings as pairs of rule id and message."""

    verdict: Verdict
    findings: Sequence[tuple[str, str]]


class RuleTest(NamedTuple):
    """The result of testing one rule: failing cases, and keywords that no case depends on."""

    rule: str
    cases: int
    problems: tuple[str, ...]
    survivors: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether there are cases, all cases hold, and a case depends on each keyword."""
        return bool(self.cases) and not self.problems and not self.survivors


def case_provider(data_format: str = "openai") -> Provider:
    """Return the provider whose statements apply to cases in *data_format* without values of their own.

    That is the provider whose own format *data_format* is.
    """
    provider = load_provider(default_provider(data_format))
    return provider.for_model(provider.default_model)


class CaseRules(dict[str, Sequence[Rule]]):
    """The rules of *catalogue*, bound to the provider of a case, by the data format of the case."""

    def __init__(self, catalogue: Mapping[str, Rule]) -> None:
        super().__init__()
        self._catalogue = catalogue

    def __missing__(self, data_format: str) -> Sequence[Rule]:
        rules = self[data_format] = select_rules(self._catalogue, case_provider(data_format))
        return rules


def run_rule_tests(rules: Mapping[str, Rule], catalogue: Mapping[str, Rule]) -> list[RuleTest]:
    """Run the cases of *rules*, and mutants of *rules*, together with the other rules of *catalogue*.

    Raises RuleFileError for a case that cannot be read.
    """
    bound = CaseRules({**catalogue, **rules})
    return [_test_rule(rule, bound) for rule in rules.values()]


def _test_rule(rule: Rule, rules: CaseRules) -> RuleTest:
    cases = read_cases(rule)
    if not cases:
        return RuleTest(rule.id, 0, ("no cases: write one that passes and one that fails",))
    problems = [
        f"case {case.name}: {provider.id} does not state {name}; write limits = {{ {name} = ... }}"
        for case in cases
        for provider in [case_provider(case.data_format)]
        for name in rule.limits
        if name not in case.values and name not in provider.rules.get(rule.id, RuleStatement()).limits
    ]
    if not problems:
        found = {case.name: problem(rule, case, rules) for case in cases}
        problems = [f"case {name}: {words}" for name, words in found.items() if words]
    alive = () if problems else tuple(survivors(rule, cases, rules))
    return RuleTest(rule.id, len(cases), tuple(problems), alive)


def run_case(rule: Rule, case: Case, rules: CaseRules) -> CaseResult:
    """Lint *case* with *rule* and the other *rules*.

    Other rules of scope file do not run: they test totals that short cases do not reach.
    """
    provider = case_provider(case.data_format)
    tried = bind_rule(replace(rule, claim=False), provider.rules.get(rule.id), case.values)
    if tried is None:
        raise ValueError(f"{rule.id}: case {case.name} has no value for a limit")
    others = [other for other in rules[case.data_format] if other.id != rule.id and other.scope != "file"]
    linted, findings = _lint(case, [tried, *others])
    tally = linted.tallies.get(rule.id, Tally())
    tally += linted.dataset.get(rule.id, Tally())
    if tally.failed:
        verdict = Verdict.FAIL
    elif tally.unknown:
        verdict = Verdict.UNKNOWN
    else:
        verdict = Verdict.PASS if tally.passed else Verdict.NOT_APPLICABLE
    return CaseResult(verdict, findings)


def problem(rule: Rule, case: Case, rules: CaseRules) -> str | None:
    """Return why *case* does not hold for *rule*, None if it does.

    The only findings of a failing case are those of *rule* with the expected message; a passing case has
    none. For other verdicts, other rules may have findings.
    """
    outcome = run_case(rule, case, rules)
    findings = [finding for finding in outcome.findings if finding[0] not in case.also]
    found = ", ".join(f"{id_}: {message}" for id_, message in findings) or "nothing"
    if outcome.verdict != case.verdict:
        expected = case.verdict.name.lower()
        return f"verdict is {outcome.verdict.name.lower()}; expected {expected}; found {found}"
    if case.verdict == Verdict.PASS and findings:
        return f"found {found}; expected nothing"
    if case.verdict == Verdict.FAIL and not _only(findings, rule.id, str(case.message)):
        return f"found {found}; expected {rule.id}: {case.message}"
    return None


def _only(findings: Iterable[tuple[str, str]], rule: str, message: str) -> bool:
    """Return whether all findings are of *rule* with *message*, where {name} matches any text.

    That is for messages of decoders, which may change with the version of Pillow.
    """
    pattern = re.compile(".+".join(map(re.escape, re.split(r"\{\w+\}", message))))
    return all(id_ == rule and pattern.fullmatch(text) for id_, text in findings)


def mutants(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """Yield for each keyword of its conditions the keyword and *rule* without it."""
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


def survivors(rule: Rule, cases: Sequence[Case], rules: CaseRules) -> list[str]:
    """Return the keywords of *rule* on which no case depends; all *cases* hold."""
    return [
        name
        for name, mutant in mutants(rule)
        if all(run_case(mutant, case, rules).verdict == case.verdict for case in cases)
    ]


def _lint(case: Case, rules: Sequence[Rule]) -> tuple[LintResult, list[tuple[str, str]]]:
    """Return the result, and the findings with messages in which paths are the names of files."""
    provider = case_provider(case.data_format)
    plan = LintPlan(
        rules=tuple(rules),
        image_tokens=provider.describe(provider.default_model).image_tokens,
        full=True,
        max_findings=0,
        now=CASE_TIME,
        detectors=(_StandIn(),),
    )
    with tempfile.TemporaryDirectory() as folder:
        sources = []
        for file in case.files:
            path = Path(folder, f"{file.split}.jsonl")
            if file.content is not None:
                path.write_bytes(file.content)
            is_table = (file.content or b"").startswith(_PARQUET)
            columns = detect_format(str(path)).columns if is_table else ()
            source = Source(str(path), file.split, case.data_format, layout=case.layout, columns=columns)
            sources.append(source)
        for place, content in case.images.items():
            path = Path(folder, place)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        linted = lint_files(sources, plan, fetch=lambda _: case.fetched)
        found = [placed.found for placed in linted.findings]
        return linted, [(one.rule, one.message.replace(f"{folder}/", "")) for one in found]
