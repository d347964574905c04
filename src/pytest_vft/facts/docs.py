"""The documentation of facts, read from where it is written: below each field of their classes."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from pytest_vft.facts.scopes import FACTS, FactType, fact_types
from pytest_vft.model import Scope


class FactDoc(NamedTuple):
    """A fact, its type and what it means."""

    name: str
    type: FactType
    meaning: str


@cache
def fact_docs(scope: Scope) -> tuple[FactDoc, ...]:
    """Return the facts of *scope* with their documentation, in the order of their class."""
    (class_,) = ast.parse(inspect.getsource(FACTS[scope])).body
    assert isinstance(class_, ast.ClassDef)
    meanings = {}
    for field, text in pairwise(class_.body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            meanings[ast.unparse(field.target)] = inspect.cleandoc(ast.literal_eval(text.value))
    return tuple(FactDoc(name, type_, meanings.get(name, "")) for name, type_ in fact_types(scope).items())
