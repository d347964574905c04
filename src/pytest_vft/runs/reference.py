"""Reference texts on rules, scopes and providers, and the JSON Schemas of files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_vft.catalogue.load import Rule, load_rules
from pytest_vft.catalogue.pages import page
from pytest_vft.catalogue.providers import is_provider_file, load_provider, provider_ids, read_provider_file
from pytest_vft.errors import RuleFileError, UsageError
from pytest_vft.model import SCOPES
from pytest_vft.report.explain import render_provider, render_scope
from pytest_vft.resources import read_schema
from pytest_vft.runs.config import Config, as_config
from pytest_vft.runs.settings import Settings, read_settings
from pytest_vft.runs.several import split_id
from pytest_vft.text import nearest, safe

SCHEMAS = ("rule", "provider", "example", "config")


def explain(name: str, *, config: Config | str | os.PathLike[str] | None = None) -> str:
    """Return the reference text of *name*: a rule, a scope, a provider, or the path of a file of one.

    *config* is that of lint(). The text has no control characters.
    Raises UsageError, which suggests the nearest name, ConfigError or RuleFileError.
    """
    return explain_in(Settings(config=as_config(config)), name)


def explain_in(settings: Settings, name: str) -> str:
    """Like explain(), with the rules and the provider of *settings*."""
    # Rule and provider files may not be trustworthy.
    return "\n".join(safe(line, None) for line in _explained(settings, name).split("\n"))


def _explained(settings: Settings, name: str) -> str:
    catalogue = settings.catalogue
    if not isinstance(name, str):
        raise UsageError(f"name is {name!r}; expected the name of a rule, a scope or a provider")
    own = Path(name)
    if own.suffix == ".toml" and own.absolute().parent.name in SCOPES:
        (rule,) = load_rules(own).values()
        name, catalogue = rule.id, {**catalogue, rule.id: rule}
    if name.endswith("]"):  # as in a report for several providers
        name, _ = split_id(name)
    if name in catalogue:
        shipped = {id_: load_provider(id_) for id_ in provider_ids()}
        return page(catalogue[name], (shipped | {settings.provider.id: settings.provider}).values())
    if name in SCOPES:
        return render_scope(name, catalogue)
    if name in provider_ids():
        return render_provider(load_provider(name), catalogue)
    if name == settings.provider.id:
        return render_provider(settings.provider, catalogue)
    if is_provider_file(name) and (name.endswith(".toml") or Path(name).is_file()):
        return render_provider(read_provider_file(Path(name), catalogue), catalogue)
    known = [*catalogue, *SCOPES, *provider_ids()]
    raise UsageError(
        f"no rule, scope or provider {name!r}{nearest(name, known)}; 'vft rules' lists the rules"
    )


def rules_to_test(settings: Settings, place: Path) -> Mapping[str, Rule]:
    """Return the rules in *place*, a folder or file, which may also be in the catalogue of *settings*.

    Raises RuleFileError for an invalid rule, and for an id that another rule of the catalogue has.
    """
    rules = load_rules(place)
    for id_, rule in rules.items():
        other = settings.catalogue.get(id_)
        if other and other.path.read_bytes() != rule.path.read_bytes():
            raise RuleFileError(f"{rule.path}: a rule {id_} exists already; use another name")
    return rules


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema *name*: rule, provider, example or config. Raises UsageError."""
    if name not in SCHEMAS:
        hint = nearest(name, SCHEMAS) if isinstance(name, str) else ""
        raise UsageError(f"no schema {name!r}{hint}; known: {', '.join(SCHEMAS)}")
    return dict(read_schema(f"{name}.schema.json"))


def list_rules(
    *,
    provider: str | os.PathLike[str] | None = None,
    model: str | None = None,
    select: str | Sequence[str] | None = None,
    extend_select: str | Sequence[str] = (),
    config: Config | str | os.PathLike[str] | None = None,
) -> Mapping[str, Rule]:
    """Return the rules that a check would run, by id, with the limits of the provider.

    The arguments are those of lint(). Raises UsageError, ConfigError or RuleFileError.
    """
    options = {
        "provider": provider,
        "model": model,
        "select": select,
        "extend_select": extend_select,
        "config": config,
    }
    return {rule.id: rule for rule in read_settings(options).rules}
