"""Several sets of rules, such as those of several providers, measured as one and judged apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.compile import Verdicts
from pytest_vft.checking.merging import FileTotals
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.facts.tokens import TOKEN_FACTS, ImageTokens
from pytest_vft.model import Scope

T = TypeVar("T")


class RuleSet(NamedTuple):
    """Rules with distinct ids, and the tokens that they count."""

    rules: Sequence[Rule]
    image_tokens: ImageTokens | None


class RuleUnion(NamedTuple):
    """The distinct rules of several sets, with ids of their own, for one plan.

    *image_tokens*, *other_tokens* and *counters* are those of the plan; *columns* has for each set the ids of
    its rules, by their ids here.
    """

    rules: tuple[Rule, ...]
    image_tokens: ImageTokens | None
    other_tokens: tuple[ImageTokens | None, ...]
    counters: Mapping[str, int]
    columns: Sequence[Mapping[str, str]]


def unite(sets: Sequence[RuleSet], order: Iterable[str]) -> RuleUnion:
    """Return the distinct rules of *sets*: rules with the same id, conditions, parameters and tokens are one.

    The first rule with an id keeps it. The rules are in the *order* of their ids, as in each set.
    """
    if len(sets) == 1:
        ((rules, image_tokens),) = sets
        return RuleUnion(tuple(rules), image_tokens, (), {}, [{rule.id: rule.id for rule in rules}])
    base = next((one.image_tokens for one in sets if one.image_tokens is not None), None)
    others: list[ImageTokens | None] = []
    distinct: dict[tuple[str, str], Rule] = {}
    numbers: Counter[str] = Counter()
    counters: dict[str, int] = {}
    columns = []
    for own, image_tokens in sets:
        if image_tokens not in (base, *others):
            others.append(image_tokens)
        column = {}
        for rule in own:
            counter = image_tokens if TOKEN_FACTS & rule.facts else base
            key = (rule.id, repr((rule.when, rule.require, rule.params, counter)))
            if key not in distinct:
                numbers[rule.id] += 1
                name = rule.id if numbers[rule.id] == 1 else f"{rule.id}#{numbers[rule.id]}"
                distinct[key] = replace(rule, id=name)
                counters |= {name: others.index(counter)} if counter != base else {}
            column[distinct[key].id] = rule.id
        columns.append(column)
    rank = {id_: number for number, id_ in enumerate(order)}
    ranked = sorted(distinct.items(), key=lambda one: rank[one[0][0]])
    return RuleUnion(tuple(rule for _, rule in ranked), base, tuple(others), counters, columns)


def select_column(
    file: FileTotals, plan: LintPlan, column: Mapping[str, str], image_tokens: ImageTokens | None
) -> FileTotals:
    """Return *file*, measured by *plan*, for the rules of *column* with their own ids.

    *column* is one of a RuleUnion, and *image_tokens* are those of its set.
    """
    totals = file.totals
    chosen = replace(
        totals,
        counts={scope: _columns(counts, scope, plan, column) for scope, counts in totals.counts.items()},
        gaps=Counter(
            {(why, column[id_]): number for (why, id_), number in totals.gaps.items() if id_ in column}
        ),
        dropped=Counter(_renamed(totals.dropped, column)),
        kept=Counter(_renamed(totals.kept, column)),
        bad_lines=_renamed(totals.bad_lines, column),
        folders=_renamed(totals.folders, column),
        findings=[one._replace(rule=column[one.rule]) for one in totals.findings if one.rule in column],
    )
    chosen.pack()
    _set_tokens(chosen, plan, image_tokens)
    ignored = frozenset(column[id_] for id_ in file.ignored if id_ in column)
    return replace(file, totals=chosen, ignored=ignored)


def _columns(
    counts: Mapping[Verdicts, int], scope: Scope, plan: LintPlan, column: Mapping[str, str]
) -> Counter[Verdicts]:
    rules = [rule for rule in plan.rules if rule.scope == scope]
    own = list(column)  # in the order of the set's own rules
    positions = {rule.id: number for number, rule in enumerate(rules)}
    chosen = [positions[id_] for id_ in own if id_ in positions]
    selected: Counter[Verdicts] = Counter()
    for verdicts, number in counts.items():
        selected[tuple(verdicts[position] for position in chosen)] += number
    return selected


def _renamed(by_rule: Mapping[str, T], column: Mapping[str, str]) -> dict[str, T]:
    return {column[id_]: value for id_, value in by_rule.items() if id_ in column}


def _set_tokens(totals: ShardTotals, plan: LintPlan, image_tokens: ImageTokens | None) -> None:
    """Replace the tokens of *totals* by those of *image_tokens*, one of the counters of *plan*."""
    if image_tokens is not None and image_tokens != plan.image_tokens:
        number = plan.other_tokens.index(image_tokens)
        for name in TOKEN_FACTS:
            setattr(totals, name, totals.other_tokens.get(f"{number} {name}", 0))
