"""The documentation page of each rule, generated from its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_vft.catalogue.load import Conditions, Fragment, Rule
from pytest_vft.catalogue.providers import Provider, load_provider, provider_ids
from pytest_vft.model import SCOPES


def page(rule: Rule) -> str:
    """Return the Markdown page of *rule*, a shipped one or a user's own, as its file says it."""
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
        parts += ["## Parameters", _parameters(rule)]
    if rule.skips:
        parts += ["## Skip reason", f'What fails it is left out of training as "{rule.skips}".']
    parts += ["## Source", f"<{rule.source}>, read on {rule.checked}."]
    return "\n\n".join(parts) + "\n"


def index(rules: Mapping[str, Rule]) -> str:
    """Return the Markdown page that lists *rules* by scope."""
    parts = ["# Rules", "Each page is generated from the rule's file under rules/."]
    for scope in SCOPES:
        listed = [rule for rule in rules.values() if rule.scope == scope]
        if listed:
            rows = [f"| [{rule.id}]({rule.id}.md) | {rule.severity} | {rule.summary} |" for rule in listed]
            parts += [f"## {scope}", "\n".join(["| rule | severity | what |", "| --- | --- | --- |", *rows])]
    return "\n\n".join(parts) + "\n"


def write_pages(rules: Mapping[str, Rule], folder: Path) -> list[Path]:
    """Write the index and the page of each of *rules* below *folder*; return what was written."""
    texts = {folder / "index.md": index(rules)}
    texts |= {folder / f"{rule.id}.md": page(rule) for rule in rules.values()}
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)


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
    return words[keyword].format(_value(value))


def _value(value: object) -> str:
    if isinstance(value, dict):
        return f"*{value['$param']}*"
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else f'"{value}"'


def _parameters(rule: Rule) -> str:
    known = map(load_provider, provider_ids())
    providers = [provider.with_limits_of(provider.default_model) for provider in known]
    heads = " | ".join(provider.name for provider in providers)
    lines = [f"| parameter | {heads} |", "| --- |" + " --- |" * len(providers)]
    for name in rule.params:
        values = " | ".join(_value(_param(rule, name, provider)) for provider in providers)
        lines.append(f"| *{name}* | {values} |")
    return "\n".join(lines)


def _param(rule: Rule, name: str, provider: Provider) -> object:
    override = provider.rules.get(rule.id)
    return override.params.get(name, rule.params[name]) if override else rule.params[name]
