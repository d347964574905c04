"""What can be wrong with a rule file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_vft.catalogue.conditions import Kind, Names, fragment_problems, kinds_of_values
from pytest_vft.catalogue.files import read_toml
from pytest_vft.errors import RuleFileError
from pytest_vft.facts.scopes import FactType, fact_types
from pytest_vft.json_schema import schema_problems
from pytest_vft.model import Scope
from pytest_vft.resources import read_schema
from pytest_vft.text import nearest, placeholders


def check_rule_file(path: Path) -> None:
    """Check all that can be wrong with a rule file; raises RuleFileError with the first problem."""
    content = read_toml(path)
    if type(content.get("checked", date.min)) is not date:
        raise RuleFileError(f"{path}: checked: write a date, as in checked = 2026-11-21")
    plain = {key: value.isoformat() if key == "checked" else value for key, value in content.items()}
    schema = read_schema("rule.schema.json")
    # A file of another shape is not examined any further.
    for problem in chain(
        schema_problems(schema, plain), _source_problems(schema, content), _problems(path, content)
    ):
        raise RuleFileError(f"{path}: {problem}")


def _source_problems(schema: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[str]:
    """A rule that providers state has their sources; any other has a source of its own."""
    if not content.get("limits") and not content.get("claim"):
        for key in ("source", "checked"):
            if key not in content:
                yield f"the file has no {key} ({schema['properties'][key]['description']})"


def _problems(path: Path, content: Mapping[str, Any]) -> Iterator[str]:
    scope: Any = path.parent.name
    facts = fact_types(scope)
    names = Names(content.get("limits", ()), content.get("params", {}))
    unknown = False
    for table in ("when", "require"):
        for fact, fragment in content.get(table, {}).items():
            if fact not in facts:
                unknown = True
                yield f"{table}.{fact}: no such fact of {scope}{nearest(fact, facts)}"
            else:
                yield from fragment_problems(f"{table}.{fact}", fragment, facts[fact], names)
    if unknown:
        return
    kinds: dict[str, Kind] = {}
    for table in ("when", "require"):
        kinds |= kinds_of_values(content.get(table, {}), facts)
    yield from _name_problems(content, names, kinds, facts)
    yield from _key_problems(scope, content, kinds, facts)
    for number, case in enumerate(content.get("cases", ())):
        yield from (f"cases.{number}{problem}" for problem in _case_problems(case, names))


def _name_problems(
    content: Mapping[str, Any], names: Names, kinds: Mapping[str, Kind], facts: Mapping[str, FactType]
) -> Iterator[str]:
    """Limits and parameters, in their tables and in the message."""
    for table, known in (("limits", names.limits), ("params", names.params)):
        for name in sorted(set(known) - set(kinds)):
            yield f"{table}.{name}: not used{nearest(name, kinds)}"
    for name in sorted(set(names.limits) & set(names.params)):
        yield f"params.{name}: is a limit, too; the value of a limit belongs in provider files"
    if names.limits and content.get("claim"):
        yield "claim: a rule with limits is stated by them"
    known = [*facts, *names.limits, *names.params]
    integers = {name for name, fact in facts.items() if fact.name == "integer"}
    integers |= {name for name, kind in kinds.items() if kind == (int, False)}
    for name, noun in sorted(placeholders(content["message"]).items()):
        if name not in known:
            yield f"message: {{{name}}} is no fact, limit or parameter{nearest(name, known)}"
        elif noun and name not in integers:
            yield f"message: {{{name}:{noun}}}: {name} is no integer"


def _key_problems(
    scope: Scope, content: Mapping[str, Any], kinds: Mapping[str, Kind], facts: Mapping[str, FactType]
) -> Iterator[str]:
    """Keys that name a fact, a limit or a parameter."""
    each = content.get("each")
    listing = [name for name, fact in facts.items() if fact.faults]
    if each is not None and each not in listing:
        yield f"each: {each!r} is no fact that lists faults{nearest(each, listing)}"
    numbers = [name for name, kind in kinds.items() if kind == (int, False)]
    for key, needed in (("cut_after", "example"), ("bounds_fetch", "image")):
        name = content.get(key)
        if name is not None and (scope != needed or name not in numbers):
            where = f"in limits or params of an {needed}"
            yield f"{key}: {name!r} is no number {where}{nearest(name, numbers)}"


def _case_problems(case: Mapping[str, Any], names: Names) -> Iterator[str]:
    if (case["verdict"] == "fail") != ("message" in case):
        yield ": a failing case says its message, any other says none"
    if sum(key in case for key in ("lines", "base64", "files")) != 1:
        yield ": needs one of lines, base64 and files"
    for number, file in enumerate(case.get("files", ())):
        if sum(key in file for key in ("lines", "base64", "missing")) != 1:
            yield f".files.{number}: needs one of lines, base64 and missing"
    for name in case.get("params", {}):
        if name not in names.params:
            yield f".params.{name}: no parameter {name!r}{nearest(name, names.params)}"
    for name in case.get("limits", {}):
        if name not in names.limits:
            yield f".limits.{name}: no limit {name!r}{nearest(name, names.limits)}"
