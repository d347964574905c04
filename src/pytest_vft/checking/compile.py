"""Rules of one scope compiled to one function from facts to verdicts.

The source contains names of facts and constants only, never a value from a rule file. A hypothesis test
compares the compiled functions with jsonschema.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from pytest_vft.catalogue.conditions import Conditions, Fragment
from pytest_vft.catalogue.load import Rule
from pytest_vft.facts.scopes import fact_types, optional_facts
from pytest_vft.formats.base import are_at
from pytest_vft.model import Scope, Verdict

Verdicts = tuple[int, ...]
Check = Callable[[Mapping[str, Any]], Verdicts]

_TESTS: Mapping[str, str] = {
    "const": "{fact} == {value}",
    "enum": "{fact} in {value}",
    "minimum": "{fact} >= {value}",
    "maximum": "{fact} <= {value}",
    "minItems": "len({fact}) >= {value}",
    "maxItems": "len({fact}) <= {value}",
    "only_at": "(not {fact} or are_at({fact}, {value}))",
}


def compile_check(
    scope: Scope, rules: Sequence[Rule], data_format: str = "", usual: tuple[tuple[str, Any], ...] = ()
) -> Check:
    """Return the function that judges the facts of a subject of *scope* by *rules*, which are bound.

    A rule for other formats than *data_format* is not applicable. *usual* are the facts that most subjects
    have in common; the first of them tells whether a subject has the others. Such subjects are judged by a
    function without the tests of these facts, and the rest by one that is compiled when it is needed.
    """
    if not usual:
        return _Compiler(scope, data_format, {}).compile(rules)

    @cache
    def compile_others() -> Check:
        return compile_check(scope, rules, data_format)

    def judge_others(facts: Mapping[str, Any]) -> Verdicts:
        return compile_others()(facts)

    return _Compiler(scope, data_format, dict(usual)).compile(rules, judge_others)


class _Compiler:
    """Variables of the compiled function: facts by name, constants by name, gates by expression.

    *known* facts have these values.
    """

    def __init__(self, scope: Scope, data_format: str, known: Mapping[str, Any]) -> None:
        self._known = known
        self._scope = scope
        self._data_format = data_format
        self._types = fact_types(scope)
        self._optional = optional_facts(scope)
        self._facts = {fact: f"f{number}" for number, fact in enumerate(self._types)}
        self._constants: dict[str, Any] = {"are_at": are_at}
        self._gates: dict[str, str] = {}

    def compile(self, rules: Sequence[Rule], others: Check | None = None) -> Check:
        """Return the function for *rules*; it calls *others* for subjects without the known facts."""
        verdicts = [self._rule(rule) for rule in rules]
        lines = [f"{name} = {gate}" for gate, name in self._gates.items()]
        lines += ["return (", *(f"    {verdict}," for verdict in verdicts), ")"]
        body = self._with_facts("\n    ".join(lines))
        if others is not None:
            self._constants["others"] = others
            fact, value = next(iter(self._known.items()))
            body = f"if facts[{fact!r}] != {value!r}:\n        return others(facts)\n    {body}"
        source = f"def check(facts):\n    {body}"
        code = compile(source, f"<rules of scope {self._scope}>", "exec")
        exec(code, self._constants)  # noqa: S102 - see the docstring of the module
        check: Check = self._constants["check"]
        return check

    def _with_facts(self, body: str) -> str:
        """Return *body* with the facts that it names: in variables, or in place if it names them once."""
        uses = Counter(re.findall(r"\bf\d+\b", body))
        facts = {name: self._load(fact) for fact, name in self._facts.items()}
        loads = [f"{name} = {facts[name]}\n    " for name in facts if uses[name] > 1]
        return "".join(loads) + re.sub(
            r"\bf\d+\b", lambda match: facts[match[0]] if uses[match[0]] == 1 else match[0], body
        )

    def _load(self, fact: str) -> str:
        """Return the expression for *fact*, None for one that is optional and was not measured."""
        may_lack = fact in self._optional and self._types[fact].nullable
        return f"facts.get({fact!r})" if may_lack else f"facts[{fact!r}]"

    def _rule(self, rule: Rule) -> str:
        """Return the expression for the verdict of *rule*; rules with the same `when` share a gate."""
        if rule.data_formats and self._data_format not in rule.data_formats:
            return f"{Verdict.NOT_APPLICABLE:d}"
        when, require = self._unsettled(rule.when), self._unsettled(rule.require)
        if when is None:
            return f"{Verdict.NOT_APPLICABLE:d}"
        required = self._verdict(Verdict.FAIL, rule.require if require is None else require)
        if not when:
            return required
        gate = self._verdict(Verdict.NOT_APPLICABLE, when)
        return f"{self._gates.setdefault(gate, f'g{len(self._gates)}')} or ({required})"

    def _unsettled(self, conditions: Conditions) -> Conditions | None:
        """Return the *conditions* on facts that are not known; None if a known fact fails."""
        left = {}
        for fact, fragment in conditions.items():
            if fact not in self._known:
                left[fact] = fragment
            elif not eval(self._fragment("value", fragment), {**self._constants, "value": self._known[fact]}):  # noqa: S307 - see the docstring of the module
                return None
        return left

    def _verdict(self, failing: Verdict, conditions: Conditions) -> str:
        """Return the expression for *failing*, UNKNOWN or PASS, which is 0 and opens a gate."""
        if not conditions:
            return f"{Verdict.PASS:d}"
        passed, failed, unknown = [], [], []
        for fact, fragment in conditions.items():
            name, test = self._facts[fact], self._fragment(self._facts[fact], fragment)
            if not self._types[fact].nullable:
                passed.append(test)
                failed.append(f"not ({test})")
                continue
            passed.append(test if _rejects_none(fragment) else f"{name} is not None and {test}")
            failed.append(f"({name} is not None and not ({test}))")
            unknown.append(f"{name} is None")
        if not unknown:
            return f"{Verdict.PASS:d} if {' and '.join(passed)} else {failing:d}"
        # Most subjects pass, so that is tested first.
        return (
            f"{Verdict.PASS:d} if {' and '.join(passed)}"
            f" else {failing:d} if {' or '.join(failed)} else {Verdict.UNKNOWN:d}"
        )

    def _fragment(self, fact: str, fragment: Fragment) -> str:
        return " and ".join(self._keyword(fact, *item) for item in fragment.items())

    def _keyword(self, fact: str, keyword: str, value: Any) -> str:
        if keyword == "type":
            return "True"  # a fact has one type, and loading the rule has checked that it is this type
        if keyword == "not":
            return f"not ({self._fragment(fact, value)})"
        if keyword == "items":
            return self._items(fact, value)
        if keyword == "maxItems" and value == 0:
            return f"not {fact}"  # much faster than the length
        if keyword == "const" and isinstance(value, bool):
            return f"{fact} is {value}"  # faster than a comparison
        constant = frozenset(value) if keyword == "enum" else value
        return _TESTS[keyword].format(fact=fact, value=self._constant(constant))

    def _items(self, fact: str, fragment: Fragment) -> str:
        match fragment:
            case {"enum": values, **others} if not others:
                return f"{self._constant(frozenset(values))}.issuperset({fact})"
            case {"not": {"enum": values, **inner}, **others} if not inner and not others:
                return f"{self._constant(frozenset(values))}.isdisjoint({fact})"
        return f"all({self._fragment('item', fragment)} for item in {fact})"

    def _constant(self, constant: Any) -> str:
        """Return the name of *constant*."""
        known = self._constants.items()
        same = (name for name, other in known if type(other) is type(constant) and other == constant)
        name = next(same, f"k{len(self._constants)}")
        self._constants[name] = constant
        return name


def _rejects_none(fragment: Fragment) -> bool:
    """Return whether the test of *fragment* starts with one that is false for None."""
    return next(iter(fragment)) in {"const", "enum"}
