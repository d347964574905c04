"""Markdown pages of rules and facts, generated from rule files and the documentation of facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pytest_vft.catalogue.conditions import Conditions, Fragment, value_name
from pytest_vft.catalogue.load import Rule
from pytest_vft.catalogue.markup import address, paragraph, plain, table, write_texts
from pytest_vft.catalogue.providers import Provider, RuleStatement, load_provider, provider_ids
from pytest_vft.catalogue.repairs import REPAIRS
from pytest_vft.facts.scopes import fact_meanings, fact_types
from pytest_vft.model import SCOPES

_WORDS = {
    "type": "is of type {}",
    "const": "is {}",
    "enum": "is one of {}",
    "minimum": "is at least {}",
    "maximum": "is at most {}",
    "minItems": "has at least {} items",
    "maxItems": "has at most {} items",
    "items": "has only items of which each {}",
}


def page(rule: Rule, providers: Iterable[Provider] | None = None) -> str:
    """Return the Markdown page of the unbound *rule*, with a row for each provider (default: shipped)."""
    listed = [
        provider.for_model(provider.default_model)
        for provider in (map(load_provider, provider_ids()) if providers is None else providers)
    ]
    parts = [
        f"# {rule.id}",
        paragraph(rule.summary),
        f"Severity: {rule.severity}." + _off(rule, listed),
        "## Why is this bad?",
        paragraph(rule.why),
        "## What to do",
        paragraph(rule.advice),
        *_repair(rule),
        "## Message",
        f"    {rule.message}",
        "## Condition",
        *([f"When {_conditions(rule.when)}:"] if rule.when else []),
        f"{_conditions(rule.require)}.",
    ]
    if rule.params:
        rows = [[f"*{plain(name)}*", value_text(value)] for name, value in rule.params.items()]
        parts += ["## Parameters", table(["parameter", "default"], rows)]
    stated = [_row(rule, provider) for provider in listed]
    parts += ["## Providers", table(["provider", "states", "severity", "effect", "source", "read"], stated)]
    if rule.source:
        parts += ["## Source", f"{address(rule.source, paragraph)}, read on {rule.checked}."]
    return "\n\n".join(parts) + "\n"


def _off(rule: Rule, providers: Iterable[Provider]) -> str:
    if not rule.off:
        return ""
    on = [plain(one.name) for one in providers if rule.id in one.rules and one.rules[rule.id].off is False]
    return " Off until selected by its id" + (f", but on for {' and '.join(on)}." if on else ".")


def _repair(rule: Rule) -> list[str]:
    """Return the section on the repair of *rule*, if it has one."""
    if rule.fix is None:
        return []
    parts = ["## Repair", f"`{rule.fix}`{' (unsafe)' if rule.unsafe else ''}: {plain(REPAIRS[rule.fix])}"]
    if rule.fix_when:
        parts.append(f"Only when {_conditions(rule.fix_when)}.")
    if rule.fix_faults:
        parts.append(f"Only for {value_text(list(rule.fix_faults))}.")
    return parts


def repairs_page(rules: Mapping[str, Rule]) -> str:
    """Return the Markdown page that lists the repairs with the *rules* that name them."""
    parts = [
        "# Repairs",
        "What [vft fix](../how-to/repair.md) repairs.",
        "An unsafe repair changes what a model sees or is trained on, and is made only with `--unsafe`.",
    ]
    for title, unsafe in (("Safe repairs", False), ("Unsafe repairs", True)):
        rows = []
        for name, words in REPAIRS.items():
            ids = [rule.id for rule in rules.values() if (rule.fix, rule.unsafe) == (name, unsafe)]
            if ids:
                rows.append([f"`{name}`", plain(words), ", ".join(f"[{id_}](rules/{id_}.md)" for id_ in ids)])
        parts += [f"## {title}", table(["repair", "what it does", "rules"], rows)]
    return "\n\n".join(parts) + "\n"


def index(rules: Mapping[str, Rule]) -> str:
    """Return the Markdown page that lists *rules* by scope."""
    parts = ["# Rules", "Each page is generated from the rule's file under rules/."]
    for scope in SCOPES:
        rows = [
            [f"[{rule.id}]({rule.id}.md)", rule.severity, plain(rule.summary)]
            for rule in rules.values()
            if rule.scope == scope
        ]
        if rows:
            parts += [f"## {scope}", table(["rule", "severity", "what"], rows)]
    return "\n\n".join(parts) + "\n"


def facts_page() -> str:
    """Return the Markdown page that lists the facts of each scope."""
    parts = [
        "# Facts",
        "Facts that rules can test and name in messages; 'or unknown' marks facts that may not be known.",
    ]
    for scope in SCOPES:
        meanings = fact_meanings(scope)
        rows = [[f"`{name}`", str(type_), meanings[name]] for name, type_ in fact_types(scope).items()]
        parts += [f"## {scope}", table(["fact", "type", "what"], rows)]
    return "\n\n".join(parts) + "\n"


def write_pages(rules: Mapping[str, Rule], folder: Path) -> list[Path]:
    """Write the pages of *rules* and of facts into *folder*; return the paths of all pages."""
    texts = {
        folder / "facts.md": facts_page(),
        folder / "repairs.md": repairs_page(rules),
        folder / "rules" / "index.md": index(rules),
    }
    texts |= {folder / "rules" / f"{rule.id}.md": page(rule) for rule in rules.values()}
    return write_texts(texts)


def statement_text(rule: Rule, statement: RuleStatement) -> str:
    """Return *statement* on *rule* as text: limits, parameters, skip reason, whether the rule is off."""
    values = {**statement.limits, **statement.params}
    texts = [f"{plain(name)} {value_text(value)}" for name, value in values.items()]
    texts += [f'skips "{plain(statement.skips)}"'] if statement.skips else []
    texts += ["off"] if statement.off else ["on"] if rule.off and statement.off is False else []
    return "; ".join(texts) or ("yes" if rule.claim else "")


def value_text(value: object) -> str:
    """Return the value of a limit or parameter as text; a name is set in italics."""
    if isinstance(value, dict):
        return f"*{plain(str(value_name(value)))}*"
    if isinstance(value, list):
        return ", ".join(map(value_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else f'"{plain(str(value))}"'


def _conditions(conditions: Conditions) -> str:
    return ", and ".join(f"`{fact}` {_fragment(fragment)}" for fact, fragment in conditions.items())


def _fragment(fragment: Fragment) -> str:
    texts = []
    for keyword, value in fragment.items():
        if keyword == "not":
            texts.append(_negated(value))
        else:
            texts.append(
                _WORDS[keyword].format(_fragment(value) if keyword == "items" else value_text(value))
            )
    return " and ".join(texts)


def _negated(fragment: Fragment) -> str:
    if len(fragment) > 1:
        return f"is not such that it {_fragment(fragment)}"
    verb, _, rest = _fragment(fragment).partition(" ")
    return f"{'is not' if verb == 'is' else 'does not have'} {rest}"


def _row(rule: Rule, provider: Provider) -> Sequence[str]:
    statement = provider.rules.get(rule.id)
    if statement is None and (rule.limits or rule.claim):
        return [plain(provider.name), "not stated: off", "", "", "", ""]
    stated = statement or RuleStatement()
    severity = stated.severity or rule.severity
    effect = stated.effect or rule.effect or ("refuses" if statement and severity == "error" else "")
    source, checked = (address(stated.source), str(stated.checked)) if statement else ("", "")
    return [
        plain(provider.name),
        statement_text(rule, stated) if statement else "",
        severity,
        effect,
        source,
        checked,
    ]
