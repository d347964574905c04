"""Rule files: found, read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_vft.errors import RuleFileError
from pytest_vft.facts.scopes import FactType, fact_types
from pytest_vft.model import SCOPES, Scope, Severity
from pytest_vft.resources import read_schema, rules_root
from pytest_vft.schema import schema_problems
from pytest_vft.text import nearest, placeholders

Fragment = Mapping[str, Any]
Conditions = Mapping[str, Fragment]

_CASES = "\n[[cases]]"
_KEYWORDS: Mapping[str, frozenset[str]] = {
    "integer": frozenset({"type", "const", "enum", "minimum", "maximum", "not"}),
    "string": frozenset({"type", "const", "enum", "not"}),
    "boolean": frozenset({"type", "const", "enum", "not"}),
    "array": frozenset({"type", "minItems", "maxItems", "items", "not"}),
}
_TYPES: Mapping[str, type] = {"integer": int, "string": str, "boolean": bool, "array": list}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """A condition on the facts of one scope, as its file says it.

    *when* and *require* map names of facts to fragments of JSON Schema; *each* names a fact that
    lists faults, each a finding of its own; *cut_after* names a parameter in tokens, and the finding
    stands at the message in which an example comes to more; an *off* rule runs only when it is
    selected by its id; a file that fails a rule that *stops* is not read, so such a rule is always
    selected.
    """

    id: str
    scope: Scope
    severity: Severity
    summary: str
    message: str
    advice: str
    why: str
    source: str
    checked: date
    path: Path
    require: Conditions
    when: Conditions = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    skips: str | None = None
    each: str | None = None
    cut_after: str | None = None
    off: bool = False
    stops: bool = False

    @property
    def subject(self) -> str:
        """What it judges, as a noun: file, image, few-shot answer ..."""
        return str(self.when.get("kind", {}).get("const", self.scope))


@cache
def shipped_rules() -> Mapping[str, Rule]:
    """Return the shipped rules by id. Their files are checked by tests, not here."""
    return {rule.id: rule for rule in map(_read_rule, _rule_files(rules_root()))}


def load_rules(folder: Path) -> Mapping[str, Rule]:
    """Return the rules of a user's *folder* by id, strictly checked.

    Raises RuleFileError, which names file, key and the likely intention.
    """
    if not folder.is_dir():
        raise RuleFileError(f"{folder}: no such folder of rules")
    rules: dict[str, Rule] = {}
    for path in _rule_files(folder):
        if path.parent.name not in SCOPES:
            scope = path.parent.name
            raise RuleFileError(
                f"{path}: no scope {scope!r}{nearest(scope, SCOPES)}; a rule file stands in a folder named "
                + ", ".join(SCOPES)
            )
        check_rule_file(path)
        rules[rule_id(path)] = _rule(path, read_rule_file(path))
    if not rules:
        raise RuleFileError(f"{folder}: no rule in it; a rule is a file SCOPE/NAME.toml")
    return rules


def _rule_files(folder: Path) -> list[Path]:
    """Return the rule files below *folder*, from the widest scope to the narrowest."""
    order: dict[str, int] = {scope: number for number, scope in enumerate(SCOPES)}
    paths = [path for path in folder.glob("*/*.toml") if path.parent.name != "providers"]
    return sorted(paths, key=lambda path: (order.get(path.parent.name, len(order)), path.stem))


def rule_id(path: Path) -> str:
    """Return the id that a rule file has by its place: folder and name."""
    return f"{path.parent.name}/{path.stem}"


def _read_rule(path: Path) -> Rule:
    # Cases are most of a file and are read only by those who run them: reading TOML is slow.
    text = path.read_text(encoding="utf-8")
    return _rule(path, tomllib.loads(text.partition(_CASES)[0]))


def _rule(path: Path, content: Mapping[str, Any]) -> Rule:
    scope: Any = path.parent.name
    said = {key: value for key, value in content.items() if key != "cases"}
    return Rule(id=rule_id(path), scope=scope, path=path, **said)


def read_rule_file(path: Path) -> dict[str, Any]:
    """Return all that the file at *path* says, cases too. Raises RuleFileError for broken TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RuleFileError(f"{path}: not TOML: {error}") from None


def check_rule_file(path: Path) -> None:
    """Check all that can be wrong with a rule file; raises RuleFileError with the first of it."""
    content = read_rule_file(path)
    if type(content.get("checked", date.min)) is not date:
        raise RuleFileError(f"{path}: checked: write a date, as in checked = 2026-11-21")
    plain = {key: value.isoformat() if key == "checked" else value for key, value in content.items()}
    # What has not the right shape is not looked into any further.
    for problem in chain(schema_problems(read_schema("rule.schema.json"), plain), _problems(path, content)):
        raise RuleFileError(f"{path}: {problem}")


