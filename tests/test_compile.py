"""Compiled rules agree with JSON Schema for each fact; null is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pytest_vft.catalogue.conditions import _KEYWORDS, Conditions, bind
from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.compile import compile_check
from pytest_vft.facts.image import DATA_URL
from pytest_vft.facts.scopes import FactType, fact_types
from pytest_vft.model import SCOPES, Scope, Verdict

# Few values, so that facts and conditions meet.
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-1, 2),
    "string": st.sampled_from(["", "RGB", "rgb", "null", "__import__('os')", "' or True or '"]),
    "boolean": st.booleans(),
}


def keyword(name: str, fact: FactType) -> st.SearchStrategy[Any]:
    match name:
        case "type":
            return st.just(fact.name)
        case "enum":
            return st.lists(VALUES[fact.name], max_size=3)
        case "minItems" | "maxItems":
            return st.integers(0, 3)
        case "items":
            return fragments(FactType("string", nullable=False))
        case "not":
            return st.deferred(lambda: fragments(fact))
        case _:
            return VALUES[fact.name]


def fragments(fact: FactType) -> st.SearchStrategy[Mapping[str, Any]]:
    optional = {name: keyword(name, fact) for name in sorted(_KEYWORDS[fact.name])}
    chosen = st.lists(st.sampled_from(sorted(optional)), min_size=1, max_size=2, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: optional[name] for name in names}))


def conditions(scope: Scope) -> st.SearchStrategy[Conditions]:
    facts = {name: fact for name, fact in fact_types(scope).items() if not fact.faults}
    chosen = st.lists(st.sampled_from(sorted(facts)), max_size=3, unique=True)
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries({name: fragments(facts[name]) for name in names})
    )


def fact_values(fact: FactType) -> st.SearchStrategy[Any]:
    values = st.lists(VALUES["string"], max_size=4) if fact.name == "array" else VALUES[fact.name]
    return st.none() | values if fact.nullable else values


def facts_of(scope: Scope) -> st.SearchStrategy[Mapping[str, Any]]:
    return st.fixed_dictionaries({name: fact_values(fact) for name, fact in fact_types(scope).items()})


def rule(scope: Scope, when: Conditions, require: Conditions) -> Rule:
    return Rule(
        id=f"{scope}/rule",
        scope=scope,
        severity="error",
        summary="",
        message="",
        advice="",
        why="",
        source="",
        checked=date(2026, 11, 21),
        path=Path(),
        when=when,
        require=require,
    )


def outcomes(table: Conditions, facts: Mapping[str, Any]) -> tuple[bool, bool]:
    """Return whether a known fact fails, and whether a fact is not known."""
    known = {fact: fragment for fact, fragment in table.items() if facts[fact] is not None}
    fails = not all(Draft202012Validator(dict(one)).is_valid(facts[fact]) for fact, one in known.items())
    return fails, len(known) < len(table)


def expected(one: Rule, facts: Mapping[str, Any]) -> Verdict:
    fails, unknown = outcomes(one.when, facts)
    if fails:
        return Verdict.NOT_APPLICABLE
    if unknown:
        return Verdict.UNKNOWN
    fails, unknown = outcomes(one.require, facts)
    if fails:
        return Verdict.FAIL
    return Verdict.UNKNOWN if unknown else Verdict.PASS


@pytest.mark.parametrize("scope", SCOPES)
def test_compiled_rules_agree_with_json_schema(scope: Scope) -> None:
    rules = st.lists(st.builds(rule, st.just(scope), conditions(scope), conditions(scope)), max_size=3)

    @given(rules, st.lists(facts_of(scope), min_size=1, max_size=5))
    @settings(deadline=None, max_examples=80)
    def agrees(drawn: list[Rule], subjects: list[Mapping[str, Any]]) -> None:
        check = compile_check(scope, drawn)
        for facts in subjects:
            assert check(facts) == tuple(expected(one, facts) for one in drawn)

    agrees()


@given(
    st.lists(st.builds(rule, st.just("image"), conditions("image"), conditions("image")), max_size=3),
    facts_of("image"),
    st.sampled_from([dict(DATA_URL), {"scheme": "https"}]),
)
@settings(deadline=None, max_examples=80)
def test_data_urls_are_judged_like_other_images(
    drawn: list[Rule], facts: Mapping[str, Any], more: Mapping[str, Any]
) -> None:
    facts = {**facts, **more}
    assert compile_check("image", drawn, usual=DATA_URL)(facts) == compile_check("image", drawn)(facts)


@pytest.mark.parametrize("scope", SCOPES)
def test_without_rules_there_are_no_verdicts(scope: Scope) -> None:
    assert compile_check(scope, [])({}) == ()


def test_only_facts_that_rules_name_are_needed() -> None:
    check = compile_check("image", [rule("image", {"openable": {"const": True}}, {"bytes": {"maximum": 3}})])

    assert check({"openable": True, "bytes": 3}) == (Verdict.PASS,)


@pytest.mark.parametrize(
    ("openable", "size", "verdict"),
    [
        (True, 3, Verdict.PASS),
        (True, 4, Verdict.FAIL),
        (True, None, Verdict.UNKNOWN),
        (None, 3, Verdict.UNKNOWN),
        (None, 4, Verdict.UNKNOWN),
        (None, None, Verdict.UNKNOWN),
        (False, 4, Verdict.NOT_APPLICABLE),
        (False, None, Verdict.NOT_APPLICABLE),
    ],
)
def test_null_is_neither_pass_nor_fail(openable: bool | None, size: int | None, verdict: Verdict) -> None:  # noqa: FBT001
    check = compile_check("image", [rule("image", {"openable": {"const": True}}, {"bytes": {"maximum": 3}})])

    assert check({"openable": openable, "bytes": size}) == (verdict,)


def test_known_fact_that_fails_outweighs_one_that_is_not_known() -> None:
    table = {"width": {"minimum": 10}, "height": {"minimum": 10}}

    assert compile_check("image", [rule("image", {}, table)])({"width": None, "height": 3}) == (Verdict.FAIL,)
    assert compile_check("image", [rule("image", table, {"bytes": {"maximum": 0}})])(
        {"width": None, "height": 3, "bytes": 1}
    ) == (Verdict.NOT_APPLICABLE,)


def test_parameters_are_bound_wherever_they_stand() -> None:
    table = {
        "mode": {"not": {"enum": {"$param": "modes"}}},
        "bytes": {"maximum": {"$param": "most"}, "minimum": 1},
    }

    assert bind(table, {"modes": ["L"], "most": 3}) == {
        "mode": {"not": {"enum": ["L"]}},
        "bytes": {"maximum": 3, "minimum": 1},
    }
