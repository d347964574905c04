"""Provider files: what one provider's limits are, where they differ from the rules' own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from pytest_vft.errors import UsageError
from pytest_vft.facts.tokens import ImageTokens, PatchTokens, TileTokens
from pytest_vft.model import Severity
from pytest_vft.resources import rules_root
from pytest_vft.text import nearest


class RuleStatement(NamedTuple):
    """What a provider, or one of its models, says of one rule: parameters, a severity, or that it is off."""

    source: str
    checked: date
    params: Mapping[str, Any]
    severity: Severity | None
    off: bool | None


class Model(NamedTuple):
    """A base model that can be fine-tuned with images; *closes* is when it shuts down.

    *price* is in US dollars for a million training tokens, as read on *price_date*; both are None
    where the provider has no single one.
    """

    closes: date | None
    source: str
    checked: date
    image_tokens: ImageTokens
    price: float | None
    price_date: date | None
    rules: Mapping[str, RuleStatement]


class Provider(NamedTuple):
    """A provider of fine-tuning; *closes* is when it takes no more jobs.

    *base_url* is where its API is, if all its users share one address; *azure_version* is the API
    version to speak to Azure with.
    """

    id: str
    name: str
    closes: date | None
    source: str
    checked: date
    default_model: str
    models: Mapping[str, Model]
    rules: Mapping[str, RuleStatement]
    base_url: str | None = None
    azure_version: str | None = None

    def model(self, name: str | None) -> str:
        """Return *name* if this provider knows it, its default model for None.

        Raises UsageError, which names the nearest.
        """
        if name is None:
            return self.default_model
        if name not in self.models:
            raise UsageError(
                f"{self.name} has no vision fine-tuning for model {name!r}{nearest(name, self.models)}; "
                "known: " + ", ".join(self.models)
            )
        return name

    def with_limits_of(self, model: str) -> Provider:
        """Return this provider with what *model* says of rules in the place of its own."""
        return self._replace(rules={**self.rules, **self.models[model].rules})


def provider_ids() -> list[str]:
    """Return the ids of the shipped providers."""
    return sorted(path.stem for path in (rules_root() / "providers").glob("*.toml"))


@cache
def load_provider(provider_id: str) -> Provider:
    """Return the provider of that id. Raises UsageError, which names the nearest."""
    known = provider_ids()
    if provider_id not in known:
        raise UsageError(
            f"no provider {provider_id!r}{nearest(provider_id, known)}; known: {', '.join(known)}"
        )
    content = tomllib.loads((rules_root() / "providers" / f"{provider_id}.toml").read_text(encoding="utf-8"))
    return Provider(
        id=provider_id,
        name=content["name"],
        closes=content.get("closes"),
        source=content["source"],
        checked=content["checked"],
        default_model=content["default_model"],
        models={name: _model(model) for name, model in content["models"].items()},
        rules=_overrides(content),
        base_url=content.get("base_url"),
        azure_version=content.get("azure_version"),
    )


def _model(content: Mapping[str, Any]) -> Model:
    images = content["image_tokens"]
    if "tile" in images:
        image_tokens: ImageTokens = TileTokens(base=images["base"], tile=images["tile"])
    else:
        image_tokens = PatchTokens(multiplier=images["multiplier"], budget=images["budget"])
    training = content.get("training", {})
    return Model(
        closes=content.get("closes"),
        source=content["source"],
        checked=content["checked"],
        image_tokens=image_tokens,
        price=training.get("price"),
        price_date=training.get("checked"),
        rules=_overrides(content),
    )


def _overrides(content: Mapping[str, Any]) -> dict[str, RuleStatement]:
    return {
        rule: RuleStatement(
            source=override["source"],
            checked=override["checked"],
            params=override.get("params", {}),
            severity=override.get("severity"),
            off=override.get("off"),
        )
        for rule, override in content.get("rules", {}).items()
    }