def _problems(path: Path, content: Mapping[str, Any]) -> Iterator[str]:
    scope: Any = path.parent.name
    facts = fact_types(scope)
    params = content.get("params", {})
    for table in ("when", "require"):
        for fact, fragment in content.get(table, {}).items():
            if fact not in facts:
                yield f"{table}.{fact}: no such fact of {scope}{nearest(fact, facts)}"
            else:
                yield from _fragment_problems(f"{table}.{fact}", fragment, facts[fact], params)
    used = set(_params_used([content.get("when", {}), content["require"]]))
    named = set(placeholders(content["message"]))
    for name in sorted(set(params) - used):
        yield f"params.{name}: not used{nearest(name, used)}"
    for name in sorted(named - set(facts) - set(params)):
        yield f"message: {{{name}}} is no fact and no parameter{nearest(name, [*facts, *params])}"
    each = content.get("each")
    listing = [name for name, fact in facts.items() if fact.faults]
    if each is not None and each not in listing:
        yield f"each: {each!r} is no fact that lists faults{nearest(each, listing)}"
    cut_after = content.get("cut_after")
    if cut_after is not None and (scope != "example" or type(params.get(cut_after)) is not int):
        yield f"cut_after: {cut_after!r} is no number in params of an example{nearest(cut_after, params)}"
    for number, case in enumerate(content.get("cases", ())):
        yield from (f"cases.{number}{problem}" for problem in _case_problems(case, params))


def _case_problems(case: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[str]:
    if (case["verdict"] == "fail") != ("message" in case):
        yield ": a failing case says its message, any other says none"
    if sum(key in case for key in ("lines", "base64", "files")) != 1:
        yield ": needs one of lines, base64 and files"
    for number, file in enumerate(case.get("files", ())):
        if sum(key in file for key in ("lines", "base64", "missing")) != 1:
            yield f".files.{number}: needs one of lines, base64 and missing"
    for name in case.get("params", {}):
        if name not in params:
            yield f".params.{name}: no parameter {name!r}{nearest(name, params)}"


def _fragment_problems(
    place: str, fragment: Fragment, fact: FactType, params: Mapping[str, Any]
) -> Iterator[str]:
    for keyword, value in fragment.items():
        at = f"{place}.{keyword}"
        if keyword not in _KEYWORDS[fact.name] or (keyword == "items" and fact.faults):
            fitting = ", ".join(sorted(_KEYWORDS[fact.name]))
            yield f"{at}: says nothing of {fact.name} facts; {fitting} do"
        elif keyword in ("not", "items"):
            inner = fact if keyword == "not" else FactType("string", nullable=False)
            yield from _fragment_problems(at, value, inner, params)
        elif isinstance(value, dict):
            name = str(value.get("$param"))
            if set(value) != {"$param"}:
                yield f'{at}: want a value, or {{ "$param" = "NAME" }}'
            elif name not in params:
                yield f"{at}: no parameter {name!r}{nearest(name, params)}"
            else:
                yield from _value_problems(f"params.{name}", keyword, params[name], fact)
        else:
            yield from _value_problems(at, keyword, value, fact)


def _value_problems(at: str, keyword: str, value: object, fact: FactType) -> Iterator[str]:
    """A value of another type than its fact is a condition that never or always holds."""
    if keyword == "type":
        if value != fact.name:
            yield f"{at}: the fact is of type {fact.name}"
        return
    wanted = int if keyword in ("minItems", "maxItems") else _TYPES[fact.name]
    if isinstance(value, list) != (keyword == "enum"):
        yield f"{at}: want " + ("a list" if keyword == "enum" else "one value, not a list")
        return
    for item in value if isinstance(value, list) else [value]:
        if type(item) is not wanted:
            yield f"{at}: {item!r} is not of type {fact.name if wanted is _TYPES[fact.name] else 'integer'}"


def _params_used(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "$param" in value:
            yield value["$param"]
        else:
            for inner in value.values():
                yield from _params_used(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _params_used(inner)


def bind(conditions: Conditions, params: Mapping[str, Any]) -> Conditions:
    """Return *conditions* with each {"$param": NAME} replaced by its value."""
    return {fact: _bind(fragment, params) for fact, fragment in conditions.items()}


def _bind(fragment: Fragment, params: Mapping[str, Any]) -> Fragment:
    return {keyword: _bind_value(value, params) for keyword, value in fragment.items()}


def _bind_value(value: Any, params: Mapping[str, Any]) -> Any:
    if not isinstance(value, dict):
        return value
    return params[value["$param"]] if "$param" in value else _bind(value, params)
