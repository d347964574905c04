"""The rules of a run, bound to the limits, parameters and severities of the run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from pytest_vft.catalogue.conditions import Conditions, allow_faults, bind, is_negative
from pytest_vft.catalogue.load import Rule
from pytest_vft.catalogue.providers import Provider, RuleStatement
from pytest_vft.errors import UsageError
from pytest_vft.model import SCOPES, Effect, Severity
from pytest_vft.text import Choices, nearest
from pytest_vft.toml import written

_SHAPE = "shape_faults"  # the fact with the faults of an example


def listed(given: str | Iterable[str]) -> list[str]:
    """Return the patterns in *given*, the value or values of an option, each a comma-separated list."""
    values = [given] if isinstance(given, str) else given
    return [pattern.strip() for value in values for pattern in value.split(",") if pattern.strip()]


def matching(patterns: Iterable[str], rules: Iterable[str]) -> dict[str, str]:
    """Return the ids that *patterns* match with the last matching pattern: an id, a scope or a glob.

    Raises UsageError, which names the nearest rule, for a pattern that matches no rule.
    """
    ids = list(rules)
    found: dict[str, str] = {}
    for pattern in patterns:
        matched = [id_ for id_ in ids if pattern == id_.partition("/")[0] or fnmatchcase(id_, pattern)]
        if not matched:
            raise UsageError(
                f"no rule {pattern!r}{nearest(pattern, [*ids, *SCOPES])}; 'vft rules' lists them"
            )
        found.update(dict.fromkeys(matched, pattern))
    return found


def bind_rule(
    rule: Rule,
    statement: RuleStatement | None,
    values: Mapping[str, Any],
    severity: Severity | None = None,
    unchecked_keys: Sequence[str] = (),
) -> Rule | None:
    """Return *rule* bound to the *statement* of a provider and the *values* and *severity* of a user.

    Faults of the shape at *unchecked_keys* do not count.
    Return None for a rule that is not stated: a limit without a value, or a claim without a statement.
    """
    if rule.claim and statement is None:
        return None
    if not (statement or values or severity or unchecked_keys or rule.limits or rule.params):
        return rule  # nothing to bind
    stated = statement or RuleStatement()
    params = {**rule.params, **stated.limits, **stated.params, **values}
    if not params.keys() >= set(rule.limits):
        return None
    params = {name: Choices(value) if isinstance(value, list) else value for name, value in params.items()}

    def bound(conditions: Conditions) -> Conditions:
        return allow_faults(bind(conditions, params), _SHAPE, unchecked_keys)

    return replace(
        rule,
        params=params,
        when=bound(rule.when),
        require=bound(rule.require),
        fix_when=bind(rule.fix_when, params),
        severity=severity or stated.severity or rule.severity,
        off=rule.off if stated.off is None else stated.off,
        skips=stated.skips,
        effect=stated.effect or _default_effect(rule, stated),
        key_effects={**rule.key_effects, **stated.key_effects},
        why=stated.why or rule.why,
        source=stated.source or rule.source,
        checked=stated.checked or rule.checked,
    )


def _default_effect(rule: Rule, stated: RuleStatement) -> Effect | None:
    """Return the effect of *rule*, *stated* without one: what a provider states as a warning may matter."""
    is_weakened = rule.severity == "error" and stated.severity == "warning"
    return rule.effect or ("note" if is_weakened else None)


def bind_rules(
    catalogue: Mapping[str, Rule],
    provider: Provider,
    *,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    severity: Mapping[str, Severity] | None = None,
) -> dict[str, Rule]:
    """Return the rules of *catalogue* that *provider* or the user's *params* state, bound, by id.

    Raises UsageError for unknown names and for values of the wrong kind.
    """
    own_params, own_severity = params or {}, severity or {}
    for name, table in (("params", own_params), ("severity", own_severity)):
        for id_ in table:
            if id_ not in catalogue:
                raise UsageError(f"{name}: no rule {id_!r}{nearest(id_, catalogue)}")
    bound = {}
    for id_, rule in catalogue.items():
        values = own_params.get(id_, {})
        _check_params(rule, values)
        said, keys = provider.rules.get(id_), provider.unchecked_keys
        stated = bind_rule(rule, said, values, own_severity.get(id_), keys)
        if stated:
            bound[id_] = stated
    return bound


def select_bound(
    catalogue: Mapping[str, Rule],
    bound: Mapping[str, Rule],
    provider: Provider,
    select: Sequence[str] | None = None,
    extend: Sequence[str] = (),
) -> tuple[Rule, ...]:
    """Return the *bound* rules that run: all rules that are not off, or the rules that *select* names.

    The rules that *extend* names run as well. A rule that is off runs only if an id or a glob names it,
    not if its scope does. Raises UsageError for a pattern that matches no rule of *catalogue*, or only
    rules that *provider* does not state.
    """
    named = [_stated(patterns, catalogue, bound, provider) for patterns in (select or (), extend)]

    def runs(rule: Rule) -> bool:
        if rule.off:
            return any(chosen.get(rule.id, rule.scope) != rule.scope for chosen in named)
        return select is None or rule.stops or any(rule.id in chosen for chosen in named)

    return tuple(rule for rule in bound.values() if runs(rule))


def _stated(
    patterns: Sequence[str], catalogue: Mapping[str, Rule], bound: Mapping[str, Rule], provider: Provider
) -> Mapping[str, str]:
    """Return the ids that *patterns* match with the last matching pattern. Raises UsageError."""
    chosen = matching(patterns, catalogue)
    for id_, pattern in chosen.items():
        if pattern == id_ and id_ not in bound:
            limits = catalogue[id_].limits
            what = " and ".join(limits) or "it"
            how = f'; set it in [tool.vft.params]: "{id_}" = {{ {limits[0]} = ... }}' if limits else ""
            raise UsageError(f"{id_}: {provider.name} does not state {what}{how}")
    for pattern in patterns:
        if not any(id_ in bound for id_ in matching([pattern], catalogue)):
            raise UsageError(f"{pattern}: {provider.name} states nothing about these rules")
    return chosen


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


def _check_params(rule: Rule, params: Mapping[str, Any]) -> None:
    known = [*rule.limits, *rule.params]
    for name, value in params.items():
        if name not in known:
            has = ", ".join(known) or "none"
            raise UsageError(f"{rule.id}: no parameter {name!r}{nearest(name, known)}; it has: {has}")
        if not rule.kinds[name].fits(value):
            raise UsageError(f"{rule.id}: parameter {name} is {written(value)}; expected {rule.kinds[name]}")
        if is_negative(value) and not is_negative(rule.params.get(name, 0)):
            kind = "limit" if name in rule.limits else "parameter"
            raise UsageError(f"{rule.id}: {kind} {name} is {written(value)}; expected at least 0")
        if rule.kinds[name].is_beyond(value):
            most = rule.kinds[name].greatest
            raise UsageError(f"{rule.id}: parameter {name} is {written(value)}; expected at most {most}")


class IgnoredRules(Mapping[str, frozenset[str]]):
    """The ids of the rules that are ignored in each file, by path: the keys of *reasons* by path.

    Few files differ, so there is not an entry for each: *sets* are by the identity of distinct reasons.
    """

    def __init__(
        self,
        reasons: Mapping[str, Mapping[str, str]],
        sets: Mapping[int, frozenset[str]] | None = None,
    ) -> None:
        self._reasons = reasons
        self._sets = sets or {id(by_rule): frozenset(by_rule) for by_rule in reasons.values()}

    @property
    def distinct(self) -> Collection[frozenset[str]]:
        """The sets of ids, each of at least one file."""
        return self._sets.values()

    def renamed(self, names: Mapping[str, str]) -> IgnoredRules:
        """Return the ids that *names* maps to those of this mapping."""
        sets = {
            key: frozenset(id_ for id_, own in names.items() if own in ids) for key, ids in self._sets.items()
        }
        return IgnoredRules(self._reasons, sets)

    def __getitem__(self, path: str) -> frozenset[str]:
        return self._sets[id(self._reasons[path])]

    def __iter__(self) -> Iterator[str]:
        return iter(self._reasons)

    def __len__(self) -> int:
        return len(self._reasons)
