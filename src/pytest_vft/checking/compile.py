"""Rules of one scope compiled to one function from facts to verdicts.

The source holds names of facts and of constants only, never a value from a rule file. A hypothesis
test holds the compiled functions against jsonschema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_vft.catalogue.conditions import Conditions, Fragment
from pytest_vft.catalogue.load import Rule
from pytest_vft.facts.scopes import fact_types
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
}


def compile_check(scope: Scope, rules: Sequence[Rule]) -> Check:
    """Return the function that judges the facts of a subject of *scope* by *rules*, in their order.

    The rules are bound: their conditions hold no {"$param": ...} any more.
    """
    constants: dict[str, Any] = {}
    gates: dict[str, str] = {}
    names = {fact: f"f{number}" for number, fact in enumerate(fact_types(scope))}
    verdicts = [_rule(scope, rule, names, constants, gates) for rule in rules]
    used = [
        f"    {name} = facts[{fact!r}]\n"
        for fact, name in names.items()
        if any(fact in rule.when or fact in rule.require for rule in rules)
    ]
    gated = [f"    {name} = {gate}\n" for gate, name in gates.items()]
    body = "".join(f"        {verdict},\n" for verdict in verdicts)
    source = f"def check(facts):\n{''.join(used + gated)}    return (\n{body}    )\n"
    exec(compile(source, f"<rules of scope {scope}>", "exec"), constants)  # noqa: S102 - see the module's text
    check: Check = constants["check"]
    return check


def _rule(
    scope: Scope, rule: Rule, names: Mapping[str, str], constants: dict[str, Any], gates: dict[str, str]
) -> str:
    """Return the expression for the verdict of *rule*; a `when` that several share is worked out once."""
    required = _verdict(Verdict.FAIL, _outcomes(scope, rule.require, names, constants))
    if not rule.when:
        return required
    gate = _verdict(Verdict.NOT_APPLICABLE, _outcomes(scope, rule.when, names, constants))
    return f"{gates.setdefault(gate, f'g{len(gates)}')} or ({required})"


def _verdict(failing: Verdict, outcomes: tuple[str, str]) -> str:
    """Return the expression for a verdict: *failing*, unknown, or PASS, which is 0 and opens a gate."""
    steps = zip((failing, Verdict.UNKNOWN), outcomes, strict=True)
    taken = [f"{verdict:d} if {condition} else " for verdict, condition in steps if condition]
    return "".join(taken) + f"{Verdict.PASS:d}"


def _outcomes(
    scope: Scope, conditions: Conditions, names: Mapping[str, str], constants: dict[str, Any]
) -> tuple[str, str]:
    """Return the expressions for "a known fact fails" and "a fact is not known", "" when impossible."""
    types = fact_types(scope)
    failing = []
    unknown = []
    for fact, fragment in conditions.items():
        name = names[fact]
        holds = _fragment(name, fragment, constants)
        if types[fact].nullable:
            failing.append(f"({name} is not None and not ({holds}))")
            unknown.append(f"{name} is None")
        else:
            failing.append(f"not ({holds})")
    return " or ".join(failing), " or ".join(unknown)


def _fragment(fact: str, fragment: Fragment, constants: dict[str, Any]) -> str:
    return " and ".join(_keyword(fact, *item, constants) for item in fragment.items())


def _keyword(fact: str, keyword: str, value: Any, constants: dict[str, Any]) -> str:
    if keyword == "type":
        return "True"  # a fact has one type, and loading a rule proved that it is this one
    if keyword == "not":
        return f"not ({_fragment(fact, value, constants)})"
    if keyword == "items":
        return f"all({_fragment('item', value, constants)} for item in {fact})"
    constant = frozenset(value) if keyword == "enum" else value
    same = (name for name, known in constants.items() if type(known) is type(constant) and known == constant)
    name = next(same, f"k{len(constants)}")
    constants[name] = constant
    return _TESTS[keyword].format(fact=fact, value=name)
