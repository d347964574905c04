"""Providers: their statements on rules, models and job APIs, read from provider files."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pytest_vft.catalogue.check_provider import check_provider
from pytest_vft.catalogue.files import check_name, harmless, read_toml
from pytest_vft.catalogue.load import Rule
from pytest_vft.catalogue.write_style import WriteStyle
from pytest_vft.errors import RuleFileError, UsageError
from pytest_vft.facts.tokens import ImageTokens, PatchTokens, TileTokens
from pytest_vft.model import Effect, Severity
from pytest_vft.resources import read_table, rules_root
from pytest_vft.text import nearest

if TYPE_CHECKING:
    from pytest_vft.facts.families import Resize

# Providers by data formats of their own; that of all others is openai.
_PROVIDERS = {
    "trl": "trl",
    "llamafactory": "llamafactory",
    "sharegpt": "llamafactory",
    "swift": "swift",
    "axolotl": "axolotl",
    "gemini": "vertex",
    "bedrock": "bedrock-nova",
}


class RuleStatement(NamedTuple):
    """The statement of a provider, or of a parent of that provider, on one rule.

    *stated_by* is the id of that provider. *limits* are the values of the rule's limits, *params* replace
    the values of its parameters. *effect* is what a failure means to the provider, *skips* its reason for
    skipping an image. None means the default.
    """

    stated_by: str = ""
    source: str = ""
    checked: date | None = None
    limits: Mapping[str, Any] = {}
    params: Mapping[str, Any] = {}
    severity: Severity | None = None
    effect: Effect | None = None
    key_effects: Mapping[str, Effect] = {}
    off: bool | None = None
    skips: str | None = None
    why: str | None = None


class Model(NamedTuple):
    """A base model that can be fine-tuned with images; *closes* is its shutdown date.

    Existing customers can train it until *open_until* at least. *context* is the maximum number of tokens of
    an example. *price* is in US dollars for a million training tokens, as read on *price_date*. None means
    unknown.
    """

    source: str = ""
    checked: date | None = None
    closes: date | None = None
    open_until: date | None = None
    context: int | None = None
    image_tokens: ImageTokens | None = None
    price: float | None = None
    price_date: date | None = None
    rules: Mapping[str, RuleStatement] = {}


class JobService(NamedTuple):
    """An API for fine-tuning jobs: OpenAI's at *base_url*, or Azure's in an API *version*."""

    kind: Literal["openai", "azure"]
    base_url: str | None = None
    version: str | None = None


class Provider(NamedTuple):
    """A service that trains, or a trainer that users run themselves.

    *closes* is the date after which it accepts no jobs, *closes_newcomers* the same for new customers, and
    *open_until* the date until which existing customers can train at least. *extends* is the id of a parent,
    whose statements it inherits except those on the rules in *not_stated*. With *any_model* it accepts models
    that are not in *models*. *trains_on* is what selects the answers to train on; *unread* are fields that it
    accepts but does not use, *unchecked_keys* keys of messages with any value. *upload_command* is its own
    command that uploads a file, and *load_snippet* has lines with which a trainer reads a file, each with
    {file} in place of the file. *writes* is what examples must look like. *resizes* is how images are scaled.
    """

    id: str
    name: str
    source: str = ""
    checked: date | None = None
    closes: date | None = None
    closes_newcomers: date | None = None
    open_until: date | None = None
    extends: str | None = None
    not_stated: Sequence[str] = ()
    default_model: str | None = None
    any_model: bool = False
    models: Mapping[str, Model] = {}
    rules: Mapping[str, RuleStatement] = {}
    data_formats: Sequence[str] = ()
    trains_on: str | None = None
    unread: Sequence[str] = ()
    unchecked_keys: Sequence[str] = ()
    transports: Sequence[str] = ()
    resizes: Resize | None = None
    job_api: JobService | None = None
    upload_command: str | None = None
    loader: str | None = None  # the package of its own reader
    load_snippet: str | None = None
    writes: WriteStyle = WriteStyle()

    def model(self, name: str | None) -> str | None:
        """Return *name* if this provider accepts the model or its base model, the default model for None.

        Raises UsageError, which names the nearest model, for a model that it does not accept.
        """
        if name is None:
            return self.default_model
        if not self.accepts(name):
            hint = nearest(base_model(name), self.models)
            raise UsageError(
                f"{self.name} has no vision fine-tuning for model {name!r}{hint}; "
                "known: " + ", ".join(self.models)
            )
        return name

    def accepts(self, model: str) -> bool:
        """Return whether this provider accepts *model* or its base model."""
        return self.any_model or model in self.models or base_model(model) in self.models

    def describe(self, model: str | None) -> Model:
        """Return the table of *model* or of its base model; an empty Model if there is none."""
        name = model or ""
        return self.models.get(name) or self.models.get(base_model(name)) or Model()

    def image_tokens(self, model: str | None) -> ImageTokens | None:
        """Return the tokens of an image for *model* or its family; None if they are unknown."""
        counter = self.describe(model).image_tokens
        if counter is None and model and self.any_model:
            return find_family_tokens(model, self.resizes)
        return counter

    def for_model(self, model: str | None) -> Provider:
        """Return this provider with its statements replaced by those of *model*, if any."""
        return self._replace(rules={**self.rules, **self.describe(model).rules})

    def jobs(self, files: Sequence[str] = ()) -> JobService:
        """Return the API for fine-tuning jobs.

        Raises UsageError if the provider has none, with its own command that uploads *files*.
        """
        if self.job_api is None:
            own = self.upload_command
            commands = [own.replace("{file}", shlex.quote(file)) for file in files or ["FILE"]] if own else []
            how = f"own command: {' && '.join(commands)}" if commands else "own client"
            raise UsageError(f"vft does not know a job API of {self.name}: upload the data with its {how}")
        return self.job_api


def base_model(name: str) -> str:
    """Return the base model of a fine-tuned model (ft:BASE:... or BASE.ft-...), *name* for other models."""
    if name.startswith("ft:"):
        return name.split(":")[1]
    return name.partition(".ft-")[0]


@cache
def provider_ids() -> tuple[str, ...]:
    """Return the ids of the shipped providers."""
    return tuple(sorted(path.stem for path in (rules_root() / "providers").glob("*.toml")))


def default_provider(data_format: str) -> str:
    """Return the id of the provider whose own format *data_format* is."""
    own = _PROVIDERS.get(data_format, "openai")
    return own if own in provider_ids() else "openai"


def is_provider_file(name: str) -> bool:
    """Return whether *name* is the path of a provider file rather than the id of a provider."""
    return name.endswith(".toml") or "/" in name or os.sep in name


@cache
def load_provider(provider_id: str) -> Provider:
    """Return the shipped provider with that id, unchecked: tests check its file.

    Raises UsageError, which names the nearest, for an unknown id.
    """
    known = provider_ids()
    if "," in provider_id:
        raise UsageError(f"provider {provider_id!r}: expected one provider; only checks take several")
    if provider_id not in known:
        hint = nearest(provider_id, known)
        raise UsageError(f"no provider {provider_id!r}{hint}; known: {', '.join(known)}")
    return _provider(provider_id, read_toml(rules_root() / "providers" / f"{provider_id}.toml"))


def read_provider_file(path: Path, rules: Mapping[str, Rule]) -> Provider:
    """Return the provider in a user's file at *path*, which makes statements on *rules*.

    Raises RuleFileError for the first problem, with file, key and the likely intention.
    """
    if not path.is_file():
        raise RuleFileError(f"{path}: no such provider file")
    check_name(path)
    content = read_toml(path)
    check_provider(path, content, rules, provider_ids())
    _check_not_stated(path, content)
    return _provider(path.stem, harmless(content))


def _check_not_stated(path: Path, content: Mapping[str, Any]) -> None:
    """Raise RuleFileError for a rule in not_stated that the extended provider does not state either."""
    parent = content.get("extends")
    for id_ in content.get("not_stated", ()):
        if parent is None:
            raise RuleFileError(f"{path}: not_stated: has no effect without extends; remove it")
        if id_ not in load_provider(parent).rules:
            raise RuleFileError(f"{path}: not_stated: {parent} does not state {id_} either; remove it")


def _provider(provider_id: str, content: Mapping[str, Any]) -> Provider:
    provider = Provider(id=provider_id, **content)
    models = {name: _model(provider_id, model) for name, model in content.get("models", {}).items()}
    rules, data_formats = _statements(provider_id, content), provider.data_formats
    writes, unchecked_keys = WriteStyle(), provider.unchecked_keys
    if provider.extends is not None:
        parent = load_provider(provider.extends)
        inherited = {id_: one for id_, one in parent.rules.items() if id_ not in provider.not_stated}
        rules, data_formats = inherited | rules, data_formats or parent.data_formats
        writes, unchecked_keys = parent.writes, unchecked_keys or parent.unchecked_keys
    return provider._replace(
        any_model=content.get("any_model", not models),
        models=models,
        rules=rules,
        data_formats=data_formats,
        unchecked_keys=unchecked_keys,
        resizes=_resize(content.get("resizes")),
        writes=WriteStyle(**content["writes"]) if "writes" in content else writes,
        job_api=JobService(**content["job_api"]) if "job_api" in content else None,
    )


def _model(provider_id: str, content: Mapping[str, Any]) -> Model:
    fields = {key: value for key, value in content.items() if key != "training"}
    training, tokens = content.get("training", {}), content.get("image_tokens", {})
    counter: ImageTokens | None = None
    if "tile" in tokens:
        counter = TileTokens(base=tokens["base"], tile=tokens["tile"])
    elif "budget" in tokens:
        counter = PatchTokens(multiplier=tokens["multiplier"], budget=tokens["budget"])
    return Model(**fields)._replace(
        image_tokens=counter,
        price=training.get("price"),
        price_date=training.get("checked"),
        rules=_statements(provider_id, content),
    )


def _resize(content: Mapping[str, Any] | None) -> Resize | None:
    if not content:
        return None
    from pytest_vft.facts.families import Resize  # noqa: PLC0415 - 2 ms, for trainers only

    return Resize(min_pixels=content["min_pixels"], max_pixels=content["max_pixels"])


@cache
def _families() -> Sequence[Mapping[str, Any]]:
    families: Sequence[Mapping[str, Any]] = read_table("image-tokens.toml")["families"]
    return families


def find_family_tokens(model: str, resize: Resize | None) -> ImageTokens | None:
    """Return the tokens of an image for the family of *model*, after *resize*; None for an unknown family."""
    from pytest_vft.facts.families import family_tokens  # noqa: PLC0415 - as above

    name = model.lower()
    for family in _families():
        if any(fnmatchcase(name, pattern) for pattern in family["models"]):
            return family_tokens(family, resize)
    return None


def _statements(provider_id: str, content: Mapping[str, Any]) -> dict[str, RuleStatement]:
    statements = content.get("rules", {})
    return {id_: RuleStatement(stated_by=provider_id, **fields) for id_, fields in statements.items()}
