"""Conditions on facts: binding of limits and parameters, kinds of values, and checks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from pytest_vft.facts.scopes import FactType
from pytest_vft.text import nearest
from pytest_vft.toml import written

Fragment = Mapping[str, Any]
Conditions = Mapping[str, Fragment]

_KEYWORDS: Mapping[str, frozenset[str]] = {
    "integer": frozenset({"type", "const", "enum", "minimum", "maximum", "not"}),
    "string": frozenset({"type", "const", "enum", "not"}),
    "boolean": frozenset({"type", "const", "enum", "not"}),
    "array": frozenset({"type", "minItems", "maxItems", "items", "not"}),
}
_TYPES: Mapping[str, type] = {"integer": int, "string": str, "boolean": bool, "array": list}
_NOUNS: Mapping[type, str] = {int: "whole number", str: "string", bool: "boolean", list: "list"}
_ITEM = FactType("string", nullable=False)


class Kind(NamedTuple):
    """The kind of value that a keyword needs: a value of *type*, or a list of such values.

    *greatest* is the end of the scale of the fact, if it has one.
    """

    type: type
    listed: bool
    greatest: int | None = None

    @property
    def is_number(self) -> bool:
        """Whether it is a single number."""
        return self.type is int and not self.listed

    def __str__(self) -> str:
        noun = _NOUNS[self.type]
        return f"a list of {noun}s" if self.listed else f"a {noun}"

    def fits(self, value: object) -> bool:
        """Return whether *value* is of this kind; booleans are not numbers."""
        if isinstance(value, list):
            return self.listed and all(type(item) is self.type for item in value)
        return not self.listed and type(value) is self.type

    def is_beyond(self, value: object) -> bool:
        """Return whether *value* is a number beyond the scale of the fact, or a list with one."""
        return self.greatest is not None and any(number > self.greatest for number in _numbers(value))


def is_negative(value: object) -> bool:
    """Return whether *value*, that of a limit, is a negative number or a list with one."""
    return any(number < 0 for number in _numbers(value))


def _numbers(value: object) -> Iterator[int]:
    return (one for one in (value if isinstance(value, list) else [value]) if type(one) is int)


def bind(conditions: Conditions, values: Mapping[str, Any]) -> Conditions:
    """Return *conditions* with each {"$limit": NAME} and {"$param": NAME} replaced by its value."""
    return {fact: _bind(fragment, values) for fact, fragment in conditions.items()}


def _bind(value: Any, values: Mapping[str, Any]) -> Any:
    if not isinstance(value, dict):
        return value
    name = value_name(value)
    if name is not None:
        return values[name]
    return {keyword: _bind(inner, values) for keyword, inner in value.items()}


def allow_faults(conditions: Conditions, fact: str, keys: Collection[str]) -> Conditions:
    """Return *conditions* in which *fact*, a list of faults that must be empty, may have faults at *keys*.

    The keyword for this, `only_at`, is not one of rule files.
    """
    if not keys or conditions.get(fact) != {"maxItems": 0}:
        return conditions
    return {**conditions, fact: {"only_at": tuple(keys)}}


def value_name(value: Mapping[str, Any]) -> str | None:
    """Return NAME of {"$limit": NAME} or {"$param": NAME}, None for another table."""
    name: str | None = value.get("$limit", value.get("$param"))
    return name


def kinds_of_values(conditions: Conditions, facts: Mapping[str, FactType]) -> dict[str, Kind]:
    """Return the kind of value of each limit and parameter in *conditions*, by name."""
    return dict(pair for fact, fragment in conditions.items() for pair in _kinds(fragment, facts[fact]))


def _kinds(fragment: Fragment, fact: FactType) -> Iterator[tuple[str, Kind]]:
    for keyword, value in fragment.items():
        if isinstance(value, dict):
            name = value_name(value)
            if name is None:
                yield from _kinds(value, _ITEM if keyword == "items" else fact)
            else:
                yield name, _kind(keyword, fact)


def _kind(keyword: str, fact: FactType) -> Kind:
    type_ = int if keyword in ("minItems", "maxItems") else _TYPES[fact.name]
    return Kind(type_, listed=keyword == "enum", greatest=fact.greatest)


class Names(NamedTuple):
    """The limits that the conditions of a rule may name, and the parameters with their values."""

    limits: Collection[str]
    params: Mapping[str, Any]


def fragment_problems(place: str, fragment: Fragment, fact: FactType, names: Names) -> Iterator[str]:
    """Yield problems with *fragment*, the condition on a *fact*, at *place* in its file."""
    for keyword, value in fragment.items():
        at = f"{place}.{keyword}"
        if keyword not in _KEYWORDS[fact.name] or (keyword == "items" and fact.faults):
            fitting = ", ".join(sorted(_KEYWORDS[fact.name]))
            yield f"{at}: not a keyword for {fact.name} facts; expected one of {fitting}"
        elif keyword in ("not", "items"):
            yield from fragment_problems(at, value, fact if keyword == "not" else _ITEM, names)
        elif isinstance(value, dict):
            yield from _name_problems(at, keyword, value, fact, names)
        else:
            yield from _value_problems(at, keyword, value, fact)


def _name_problems(
    at: str, keyword: str, value: Mapping[str, Any], fact: FactType, names: Names
) -> Iterator[str]:
    (key, name), *more = value.items() if value else [("", "")]
    if more or key not in ("$limit", "$param"):
        yield f'{at}: expected a value, {{ "$limit" = "NAME" }} or {{ "$param" = "NAME" }}'
    elif key == "$limit" and name not in names.limits:
        yield f"{at}: no limit {name!r}{nearest(str(name), names.limits)}"
    elif key == "$param" and name not in names.params:
        yield f"{at}: no parameter {name!r}{nearest(str(name), names.params)}"
    elif key == "$param":
        yield from _value_problems(f"params.{name}", keyword, names.params[name], fact)


def _value_problems(at: str, keyword: str, value: object, fact: FactType) -> Iterator[str]:
    if keyword == "type":
        if value != fact.name:
            yield f"{at}: the fact is of type {fact.name}"
    elif not _kind(keyword, fact).fits(value):
        yield f"{at}: {written(value)}; expected {_kind(keyword, fact)}"
