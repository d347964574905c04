"""Markdown pages of providers: what each states, with source and date, and what it does not state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_vft.catalogue.load import Rule
from pytest_vft.catalogue.markup import address, plain, table, write_texts
from pytest_vft.catalogue.pages import statement_text
from pytest_vft.catalogue.providers import Model, Provider
from pytest_vft.facts.tokens import PatchTokens, TileTokens


def provider_page(provider: Provider, rules: Mapping[str, Rule]) -> str:
    """Return the Markdown page of *provider* with its statements on *rules*."""
    parts = [
        f"# {plain(provider.name)}",
        f"`--provider={provider.id}`",
        _closing(provider),
        "## Data",
        table(["what", "states"], _data(provider)),
        *_commands(provider),
        "## Models",
        *_models(provider),
        "## Stated",
        table(
            ["rule", "states", "severity", "effect", "stated by", "source", "read"],
            (_statement(provider, rule, "") for rule in rules.values() if rule.id in provider.rules),
        ),
        *_of_models(provider, rules),
        "## Not stated",
        *_unstated(provider, rules),
    ]
    return "\n\n".join(parts) + "\n"


def providers_index(providers: Sequence[Provider]) -> str:
    """Return the Markdown page that lists *providers*."""
    rows = [
        [
            f"[{plain(one.name)}]({one.id}.md)",
            f"`{one.id}`",
            ", ".join(f"`{name}`" for name in one.data_formats),
            _dates(one),
        ]
        for one in providers
    ]
    parts = [
        "# Providers",
        "Each page is generated from the provider's file under rules/providers/.",
        table(["provider", "name", "data formats", "closes"], rows),
    ]
    return "\n\n".join(parts) + "\n"


def write_provider_pages(
    providers: Sequence[Provider], rules: Mapping[str, Rule], folder: Path
) -> list[Path]:
    """Write the pages of *providers*, which make statements on *rules*, into *folder*; return their paths."""
    texts = {folder / "index.md": providers_index(providers)}
    return write_texts(texts | {folder / f"{one.id}.md": provider_page(one, rules) for one in providers})


def _dates(one: Provider | Model) -> str:
    newcomers = one.closes_newcomers if isinstance(one, Provider) else None
    texts = [f"{one.closes}"] if one.closes else []
    texts += [f"to new customers {newcomers}"] if newcomers else []
    texts += [f"to existing customers {one.open_until} at the earliest"] if one.open_until else []
    return ", ".join(texts)


def _closing(provider: Provider) -> str:
    dates = _dates(provider)
    read = f"({address(provider.source)}, read on {provider.checked})"
    return f"Fine-tuning closes: {dates} {read}." if dates else f"No closing date is stated {read}."


def _data(provider: Provider) -> Iterator[Sequence[str]]:
    trained = {
        "weight": "answers, except those of weight 0",
        "loss": "answers, except those with loss false",
        "last": "the last answer",
        "all": "all answers",
    }
    yield "data formats", ", ".join(f"`{name}`" for name in provider.data_formats) or "not stated"
    yield "trains on", trained.get(provider.trains_on or "", "not stated")
    yield "images come as", ", ".join(provider.transports) or "not stated"
    yield "accepts and does not use", ", ".join(f"`{key}`" for key in provider.unread) or "not stated"
    if provider.unchecked_keys:
        yield "does not check the form of", ", ".join(f"`{key}`" for key in provider.unchecked_keys)
    yield "jobs", "`vft submit`" if provider.job_api else "by the provider's own client"


def _commands(provider: Provider) -> Iterator[str]:
    if provider.upload_command:
        yield "## Upload"
        yield f"    {provider.upload_command}"
    if provider.load_snippet:
        yield "## Load"
        yield "\n".join(f"    {line}".rstrip() for line in provider.load_snippet.splitlines())


def _models(provider: Provider) -> Iterator[str]:
    if provider.models:
        rows = [
            [
                plain(name) + (" (default)" if name == provider.default_model else ""),
                _dates(model),
                f"{model.context:,}" if model.context else "",
                _image_tokens(model),
                "" if model.price is None else f"${model.price:g}, {model.price_date}",
                address(model.source),
                str(model.checked),
            ]
            for name, model in provider.models.items()
        ]
        heads = ["model", "closes", "context", "image tokens", "price of 1M tokens", "source", "read"]
        yield table(heads, rows)
    if provider.any_model:
        yield (
            "Any other model is accepted" if provider.models else "Any model is accepted"
        ) + "; its image tokens are those of its [family](../../explanation/tokens.md#model-families)."


def _image_tokens(model: Model) -> str:
    tokens = model.image_tokens
    if isinstance(tokens, TileTokens):
        return f"{tokens.base} and {tokens.tile} for each tile"
    if isinstance(tokens, PatchTokens):
        return f"{tokens.multiplier:g} for each patch, at most {tokens.budget:,} patches"
    return ""


def _of_models(provider: Provider, rules: Mapping[str, Rule]) -> Iterator[str]:
    rows = [
        _statement(provider, rules[id_], name)
        for name, model in provider.models.items()
        for id_ in model.rules
    ]
    if rows:
        yield "## Stated for a model"
        yield table(["rule", "states", "severity", "effect", "model", "source", "read"], rows)


def _statement(provider: Provider, rule: Rule, model: str) -> Sequence[str]:
    stated = provider.models[model].rules[rule.id] if model else provider.rules[rule.id]
    severity = stated.severity or rule.severity
    return [
        _link(rule.id),
        statement_text(rule, stated),
        severity,
        stated.effect or rule.effect or ("refuses" if severity == "error" and not stated.off else ""),
        plain(model) or stated.stated_by,
        address(stated.source),
        str(stated.checked),
    ]


def _unstated(provider: Provider, rules: Mapping[str, Rule]) -> Iterator[str]:
    """Yield the rules that do not run, since *provider* does not state their limits."""
    stated: set[str] = {*provider.rules, *(id_ for one in provider.models.values() for id_ in one.rules)}
    rows = [
        (_link(rule.id), ", ".join(rule.limits) or plain(rule.summary))
        for rule in rules.values()
        if (rule.limits or rule.claim) and rule.id not in stated
    ]
    yield "Rules that do not run, because the provider states nothing about them:"
    yield table(["rule", "about"], rows)


def _link(rule: str) -> str:
    return f"[{rule}](../rules/{rule}.md)"
