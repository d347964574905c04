"""What can be wrong with a provider file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_vft.catalogue.load import Rule
from pytest_vft.errors import RuleFileError
from pytest_vft.json_schema import schema_problems
from pytest_vft.resources import read_schema
from pytest_vft.text import nearest

_DATES = ("checked", "closes", "closes_newcomers")
# A key is sent only where a shipped file, the command line or the environment says.
_NOT_IN_OWN = {
    "job_api": "a job API",
    "base_url": "an address that keys are sent to",
    "azure_version": "a job API",
    "hosts": "hosts that keys are sent to",
    "key_hosts": "hosts that keys are sent to",
    "key": "an environment variable",
    "api_key": "an environment variable",
    "env": "an environment variable",
    "environment": "an environment variable",
}
_IMAGE_TOKENS = ({"base", "tile"}, {"multiplier", "budget"})


def check_provider(
    path: Path,
    content: Mapping[str, Any],
    rules: Mapping[str, Rule],
    known: Collection[str],
    *,
    shipped: bool = False,
) -> None:
    """Check all that can be wrong with *content*, the provider file at *path*.

    *rules* are those it may state something of, by id; *known* are the providers it may extend. Only
    a *shipped* file may say where a key is sent. Raises RuleFileError with the first problem.
    """
    if not shipped:
        for key in content:
            if key in _NOT_IN_OWN:
                line = _line_of(key, path.read_text(encoding="utf-8"))
                raise RuleFileError(
                    f"{path}:{line}: {key}: a provider file of your own cannot name {_NOT_IN_OWN[key]}"
                )
    undated: list[str] = []
    plain = _plain(content, "", undated)
    for place in undated:
        key = place.rpartition(".")[2]
        raise RuleFileError(f"{path}: {place}: write a date, as in {key} = 2026-11-21")
    schema = read_schema("provider.schema.json")
    # A file of another shape is not examined any further.
    for problem in chain(schema_problems(schema, plain), _problems(content, rules, known)):
        raise RuleFileError(f"{path}: {problem}")


def _line_of(key: str, text: str) -> int:
    found = re.search(rf"^\s*\[*\s*[\"']?{key}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1


def _plain(value: Any, at: str, undated: list[str]) -> Any:
    """Return *value* with the dates that its keys ask for as text, as JSON has them; others are *undated*."""
    if not isinstance(value, dict):
        return value
    plain = {}
    for key, inner in value.items():
        place = f"{at}.{key}" if at else key
        if key in _DATES and not isinstance(inner, dict):
            if type(inner) is not date:
                undated.append(place)
            plain[key] = str(inner)
        else:
            plain[key] = _plain(inner, place, undated)
    return plain


def _problems(content: Mapping[str, Any], rules: Mapping[str, Rule], known: Collection[str]) -> Iterator[str]:
    parent = content.get("extends")
    if parent is not None and parent not in known:
        yield f"extends: no provider {parent!r}{nearest(parent, known)}; known: {', '.join(known)}"
    own = content.get("rules", {})
    for id_ in content.get("not_stated", ()):
        if id_ not in rules:
            yield f"not_stated: no rule {id_!r}{nearest(id_, rules)}"
        if id_ in own:
            yield f"not_stated: {id_} has a table in rules, too"
    yield from _statement_problems("rules", own, rules)
    models = content.get("models", {})
    for name, model in models.items():
        yield from _statement_problems(f"models.{name}.rules", model.get("rules", {}), rules)
        keys = set(model.get("image_tokens", {})) - {"source", "checked"}
        if keys and keys not in _IMAGE_TOKENS:
            yield f"models.{name}.image_tokens: want base and tile, or multiplier and budget"
    default = content.get("default_model")
    if models and default is None:
        yield f"the file has no default_model; it may be {' or '.join(models)}"
    if default is not None and default not in models and not content.get("any_model"):
        yield f"default_model: no model {default!r}{nearest(default, models)}"


def _statement_problems(
    place: str, statements: Mapping[str, Mapping[str, Any]], rules: Mapping[str, Rule]
) -> Iterator[str]:
    for id_, said in statements.items():
        at = f"{place}.{id_}"
        if id_ not in rules:
            yield f"{at}: no rule {id_!r}{nearest(id_, rules)}"
            continue
        rule = rules[id_]
        for table, known in (("limits", rule.limits), ("params", rule.params)):
            for name, value in said.get(table, {}).items():
                if name not in known:
                    noun = "limit" if table == "limits" else "parameter"
                    has = ", ".join(known) or "none"
                    yield f"{at}.{table}: no {noun} {name!r}{nearest(name, known)}; {id_} has: {has}"
                elif not rule.kinds[name].fits(value):
                    yield f"{at}.{table}.{name}: it is {value!r}, want {rule.kinds[name]}"
        missing = [name for name in rule.limits if name not in said.get("limits", {})]
        if missing and not said.get("off"):
            yield f"{at}: states no {' and no '.join(missing)}; a rule that is not stated goes to not_stated"
