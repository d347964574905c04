"""Which rules a run uses, with the parameters and severities that hold in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from pytest_vft.catalogue.load import Rule, bind
from pytest_vft.catalogue.providers import Provider
from pytest_vft.errors import UsageError
from pytest_vft.model import SCOPES, Severity
from pytest_vft.text import nearest

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


def select_rules(
    catalogue: Mapping[str, Rule],
    provider: Provider,
    *,
    select: Sequence[str] | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    severity: Mapping[str, Severity] | None = None,
) -> tuple[Rule, ...]:
    """Return the rules of a run, with conditions bound to what *provider* and the caller say.

    Without *select*, all that are not off; a rule that is off runs when its own id is selected.
    Raises UsageError for names and values that do not fit.
    """
    chosen = matching(select, catalogue) if select is not None else dict.fromkeys(catalogue, "")
    own_params = _known(params or {}, catalogue, "params")
    own_severity = _known(severity or {}, catalogue, "severity")
    rules = []
    for id_, rule in catalogue.items():
        if id_ not in chosen and not rule.stops:
            continue
        override = provider.rules.get(id_)
        off = rule.off if override is None or override.off is None else override.off
        if off and chosen.get(id_, "") in ("", rule.scope):
            continue
        values = {
            **rule.params,
            **(override.params if override else {}),
            **_fitting(rule, own_params.get(id_, {})),
        }
        rules.append(
            replace(
                rule,
                params=values,
                when=bind(rule.when, values),
                require=bind(rule.require, values),
                severity=own_severity.get(id_) or (override and override.severity) or rule.severity,
                source=override.source if override else rule.source,
                checked=override.checked if override else rule.checked,
            )
        )
    return tuple(rules)


def _known(table: Mapping[str, Value], catalogue: Mapping[str, Rule], name: str) -> Mapping[str, Value]:
    for id_ in table:
        if id_ not in catalogue:
            raise UsageError(f"{name}: no rule {id_!r}{nearest(id_, catalogue)}")
    return table


def _fitting(rule: Rule, params: Mapping[str, Any]) -> Mapping[str, Any]:
    for name, value in params.items():
        if name not in rule.params:
            known = ", ".join(rule.params) or "none"
            raise UsageError(f"{rule.id}: no parameter {name!r}{nearest(name, rule.params)}; it has: {known}")
        if not _fits(value, rule.params[name]):
            raise UsageError(f"{rule.id}: parameter {name} is {value!r}, want {_kind(rule.params[name])}")
    return params


def _fits(value: object, own: object) -> bool:
    """Return whether *value* is of the type of the rule's *own*, each item too."""
    if isinstance(value, list) and isinstance(own, list):
        return {type(item) for item in value} <= {type(item) for item in own}
    return type(value) is type(own)


def _kind(value: object) -> str:
    return {int: "a whole number", str: "a string"}.get(type(value), f"a list like {value!r}")
