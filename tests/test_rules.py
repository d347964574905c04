"""Each shipped rule passes its cases, and each of its keywords is needed by a case."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from operator import eq
from pathlib import Path
from typing import Any

import pytest

from pytest_vft.catalogue.cases import Case, read_cases
from pytest_vft.catalogue.check import check_rule_file
from pytest_vft.catalogue.check_provider import check_provider
from pytest_vft.catalogue.files import read_toml
from pytest_vft.catalogue.load import Rule, shipped_rules
from pytest_vft.catalogue.pages import facts_page, index, page, write_pages
from pytest_vft.catalogue.provider_pages import provider_page, providers_index
from pytest_vft.catalogue.providers import Provider, load_provider, provider_ids
from pytest_vft.catalogue.select import select_rules
from pytest_vft.checking.selftest import CaseRules, mutants, problem, run_case, run_rule_tests, survivors
from pytest_vft.errors import UsageError
from pytest_vft.facts.scopes import fact_meanings, fact_types
from pytest_vft.formats.shape import ExampleShape
from pytest_vft.model import SCOPES, Scope
from pytest_vft.resources import read_schema, rules_root

PAGES = Path(__file__).parents[1] / "docs" / "reference" / "rules"
RULES = shipped_rules()
CASES = [
    pytest.param(rule, number, id=f"{rule.id}-{case['verdict']}-{number + 1}")
    for rule in RULES.values()
    for number, case in enumerate(read_toml(rule.path).get("cases", ()))
]
every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
every_provider = pytest.mark.parametrize(
    "provider", [load_provider(id_) for id_ in provider_ids()], ids=provider_ids()
)


@cache
def bound() -> CaseRules:
    return CaseRules(RULES)


@cache
def cases_of(rule: Rule) -> list[Case]:
    return read_cases(rule)


@pytest.mark.parametrize(("rule", "number"), CASES)
def test_case_holds(rule: Rule, number: int) -> None:
    assert problem(rule, cases_of(rule)[number], bound()) is None


@every_rule
def test_rule_has_a_case_that_passes_and_one_that_fails(rule: Rule) -> None:
    assert {"PASS", "FAIL"} <= {case.verdict.name for case in cases_of(rule)}


@every_rule
def test_each_keyword_is_needed_by_a_case(rule: Rule) -> None:
    assert survivors(rule, cases_of(rule), bound()) == []


@every_rule
def test_file_is_sound(rule: Rule) -> None:
    check_rule_file(rule.path)


@every_rule
def test_cases_stand_last(rule: Rule) -> None:
    text = rule.path.read_text(encoding="utf-8")
    whole = tomllib.loads(text)

    before = tomllib.loads(text.partition("\n[[cases]]")[0])

    assert before == {key: value for key, value in whole.items() if key != "cases"}
    assert [key for key in whole if key != "cases"] == list(whole)[:-1]


@every_rule
def test_page_is_fresh(rule: Rule) -> None:
    assert (PAGES / f"{rule.id}.md").read_text(encoding="utf-8") == page(rule), "run: python docs/generate.py"


@every_provider
def test_page_of_a_provider_is_fresh(provider: Provider) -> None:
    text = (PAGES.parent / "providers" / f"{provider.id}.md").read_text(encoding="utf-8")

    assert text == provider_page(provider, RULES), "run: python docs/generate.py"


def test_list_of_providers_is_fresh() -> None:
    listed = [load_provider(id_) for id_ in provider_ids()]

    text = (PAGES.parent / "providers" / "index.md").read_text(encoding="utf-8")
    assert text == providers_index(listed)


def test_list_of_rules_is_fresh() -> None:
    assert (PAGES / "index.md").read_text(encoding="utf-8") == index(RULES)


def test_page_of_facts_is_fresh() -> None:
    assert (PAGES.parent / "facts.md").read_text(encoding="utf-8") == facts_page()


@pytest.mark.parametrize("scope", SCOPES)
def test_each_fact_is_documented(scope: Scope) -> None:
    assert list(fact_meanings(scope)) == list(fact_types(scope))
    assert all(len(meaning) > 5 for meaning in fact_meanings(scope).values())


def test_no_page_is_of_a_rule_that_is_gone(tmp_path: Path) -> None:
    written = {path.relative_to(tmp_path) for path in write_pages(RULES, tmp_path)}

    pages = [PAGES.parent / "facts.md", PAGES.parent / "repairs.md", *PAGES.rglob("*.md")]
    assert {path.relative_to(PAGES.parent) for path in pages} == written


def test_rules_are_sorted_from_the_widest_scope_to_the_narrowest() -> None:
    assert list(RULES) == sorted(RULES, key=lambda id_: (SCOPES.index(RULES[id_].scope), id_))


TABLES = ("foreign-formats", "image-tokens", "job")


def test_no_toml_file_is_forgotten() -> None:
    written = {
        path.relative_to(rules_root()).with_suffix("").as_posix() for path in rules_root().rglob("*.toml")
    }

    assert written == {*RULES, *(f"providers/{id_}" for id_ in provider_ids()), *TABLES}


def test_only_rules_on_files_stop() -> None:
    assert {rule.scope for rule in RULES.values() if rule.stops} == {"file"}


def test_case_of_another_rule_is_noticed() -> None:
    (wrong,) = [case for case in cases_of(RULES["image/too-large"]) if case.values == {"max_bytes": 10}]

    assert problem(RULES["image/unsupported-mode"], replace(wrong, values={}), bound()) is None
    found = problem(RULES["image/unsupported-format"], replace(wrong, values={}), bound())
    assert found == (
        "verdict is fail; expected not_applicable; found "
        "image/unsupported-format: format is GIF; expected JPEG, PNG or WEBP"
    )


def test_wrong_message_is_noticed() -> None:
    rule = RULES["image/invalid-detail"]
    failing = next(case for case in cases_of(rule) if case.message)

    assert problem(rule, replace(failing, message="detail is {detail}; expected anything"), bound())
    assert (
        problem(rule, replace(failing, message="detail is {detail}; expected low, high or auto"), bound())
        is None
    )


def test_mutants_lack_one_keyword_each() -> None:
    rule = RULES["image/unsupported-mode"]

    assert [name for name, _ in mutants(rule)] == ["when.openable.const", "require.mode.enum"]
    assert survivors(rule, cases_of(rule)[:1], bound()) == ["when.openable.const", "require.mode.enum"]


def test_findings_of_a_case_name_no_folder_of_this_run() -> None:
    rule = RULES["dataset/split-leak"]
    failing = next(case for case in cases_of(rule) if case.message)

    (finding,) = run_case(rule, failing, bound()).findings

    assert finding == ("dataset/split-leak", failing.message)


def test_rule_without_cases_does_not_hold(tmp_path: Path) -> None:
    rule = RULES["line/not-utf8"]
    bare = tmp_path / "not-utf8.toml"
    bare.write_text(rule.path.read_text(encoding="utf-8").partition("[[cases]]")[0], encoding="utf-8")

    (proof,) = run_rule_tests({rule.id: replace(rule, path=bare)}, RULES)

    assert not proof.holds
    assert proof.problems == ("no cases: write one that passes and one that fails",)


def test_page_says_all_that_a_rule_asks() -> None:
    require = {
        "splits": {"minItems": 1, "items": {"not": {"enum": ["dev", "test"]}}},
        "copies": {"minimum": 1_000, "not": {"const": 1_313}},
    }

    text = page(replace(RULES["dataset/split-leak"], require=require, off=True))

    assert "Severity: error. Off until selected by its id." in text
    assert (
        "`splits` has at least 1 items and has only items of which each is not one of "
        '"dev", "test", and `copies` is at least 1,000 and is not 1,313.'
    ) in text


# Providers.


def test_misspelt_provider_and_model_are_named() -> None:
    with pytest.raises(
        UsageError, match=r"no provider 'opnai' \(did you mean 'openai'\?\); known: axolotl, azure"
    ):
        load_provider("opnai")
    with pytest.raises(
        UsageError, match=r"for model 'gpt-4o-2024-08-07' \(did you mean 'gpt-4o-2024-08-06'\?\)"
    ):
        load_provider("openai").model("gpt-4o-2024-08-07")


@every_provider
def test_provider_file_is_sound(provider: Provider) -> None:
    path = rules_root() / "providers" / f"{provider.id}.toml"

    check_provider(path, read_toml(path), RULES, provider_ids(), shipped=True)


@every_provider
def test_statement_says_something_new(provider: Provider) -> None:
    for id_, said in provider.rules.items():
        rule = RULES[id_]
        replaced = said.params or said.off or said.severity or said.skips or said.effect or said.key_effects
        assert rule.limits or rule.claim or replaced, id_
        assert said.severity != rule.severity
        assert all(value != rule.params[name] for name, value in said.params.items())


@every_provider
def test_provider_says_where_and_when_it_was_read(provider: Provider) -> None:
    for dated in [provider, *provider.models.values(), *provider.rules.values()]:
        assert type(dated.checked) is date
        assert dated.source.startswith("https://")
    for closing in [provider, *provider.models.values()]:
        assert closing.closes is None or type(closing.closes) is date


@every_provider
def test_provider_has_its_default_model(provider: Provider) -> None:
    assert provider.model(None) == provider.default_model
    assert provider.default_model in provider.models or (provider.any_model and not provider.models)


@every_provider
def test_every_rule_is_bound_by_every_provider(provider: Provider) -> None:
    conditions = str([(rule.when, rule.require) for rule in select_rules(RULES, provider)])

    assert "$param" not in conditions
    assert "$limit" not in conditions


@pytest.mark.parametrize(
    ("id_", "params", "problem"),
    [
        ("image/too-large", {"max_bytes": "10"}, "parameter max_bytes is '10'; expected a whole number"),
        ("image/too-large", {"max_bytes": True}, "parameter max_bytes is true; expected a whole number"),
        (
            "image/too-large",
            {"max_byte": 1},
            "no parameter 'max_byte' (did you mean 'max_bytes'?); it has: max_bytes",
        ),
        (
            "image/unsupported-mode",
            {"modes": "RGB"},
            "parameter modes is 'RGB'; expected a list of strings",
        ),
        (
            "image/unsupported-mode",
            {"modes": ["RGB", 1]},
            "parameter modes is ['RGB', 1]; expected a list of strings",
        ),
        ("line/not-utf8", {"most": 1}, "no parameter 'most'; it has: none"),
    ],
)
def test_parameter_that_does_not_fit_its_rule_is_named(
    id_: str, params: Mapping[str, Any], problem: str
) -> None:
    with pytest.raises(UsageError) as caught:
        select_rules(RULES, load_provider("openai"), params={id_: params})

    assert str(caught.value) == f"{id_}: {problem}"


def test_parameter_that_fits_binds_its_rule() -> None:
    params = {"image/unsupported-mode": {"modes": []}, "image/too-large": {"max_bytes": 7}}

    chosen = {rule.id: rule for rule in select_rules(RULES, load_provider("openai"), params=params)}

    assert chosen["image/unsupported-mode"].require == {"mode": {"enum": []}}
    assert chosen["image/too-large"].require == {"bytes": {"maximum": 7}}


# The shape of an example: each keyword of its schema is needed by a case, too.

NOTES = {"$schema", "$id", "$comment", "title", "description", "hint"}


def thinner(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield *value*, part of a schema, without one key or entry, and which, for each in turn."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if key in NOTES and isinstance(inner, str):
            continue
        if key != "$defs" and not at.endswith("$defs"):
            yield f"{at}/{key}", put(value, key)
        if isinstance(inner, dict | list):
            for place, changed in thinner(inner, f"{at}/{key}"):
                yield place, put(value, key, changed)


def put(value: Any, key: Any, *inner: Any) -> Any:
    """Return *value* with *inner* at *key*, or with nothing there."""
    if isinstance(value, list):
        return [*value[:key], *inner, *value[key + 1 :]]
    return {name: one for name, one in value.items() if name != key} | dict(zip([key], inner, strict=False))


def test_each_keyword_of_the_shape_is_needed_by_a_case() -> None:
    lines = [
        json.loads(line)
        for case in cases_of(RULES["example/invalid-shape"])
        for file in case.files
        for line in (file.content or b"").splitlines()
    ]

    def places(schema: Mapping[str, Any]) -> Iterator[list[str]]:
        shape = ExampleShape(schema)
        for line in lines:
            yield [] if shape.is_valid(line) else sorted(str(fault.path) for fault in shape.faults(line))

    schema = read_schema("example.schema.json")
    found = list(places(schema))
    thinned = dict(thinner(schema))

    assert len(thinned) > 100
    assert [place for place, fewer in thinned.items() if all(map(eq, places(fewer), found))] == []
