"""Checks of a provider file beyond its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_vft.catalogue.conditions import is_negative
from pytest_vft.catalogue.files import check_content
from pytest_vft.catalogue.load import Rule
from pytest_vft.errors import RuleFileError
from pytest_vft.regular_files import read_text
from pytest_vft.text import nearest
from pytest_vft.toml import written

# Only a shipped file, the command line and the environment may name where a key is sent.
_NOT_IN_OWN = {
    "base_url": "an address that keys are sent to",
    "azure_version": "an address that keys are sent to",
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
    content: dict[str, Any],
    rules: Mapping[str, Rule],
    known: Collection[str],
    *,
    shipped: bool = False,
) -> None:
    """Check *content*, the provider file at *path*. Raises RuleFileError with the first problem.

    *rules* are the rules that it may make statements on, by id; *known* are the providers that it may
    extend. Only a *shipped* file may name where a key is sent.
    """
    for key in () if shipped else filter(_NOT_IN_OWN.get, content):
        raise RuleFileError(
            f"{path}:{_line(path, key)}: {key}: a provider file of your own cannot name {_NOT_IN_OWN[key]}"
        )
    service = content.get("job_api")
    if not shipped and isinstance(service, Mapping) and "base_url" in service:
        raise RuleFileError(
            f"{path}:{_line(path, 'job_api')}: job_api.base_url: a provider file of your own cannot name an "
            "address that keys are sent to; give --base-url=URL"
        )
    check_content(path, content, "provider.schema.json", _problems(content, rules, known))


def _line(path: Path, key: str) -> int:
    """Return the number of the line of *path* that starts with *key*, or 1."""
    text = read_text(path)
    found = re.search(rf"^\s*\[*\s*[\"']?{key}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1


def _problems(content: Mapping[str, Any], rules: Mapping[str, Rule], known: Collection[str]) -> Iterator[str]:
    parent = content.get("extends")
    if parent is not None and parent not in known:
        yield f"extends: no provider {parent!r}{nearest(parent, known)}; known: {', '.join(known)}"
    own = content.get("rules", {})
    for id_ in content.get("not_stated", ()):
        if id_ not in rules:
            yield f"not_stated: no rule {id_!r}{nearest(id_, rules)}"
        if id_ in own:
            yield f"not_stated: {id_} also has a table in rules"
    yield from _statement_problems("rules", own, rules)
    models = content.get("models", {})
    for name, model in models.items():
        yield from _statement_problems(f"models.{name}.rules", model.get("rules", {}), rules)
        keys = set(model.get("image_tokens", {})) - {"source", "checked"}
        if keys and keys not in _IMAGE_TOKENS:
            yield f"models.{name}.image_tokens: expected base and tile, or multiplier and budget"
    yield from _job_problems(content)
    yield from _default_problems(content)


def _default_problems(content: Mapping[str, Any]) -> Iterator[str]:
    default, models = content.get("default_model"), content.get("models", {})
    if models and default is None:
        yield f"the file has no default_model; it may be {' or '.join(models)}"
    if default is not None and default not in models and not content.get("any_model"):
        yield f"default_model: no model {default!r}{nearest(default, models)}"


def _job_problems(content: Mapping[str, Any]) -> Iterator[str]:
    service = content.get("job_api", {"kind": None})
    if (service["kind"] == "azure") != ("version" in service):
        yield "job_api: version is required for kind azure, and for no other kind"
    for key in ("upload_command", "load_snippet"):
        if "{file}" not in content.get(key, "{file}"):
            yield f"{key}: does not contain {{file}}, the place of the file"


def _unknown(name: str, table: str, tables: Mapping[str, Collection[str]]) -> str:
    """Return that *table*, one of the *tables* of a statement with their names, does not have *name*."""
    nouns = {"limits": "limit", "params": "parameter"}
    (other,) = tables.keys() - {table}
    problem = f"no {nouns[table]} {name!r}"
    if name in tables[other]:
        return f"{problem}, which is a {nouns[other]}; write it in {other}"
    if not tables[table]:
        names = f"; {other} are {', '.join(tables[other])}" if tables[other] else ""
        return f"{problem}{nearest(name, tables[other])}; the rule has no {table}{names}"
    return f"{problem}{nearest(name, tables[table])}; {table} are {', '.join(tables[table])}"


def _statement_problems(
    place: str, statements: Mapping[str, Mapping[str, Any]], rules: Mapping[str, Rule]
) -> Iterator[str]:
    for id_, statement in statements.items():
        at = f"{place}.{id_}"
        if id_ not in rules:
            yield f"{at}: no rule {id_!r}{nearest(id_, rules)}"
            continue
        rule = rules[id_]
        tables = {"limits": rule.limits, "params": rule.params}
        for table, known in tables.items():
            for name, value in statement.get(table, {}).items():
                if name not in known:
                    yield f"{at}.{table}: {_unknown(name, table, tables)}"
                elif not rule.kinds[name].fits(value):
                    yield f"{at}.{table}.{name}: it is {written(value)}; expected {rule.kinds[name]}"
                elif table == "limits" and is_negative(value):
                    yield f"{at}.{table}.{name}: it is {written(value)}; expected at least 0"
                elif rule.kinds[name].is_beyond(value):
                    most = rule.kinds[name].greatest
                    yield f"{at}.{table}.{name}: it is {written(value)}; expected at most {most}"
        missing = [name for name in rule.limits if name not in statement.get("limits", {})]
        if missing and not statement.get("off"):
            yield f"{at}: does not state {' and '.join(missing)}; list unstated rules in not_stated"
