"""Explanations of scopes and providers as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from pytest_vft.catalogue.load import Rule
from pytest_vft.catalogue.pages import statement_text
from pytest_vft.catalogue.providers import Model, Provider, RuleStatement
from pytest_vft.facts.scopes import fact_meanings, fact_types
from pytest_vft.facts.tokens import PatchTokens, TileTokens
from pytest_vft.model import Scope
from pytest_vft.report.layout import wrapped
from pytest_vft.text import count


def render_scope(scope: Scope, catalogue: Mapping[str, Rule]) -> str:
    """Return the facts and rules of *scope* with their meanings."""
    listed = [rule for rule in catalogue.values() if rule.scope == scope]
    rules = [(rule.id, f"{rule.severity}: {rule.summary}") for rule in listed]
    types, meanings = fact_types(scope), fact_meanings(scope)
    facts = [
        (", ".join(alike), f"{meaning} ({type_})")
        for (type_, meaning), alike in groupby(types, key=lambda name: (types[name], meanings[name]))
    ]
    lines = [f"{scope}: {count(len(rules), 'rule')}, {count(len(types), 'fact')}"]
    return "\n".join([*lines, *_table("facts", facts), *_table("rules", rules)]) + "\n"


def render_provider(provider: Provider, catalogue: Mapping[str, Rule]) -> str:
    """Return the statements of *provider* on the rules of *catalogue*, its models and data formats."""
    extends = f"extends {provider.extends}" if provider.extends else "extends no other provider"
    lines = wrapped(f"{provider.id}: {provider.name}; {extends}; {_closing(provider)}")
    statements = provider.rules
    for author in dict.fromkeys([provider.id, *(statement.stated_by for statement in statements.values())]):
        rows = [
            (id_, _statement(rule, statements[id_]))
            for id_, rule in catalogue.items()
            if id_ in statements and statements[id_].stated_by == author
        ]
        lines += _table("stated" if author == provider.id else f"stated by {author}", rows)
    unstated = list(_unstated(provider, catalogue))
    off = "1 rule is off" if len(unstated) == 1 else f"{len(unstated)} rules are off"
    lines += _table(f"not stated: {off}", unstated)
    models = [(name, _model(model, catalogue)) for name, model in provider.models.items()]
    others = (
        [("any other" if models else "any", "image tokens by family, where these are known")]
        if provider.any_model
        else []
    )
    default = f" (by default {provider.default_model})" if provider.default_model else ""
    lines += _table(f"models{default}", [*models, *others])
    lines += _table("data", _data(provider))
    return "\n".join(lines) + "\n"


def _table(head: str, rows: Iterable[tuple[str, str]]) -> list[str]:
    """Return the lines of a table of names and texts; a table without rows has no lines."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    lines = [head] if rows else []
    for name, text in rows:
        first = f"  {name:<{width}}  "
        lines += wrapped(text, first, " " * len(first))
    return lines


def _closing(provider: Provider) -> str:
    dates = [f"closes {provider.closes}"] if provider.closes else []
    dates += [f"closes to new customers {provider.closes_newcomers}"] if provider.closes_newcomers else []
    dates += [_open_until(provider)] if provider.open_until else []
    told = ", ".join(dates) or "no closing date stated"
    return f"{told} ({_where(provider.source)}, {provider.checked})" if provider.source else told


def _open_until(one: Provider | Model) -> str:
    return f"open to existing customers until at least {one.open_until}"


def _statement(rule: Rule, statement: RuleStatement) -> str:
    texts = [statement_text(rule, statement), statement.severity, statement.effect]
    return "; ".join(text for text in texts if text) + f" ({_where(statement.source)}, {statement.checked})"


def _where(source: str) -> str:
    """Return the host of *source*, or *source* itself if it is no address."""
    return source.partition("://")[2].partition("/")[0] or source


def _unstated(provider: Provider, catalogue: Mapping[str, Rule]) -> Iterator[tuple[str, str]]:
    models = [rules for model in provider.models.values() for rules in model.rules]
    for rule in catalogue.values():
        if (rule.limits or rule.claim) and rule.id not in provider.rules and rule.id not in models:
            yield rule.id, ", ".join(rule.limits) or rule.summary


def _model(model: Model, catalogue: Mapping[str, Rule]) -> str:
    texts = [f"closes {model.closes}"] if model.closes else []
    texts += [_open_until(model)] if model.open_until else []
    texts += [f"context {model.context:,} tokens"] if model.context else []
    tokens = model.image_tokens
    if isinstance(tokens, TileTokens):
        texts += [f"an image is {tokens.base:,} tokens and {tokens.tile:,} per tile"]
    elif isinstance(tokens, PatchTokens):
        texts += [f"an image is {tokens.multiplier:g} tokens per patch, at most {tokens.budget:,} patches"]
    else:
        texts += ["image tokens are unknown"]
    if model.price is not None:
        texts += [f"{model.price:g} US dollars per million tokens ({model.price_date})"]
    texts += [f"{id_}: {statement_text(catalogue[id_], statement)}" for id_, statement in model.rules.items()]
    return "; ".join(texts)


def _data(provider: Provider) -> Iterator[tuple[str, str]]:
    yield "formats", ", ".join(provider.data_formats) or "not stated"
    yield "trains on", provider.trains_on or "not stated"
    yield "images", ", ".join(provider.transports) or "not stated"
    if provider.unread:
        yield "not read", ", ".join(provider.unread)
    if provider.unchecked_keys:
        yield "unchecked", ", ".join(provider.unchecked_keys)
    yield "job API", provider.job_api.kind if provider.job_api else "none that vft knows"
    if provider.upload_command:
        yield "upload", provider.upload_command
    for number, line in enumerate((provider.load_snippet or "").splitlines()):
        yield "" if number else "load", line
