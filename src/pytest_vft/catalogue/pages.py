"""The documentation pages of rules and facts, generated from their files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pytest_vft.catalogue.conditions import Conditions, Fragment
from pytest_vft.catalogue.load import Rule
from pytest_vft.catalogue.providers import Effect, Provider, RuleStatement, load_provider, provider_ids
from pytest_vft.facts.docs import FactDoc, fact_docs
from pytest_vft.model import SCOPES, Severity


def page(rule: Rule, providers: Iterable[Provider] | None = None) -> str:
    """Return the Markdown page of *rule*, which is not bound, with a row for each of *providers*.

    These are the shipped ones unless others are given.
    """
    parts = [
        f"# {rule.id}",
        rule.summary,
        f"Severity: {rule.severity}." + (" Off until selected by its id." if rule.off else ""),
        "## Why is this bad?",
        rule.why,
        "## What to do",
        rule.advice,
        "## What it says",
        f"    {rule.message}",
        "## What it checks",
        *([f"When {_conditions(rule.when)}:"] if rule.when else []),
        f"{_conditions(rule.require)}.",
    ]
    if rule.params:
        rows = [[f"*{name}*", value_text(value)] for name, value in rule.params.items()]
        parts += ["## Parameters", _table(["parameter", "default"], rows)]
    shipped = map(load_provider, provider_ids())
    parts += ["## Providers", _providers(rule, shipped if providers is None else providers)]
    if rule.source:
        parts += ["## Source", f"<{rule.source}>, read on {rule.checked}."]
    return "\n\n".join(parts) + "\n"


def index(rules: Mapping[str, Rule]) -> str:
    """Return the Markdown page that lists *rules* by scope."""
    parts = ["# Rules", "Each page is generated from the rule's file under rules/."]
    for scope in SCOPES:
        rows = [
            [f"[{rule.id}]({rule.id}.md)", rule.severity, rule.summary]
            for rule in rules.values()
            if rule.scope == scope
        ]
        if rows:
            parts += [f"## {scope}", _table(["rule", "severity", "what"], rows)]
    return "\n\n".join(parts) + "\n"


def facts_page() -> str:
    """Return the Markdown page that lists the facts of each scope."""
    parts = ["# Facts", "What conditions of rules are about. A fact that may be unknown says so."]
    for scope in SCOPES:
        rows = [[f"`{fact.name}`", fact_type(fact), fact.meaning] for fact in fact_docs(scope)]
        parts += [f"## {scope}", _table(["fact", "type", "what"], rows)]
    return "\n\n".join(parts) + "\n"


def write_pages(rules: Mapping[str, Rule], folder: Path) -> list[Path]:
    """Write the pages of *rules* into *folder*/rules, and one of facts; return the paths of all pages."""
    texts = {folder / "facts.md": facts_page(), folder / "rules" / "index.md": index(rules)}
    texts |= {folder / "rules" / f"{rule.id}.md": page(rule) for rule in rules.values()}
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)


def fact_type(fact: FactDoc) -> str:
    """Return the type of *fact* in words."""
    return fact.type.name + (" or unknown" if fact.type.nullable else "")


def statement_text(rule: Rule, statement: RuleStatement) -> str:
    """Return what *statement* says of *rule*: limits, parameters, a skip reason, that it is off."""
    values = {**statement.limits, **statement.params}
    texts = [f"{name} {value_text(value)}" for name, value in values.items()]
    texts += [f'skips "{statement.skips}"'] if statement.skips else []
    texts += ["off"] if statement.off else []
    return "; ".join(texts) or ("yes" if rule.claim else "")


def value_text(value: object) -> str:
    """Return the value of a limit or parameter as text; names are set in italics."""
    if isinstance(value, dict):
        return f"*{value.get('$limit', value.get('$param'))}*"
    if isinstance(value, list):
        return ", ".join(map(value_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else f'"{value}"'


def effect_of(statement: RuleStatement | None, severity: Severity) -> Effect | None:
    """Return what a failure means to a provider: by default it refuses what is an error."""
    if statement and statement.effect:
        return statement.effect
    return "refuses" if severity == "error" else None


def _conditions(conditions: Conditions) -> str:
    return ", and ".join(f"`{fact}` {_fragment(fragment)}" for fact, fragment in conditions.items())


def _fragment(fragment: Fragment) -> str:
    return " and ".join(_keyword(keyword, value) for keyword, value in fragment.items())


def _keyword(keyword: str, value: object) -> str:
    if keyword == "not" and isinstance(value, dict):
        return "is not so that it " + _fragment(value)
    if keyword == "items" and isinstance(value, dict):
        return "has only items of which each " + _fragment(value)
    words = {
        "type": "is of type {}",
        "const": "is {}",
        "enum": "is one of {}",
        "minimum": "is at least {}",
        "maximum": "is at most {}",
        "minItems": "has at least {} items",
        "maxItems": "has at most {} items",
    }
    return words[keyword].format(value_text(value))


def _providers(rule: Rule, providers: Iterable[Provider]) -> str:
    rows = [_row(rule, provider.for_model(provider.default_model)) for provider in providers]
    return _table(["provider", "states", "severity", "effect", "source", "read"], rows)


def _row(rule: Rule, provider: Provider) -> Sequence[str]:
    statement = provider.rules.get(rule.id)
    if statement is None and (rule.limits or rule.claim):
        return [provider.name, "not stated: off", "", "", "", ""]
    severity = statement.severity if statement and statement.severity else rule.severity
    effect = effect_of(statement, severity) or ""
    if statement is None:
        return [provider.name, "", severity, effect, "", ""]
    source, checked = f"<{statement.source}>", str(statement.checked)
    return [provider.name, statement_text(rule, statement), severity, effect, source, checked]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
