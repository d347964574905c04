"""Provider files: what a provider, or one of its models, states of rules, and how it is reached."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pytest_vft.catalogue.check_provider import check_provider
from pytest_vft.catalogue.files import read_toml
from pytest_vft.catalogue.load import Rule
from pytest_vft.errors import RuleFileError, UsageError
from pytest_vft.facts.tokens import ImageTokens, PatchTokens, TileTokens
from pytest_vft.model import Severity
from pytest_vft.resources import rules_root
from pytest_vft.text import nearest

Effect = Literal["refuses", "loses"]


class RuleStatement(NamedTuple):
    """What a provider states of one rule; *stated_by* is its id, which may be that of a parent.

    *limits* are values of the limits that the rule names, *params* replace values of its own. *effect*
    is what a failure means to the provider, if it is not the usual one; *skips* is the reason it gives
    for leaving an image out. None where the provider states nothing.
    """

    stated_by: str = ""
    source: str = ""
    checked: date | None = None
    limits: Mapping[str, Any] = {}
    params: Mapping[str, Any] = {}
    severity: Severity | None = None
    effect: Effect | None = None
    off: bool | None = None
    skips: str | None = None
    why: str | None = None


class Model(NamedTuple):
    """A base model that can be fine-tuned with images; *closes* is when it shuts down.

    *context* is the number of tokens that an example may have in all. *price* is in US dollars for a
    million training tokens, as read on *price_date*. None where nothing is known.
    """

    source: str = ""
    checked: date | None = None
    closes: date | None = None
    context: int | None = None
    image_tokens: ImageTokens | None = None
    price: float | None = None
    price_date: date | None = None
    rules: Mapping[str, RuleStatement] = {}


class JobService(NamedTuple):
    """An API for fine-tuning jobs: OpenAI's at *base_url*, or Azure's in *version*."""

    kind: Literal["openai", "azure"]
    base_url: str | None = None
    version: str | None = None


class Provider(NamedTuple):
    """Who trains: a service, or a trainer that users run themselves.

    *closes* is when it takes no more jobs, *closes_newcomers* when it takes none from new customers.
    *extends* is the id of the provider whose statements it takes over, *not_stated* names rules that
    it does not take over. With *any_model* it takes models beside *models*. *trains_on* is what selects
    the answers to train on; *unread* are fields that it accepts and does not use.
    """

    id: str
    name: str
    source: str = ""
    checked: date | None = None
    closes: date | None = None
    closes_newcomers: date | None = None
    extends: str | None = None
    not_stated: Sequence[str] = ()
    default_model: str | None = None
    any_model: bool = False
    models: Mapping[str, Model] = {}
    rules: Mapping[str, RuleStatement] = {}
    data_formats: Sequence[str] = ()
    trains_on: str | None = None
    unread: Sequence[str] = ()
    transports: Sequence[str] = ()
    job_api: JobService | None = None

    def model(self, name: str | None) -> str | None:
        """Return *name* if this provider takes it, its default model for None.

        The name of a fine-tuned model is taken if its base model is. Raises UsageError, which names
        the nearest.
        """
        if name is None:
            return self.default_model
        base = base_model(name)
        if not self.any_model and name not in self.models and base not in self.models:
            raise UsageError(
                f"{self.name} has no vision fine-tuning for model {name!r}{nearest(base, self.models)}; "
                "known: " + ", ".join(self.models)
            )
        return name

    def describe(self, model: str | None) -> Model:
        """Return what is known of *model* or of its base model: nothing, if it is in no table."""
        if model is None:
            return Model()
        return self.models.get(model) or self.models.get(base_model(model)) or Model()

    def for_model(self, model: str | None) -> Provider:
        """Return this provider with the statements of *model* in the place of its own."""
        return self._replace(rules={**self.rules, **self.describe(model).rules})

    def jobs(self) -> JobService:
        """Return the API for fine-tuning jobs. Raises UsageError if the provider has none."""
        if self.job_api is None:
            raise UsageError(
                f"{self.name} has no job API that vft knows: upload the data with its own client"
            )
        return self.job_api


def base_model(name: str) -> str:
    """Return the base model of a fine-tuned one: ft:BASE:... or BASE.ft-...; *name* itself for others."""
    if name.startswith("ft:"):
        return name.split(":")[1]
    return name.partition(".ft-")[0]


def provider_ids() -> list[str]:
    """Return the ids of the shipped providers."""
    return sorted(path.stem for path in (rules_root() / "providers").glob("*.toml"))


def is_provider_file(name: str) -> bool:
    """Return whether *name* is the path of a provider file rather than the id of a provider."""
    return name.endswith(".toml") or "/" in name or os.sep in name


@cache
def load_provider(provider_id: str) -> Provider:
    """Return the shipped provider of that id. Raises UsageError, which names the nearest.

    Shipped files are checked by tests, not here.
    """
    known = provider_ids()
    if provider_id not in known:
        raise UsageError(
            f"no provider {provider_id!r}{nearest(provider_id, known)}; known: {', '.join(known)}"
        )
    return _provider(provider_id, read_toml(rules_root() / "providers" / f"{provider_id}.toml"))


def read_provider_file(path: Path, rules: Mapping[str, Rule]) -> Provider:
    """Return the provider that a user's file at *path* describes, with statements on *rules*.

    Raises RuleFileError, which names file, key and the likely intention.
    """
    if not path.is_file():
        raise RuleFileError(f"{path}: no such provider file")
    content = read_toml(path)
    check_provider(path, content, rules, provider_ids())
    return _provider(path.stem, content)


def _provider(provider_id: str, content: Mapping[str, Any]) -> Provider:
    provider = Provider(id=provider_id, **content)
    models = {name: _model(provider_id, model) for name, model in content.get("models", {}).items()}
    rules, data_formats = _statements(provider_id, content), provider.data_formats
    if provider.extends is not None:
        parent = load_provider(provider.extends)
        inherited = {id_: said for id_, said in parent.rules.items() if id_ not in provider.not_stated}
        rules, data_formats = {**inherited, **rules}, data_formats or parent.data_formats
    return provider._replace(
        any_model=content.get("any_model", not models),
        models=models,
        rules=rules,
        data_formats=data_formats,
        job_api=JobService(**content["job_api"]) if "job_api" in content else None,
    )


def _model(provider_id: str, content: Mapping[str, Any]) -> Model:
    said = {key: value for key, value in content.items() if key != "training"}
    training = content.get("training", {})
    return Model(**said)._replace(
        image_tokens=_image_tokens(content.get("image_tokens", {})),
        price=training.get("price"),
        price_date=training.get("checked"),
        rules=_statements(provider_id, content),
    )


def _image_tokens(content: Mapping[str, Any]) -> ImageTokens | None:
    if "tile" in content:
        return TileTokens(base=content["base"], tile=content["tile"])
    if "budget" in content:
        return PatchTokens(multiplier=content["multiplier"], budget=content["budget"])
    return None


def _statements(provider_id: str, content: Mapping[str, Any]) -> dict[str, RuleStatement]:
    statements = content.get("rules", {})
    return {id_: RuleStatement(stated_by=provider_id, **said) for id_, said in statements.items()}
