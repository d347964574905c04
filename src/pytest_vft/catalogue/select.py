"""Which rules a run uses, bound to the limits, parameters and severities that hold in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from pytest_vft.catalogue.conditions import bind
from pytest_vft.catalogue.load import Rule
from pytest_vft.catalogue.providers import Provider, RuleStatement
from pytest_vft.errors import UsageError
from pytest_vft.model import SCOPES, Severity
from pytest_vft.text import Choices, nearest

Value = TypeVar("Value")


def listed(given: Iterable[str]) -> list[str]:
    """Return the patterns in *given*, the values of an option: each may hold several, comma-separated."""
    return [pattern.strip() for value in given for pattern in value.split(",") if pattern.strip()]


def matching(patterns: Iterable[str], rules: Iterable[str]) -> dict[str, str]:
    """Return rule id -> the pattern that names it; a pattern is an id, a scope or a glob.

    Raises UsageError for a pattern that names no rule, with the nearest that would.
    """
    ids = list(rules)
    found: dict[str, str] = {}
    for pattern in patterns:
        named = [id_ for id_ in ids if _matches(pattern, id_)]
        if not named:
            raise UsageError(
                f"no rule {pattern!r}{nearest(pattern, [*ids, *SCOPES])}; 'vft rules' lists them"
            )
        found.update(dict.fromkeys(named, pattern))
    return found


def _matches(pattern: str, id_: str) -> bool:
    return pattern in (id_, id_.partition("/")[0]) or fnmatchcase(id_, pattern)


def bind_rule(
    rule: Rule,
    statement: RuleStatement | None,
    values: Mapping[str, Any],
    severity: Severity | None = None,
) -> Rule | None:
    """Return *rule* with what a provider states of it, and with the *values* and *severity* of a user.

    None if it is not stated: a limit has no value, or there is no statement of a claim.
    """
    if rule.claim and statement is None:
        return None
    said = statement or RuleStatement()
    params = {**rule.params, **said.limits, **said.params, **values}
    if not params.keys() >= set(rule.limits):
        return None
    params = {name: Choices(value) if isinstance(value, list) else value for name, value in params.items()}
    return replace(
        rule,
        params=params,
        when=bind(rule.when, params),
        require=bind(rule.require, params),
        severity=severity or said.severity or rule.severity,
        off=rule.off if said.off is None else said.off,
        skips=said.skips,
        why=said.why or rule.why,
        source=said.source or rule.source,
        checked=said.checked or rule.checked,
    )


def bind_rules(
    catalogue: Mapping[str, Rule],
    provider: Provider,
    *,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    severity: Mapping[str, Severity] | None = None,
) -> dict[str, Rule]:
    """Return the rules of *catalogue* that *provider* or the user's *params* state, bound, by id.

    Raises UsageError for names and values that do not fit.
    """
    own_params = _known(params or {}, catalogue, "params")
    own_severity = _known(severity or {}, catalogue, "severity")
    bound = {}
    for id_, rule in catalogue.items():
        values = _fitting(rule, own_params.get(id_, {}))
        stated = bind_rule(rule, provider.rules.get(id_), values, own_severity.get(id_))
        if stated:
            bound[id_] = stated
    return bound


def select_bound(
    catalogue: Mapping[str, Rule],
    bound: Mapping[str, Rule],
    provider: Provider,
    select: Sequence[str] | None = None,
) -> tuple[Rule, ...]:
    """Return those of the *bound* rules that run: all that are not off, or what *select* names.

    A rule that is off runs when its own id is selected. Raises UsageError for a pattern that names no
    rule of *catalogue*, and for the id of a rule that *provider* does not state.
    """
    if select is None:
        return tuple(rule for rule in bound.values() if not rule.off)
    chosen = matching(select, catalogue)
    for id_, pattern in chosen.items():
        if pattern == id_ and id_ not in bound:
            limits = catalogue[id_].limits
            what = " and ".join(limits) or "it"
            how = f'; [tool.vft.params] may: "{id_}" = {{ {limits[0]} = ... }}' if limits else ""
            raise UsageError(f"{id_}: {provider.name} does not state {what}{how}")
    return tuple(
        rule
        for id_, rule in bound.items()
        if (rule.stops or id_ in chosen) and not (rule.off and chosen.get(id_, rule.scope) == rule.scope)
    )


def select_rules(
    catalogue: Mapping[str, Rule],
    provider: Provider,
    *,
    select: Sequence[str] | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    severity: Mapping[str, Severity] | None = None,
) -> tuple[Rule, ...]:
    """Return the rules of a run; see bind_rules() and select_bound()."""
    bound = bind_rules(catalogue, provider, params=params, severity=severity)
    return select_bound(catalogue, bound, provider, select)


def _known(table: Mapping[str, Value], catalogue: Mapping[str, Rule], name: str) -> Mapping[str, Value]:
    for id_ in table:
        if id_ not in catalogue:
            raise UsageError(f"{name}: no rule {id_!r}{nearest(id_, catalogue)}")
    return table


def _fitting(rule: Rule, params: Mapping[str, Any]) -> Mapping[str, Any]:
    known = [*rule.limits, *rule.params]
    for name, value in params.items():
        if name not in known:
            has = ", ".join(known) or "none"
            raise UsageError(f"{rule.id}: no parameter {name!r}{nearest(name, known)}; it has: {has}")
        if not rule.kinds[name].fits(value):
            raise UsageError(f"{rule.id}: parameter {name} is {value!r}, want {rule.kinds[name]}")
    return params
