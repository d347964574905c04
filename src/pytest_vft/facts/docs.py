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
    tree = ast.parse(inspect.getsource(FACTS[scope]))
    fields = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    meanings = {}
    for field, text in pairwise(fields):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            meanings[ast.unparse(field.target)] = " ".join(ast.literal_eval(text.value).split())
    return tuple(FactDoc(name, type_, meanings.get(name, "")) for name, type_ in fact_types(scope).items())
