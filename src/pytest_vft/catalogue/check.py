"""Checks of a rule file beyond its JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_vft.catalogue.conditions import Kind, Names, fragment_problems, kinds_of_values
from pytest_vft.catalogue.files import check_content, check_name, read_toml
from pytest_vft.facts.scopes import FactType, fact_types
from pytest_vft.formats.registry import data_formats
from pytest_vft.model import Scope
from pytest_vft.resources import read_schema
from pytest_vft.text import count, nearest, placeholders, stray_brace

MAX_PLACEHOLDERS = 20
# A rule is tested by running each of its cases with each mutant, one for each keyword of its conditions.
MAX_CASES = 200
MAX_KEYWORDS = 30


def check_rule_file(path: Path) -> dict[str, Any]:
    """Return the content of the rule file at *path*. Raises RuleFileError with the first problem."""
    check_name(path)
    content = read_toml(path)
    check_content(path, content, "rule.schema.json", _problems(path, content))
    return content


def _problems(path: Path, content: Mapping[str, Any]) -> Iterator[str]:
    if not content.get("limits") and not content.get("claim"):  # otherwise providers have the sources
        properties = read_schema("rule.schema.json")["properties"]
        for key in ("source", "checked"):
            if key not in content:
                yield f"the file has no key {key!r} ({properties[key]['description']})"
    scope: Any = path.parent.name
    facts = fact_types(scope)
    names = Names(content.get("limits", ()), content.get("params", {}))
    kinds: dict[str, Kind] = {}
    for table in ("when", "require", "fix_when"):
        conditions = content.get(table, {})
        for fact, fragment in conditions.items():
            if fact not in facts:
                yield f"{table}.{fact}: no such fact of {scope}{nearest(fact, facts)}"
            else:
                yield from fragment_problems(f"{table}.{fact}", fragment, facts[fact], names)
        kinds |= kinds_of_values(conditions, facts)
    yield from _name_problems(content, names, kinds, facts)
    yield from _key_problems(scope, content, kinds, facts)
    yield from _size_problems(content)
    yield from _format_problems(scope, content)
    for number, case in enumerate(content.get("cases", ())):
        yield from (f"cases.{number}{problem}" for problem in _case_problems(case, names))


def _name_problems(
    content: Mapping[str, Any], names: Names, kinds: Mapping[str, Kind], facts: Mapping[str, FactType]
) -> Iterator[str]:
    """Yield problems with limits and parameters, in their tables and in the message."""
    for table, known in (("limits", names.limits), ("params", names.params)):
        for name in sorted(set(known) - set(kinds)):
            yield f"{table}.{name}: not used{nearest(name, kinds)}"
    for name in sorted(set(names.limits) & set(names.params)):
        yield f"params.{name}: also in limits; the value of a limit belongs in provider files"
    if names.limits and content.get("claim"):
        yield "claim: not allowed in a rule with limits, which providers state"
    known = [*facts, *names.limits, *names.params]
    integers = {name for name, fact in facts.items() if fact.name == "integer"}
    integers |= {name for name, kind in kinds.items() if kind.is_number}
    yield from _message_problems(content["message"], "message")
    for name, form in sorted(placeholders(content["message"]).items()):
        if name not in known:
            yield f"message: {{{name}}} is not a fact, limit or parameter{nearest(name, known)}"
        elif form and name not in integers:
            yield f"message: {{{name}{form}}}: {name} is not an integer"


def _message_problems(message: str, key: str) -> Iterator[str]:
    stray = stray_brace(message)
    if stray:
        yield f"{key}: {stray!r} is not a placeholder; expected {{NAME}}, {{NAME:NOUN}} or {{NAME/100}}"
    if message.count("{") > MAX_PLACEHOLDERS:
        found = count(message.count("{"), "placeholder")
        yield f"{key} has {found}; expected at most {MAX_PLACEHOLDERS}"


def _format_problems(scope: Scope, content: Mapping[str, Any]) -> Iterator[str]:
    named = content.get("data_formats", ())
    for name in named:
        if name not in data_formats():
            yield f"data_formats: no data format {name!r}{nearest(name, data_formats())}"
    if named and scope == "dataset":
        yield "data_formats: not for a rule of dataset, whose files may have several formats"


def _size_problems(content: Mapping[str, Any]) -> Iterator[str]:
    cases = len(content.get("cases", ()))
    if cases > MAX_CASES:
        yield f"the file has {count(cases, 'case')}; expected at most {MAX_CASES}"
    conditions = [*content.get("when", {}).values(), *content["require"].values()]
    keywords = sum(map(len, conditions))
    if keywords > MAX_KEYWORDS:
        yield f"when and require have {count(keywords, 'keyword')}; expected at most {MAX_KEYWORDS}"


def _key_problems(
    scope: Scope, content: Mapping[str, Any], kinds: Mapping[str, Kind], facts: Mapping[str, FactType]
) -> Iterator[str]:
    """Yield problems with keys that name a fact, a limit or a parameter."""
    each = content.get("each")
    listing = [name for name, fact in facts.items() if fact.faults]
    if each is not None and each not in listing:
        yield f"each: {each!r} is not a fact that lists faults{nearest(each, listing)}"
    below = content.get("below", {})
    strings = [name for name, fact in facts.items() if fact.name == "string"]
    if below and below["path"] not in strings:
        yield f"below.path: {below['path']!r} is not a fact that is a string{nearest(below['path'], strings)}"
    yield from _box_problems(content.get("box"), strings)
    for key in ("message", "advice") if below else ():
        yield from _message_problems(below[key], f"below.{key}")
        for other in sorted(placeholders(below[key]).keys() - {"folder"}):
            yield f"below.{key}: {{{other}}} is not {{folder}}"
    for key in ("unsafe", "fix_when", "fix_faults"):
        if content.get(key) and "fix" not in content:
            yield f"{key}: the rule has no fix"
    if content.get("fix_faults") and each is None:
        yield "fix_faults: the rule has no each"
    numbers = [name for name, kind in kinds.items() if kind.is_number]
    for key, needed in (("cut_after", "example"), ("bounds_fetch", "image")):
        name = content.get(key)
        if name is not None and (scope != needed or name not in numbers):
            where = f"in limits or params of an {needed} rule"
            yield f"{key}: {name!r} is not a number {where}{nearest(name, numbers)}"


def _box_problems(box: str | None, strings: list[str]) -> Iterator[str]:
    boxes = [name for name in strings if name.endswith("_box")]
    if box is not None and box not in boxes:
        yield f"box: {box!r} is not a fact with a place in the image{nearest(box, boxes)}"


def _case_problems(case: Mapping[str, Any], names: Names) -> Iterator[str]:
    if (case["verdict"] == "fail") != ("message" in case):
        yield ": a failing case needs a message; other cases must not have one"
    if sum(key in case for key in ("lines", "base64", "files")) != 1:
        yield ": needs one of lines, base64 and files"
    for number, file in enumerate(case.get("files", ())):
        if sum(key in file for key in ("lines", "base64", "missing")) != 1:
            yield f".files.{number}: needs one of lines, base64 and missing"
    for table, noun, known in (("params", "parameter", names.params), ("limits", "limit", names.limits)):
        for name in case.get(table, {}):
            if name not in known:
                yield f".{table}.{name}: no {noun} {name!r}{nearest(name, known)}"
