"""The facts of each scope: names, types and documentation."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pytest_vft.facts.dataset import DatasetFacts
from pytest_vft.facts.example import ExampleFacts
from pytest_vft.facts.file import FileFacts
from pytest_vft.facts.image_facts import ImageFacts
from pytest_vft.facts.line import LineFacts
from pytest_vft.facts.message import MessageFacts
from pytest_vft.formats.base import Fault
from pytest_vft.model import Scope

FACTS: dict[Scope, type] = {
    "file": FileFacts,
    "line": LineFacts,
    "example": ExampleFacts,
    "message": MessageFacts,
    "image": ImageFacts,
    "dataset": DatasetFacts,
}


class FactType(NamedTuple):
    """The JSON type of a fact: integer, boolean, string or array; *faults* marks an array of Fault.

    *greatest* is the end of the scale of an integer that has one.
    """

    name: str
    nullable: bool
    faults: bool = False
    greatest: int | None = None

    def __str__(self) -> str:
        return self.name + (" or unknown" if self.nullable else "")


@cache
def optional_facts(scope: Scope) -> frozenset[str]:
    """Return the names of the facts of *scope* that are measured only if a rule needs one of them."""
    return frozenset(name for name, hint in _hints(scope).items() if get_origin(hint) is NotRequired)


@cache
def fact_types(scope: Scope) -> dict[str, FactType]:
    """Return the types of the facts of *scope* by name."""
    return {name: _fact_type(hint) for name, hint in _hints(scope).items()}


@cache
def _hints(scope: Scope) -> dict[str, Any]:
    return get_type_hints(FACTS[scope], include_extras=True)


@cache
def fact_meanings(scope: Scope) -> dict[str, str]:
    """Return the documentation of the facts of *scope* by name, from the strings below the fields."""
    (facts,) = ast.parse(inspect.getsource(FACTS[scope])).body
    assert isinstance(facts, ast.ClassDef)  # noqa: S101 - the source of a class
    return {
        ast.unparse(field.target): " ".join(ast.literal_eval(text.value).split())
        for field, text in pairwise(facts.body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def _fact_type(hint: Any) -> FactType:
    if get_origin(hint) is NotRequired:
        return _fact_type(get_args(hint)[0])
    if get_origin(hint) is Annotated:
        inner, scale = get_args(hint)
        return _fact_type(inner)._replace(greatest=scale.greatest)
    if get_origin(hint) in (Union, types.UnionType):
        arms = [_fact_type(arm) for arm in get_args(hint) if arm is not type(None)]
        return FactType(arms[0].name, nullable=True)
    if get_origin(hint) is Literal:
        return FactType("string", nullable=False)
    if get_origin(hint) is Sequence:
        return FactType("array", nullable=False, faults=get_args(hint) == (Fault,))
    return FactType({int: "integer", bool: "boolean", str: "string"}[hint], nullable=False)
