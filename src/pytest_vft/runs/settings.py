"""The settings of a run: a configuration with the options of a command or call on top of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_vft.catalogue.load import Rule, load_rules, shipped_rules
from pytest_vft.catalogue.providers import (
    Provider,
    default_provider,
    is_provider_file,
    load_provider,
    read_provider_file,
)
from pytest_vft.catalogue.select import IgnoredRules, bind_rule, bind_rules, listed, matching, select_bound
from pytest_vft.checking.measuring import needs_detector
from pytest_vft.errors import ConfigError, UsageError
from pytest_vft.facts.tokens import ImageTokens
from pytest_vft.formats.registry import data_formats
from pytest_vft.model import DEPTHS, SEVERITIES, Depth, Severity, Source
from pytest_vft.runs.config import Config, as_config, relative_path
from pytest_vft.runs.detectors import Detectors, find_detectors
from pytest_vft.runs.image_roots import read_image_roots
from pytest_vft.text import either, nearest
from pytest_vft.web.network import ONLINE, Network, read_network

URL_BUDGET = 1_800  # seconds; at 20 requests per second and host, enough for 36,000 URLs on one host
MAX_TOKENS = "max_tokens"  # the limit that --max-tokens gives
_WAIVED = {"allow_private": "private addresses are allowed"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A configuration and the options on top of it; None for an option that was not given.

    *provider_id* is the name of a provider or the path of a provider file, by default that of the
    configuration, then that of the data format. *extend_select* and *ignore* hold patterns of rules.
    *url_budget* is the time for all URLs in seconds, 0 for unlimited. *jobs* is the maximum number of
    processes, by default one per CPU. *roots* are further folders of local images. *max_tokens* is the
    maximum number of tokens of an example, 0 for no maximum, by default that of the provider. *base_url* is
    the server that the data is for, if it is not that of the provider. *several* are the ids of all providers
    that check the same files. *baseline* is a file with known findings. *origins* has other paths of sources,
    by which rules are ignored. *sample* is the most examples read of a file.
    """

    config: Config
    sources: tuple[Source, ...] = ()
    provider_id: str | None = None
    data_format_name: str | None = None
    model_name: str | None = None
    select: Sequence[str] | None = None
    extend_select: Sequence[str] = ()
    ignore: Sequence[str] = ()
    depth: Depth = "auto"
    fail_on: Severity = "error"
    require_checked: bool = False
    network: Network = ONLINE
    max_findings: int | None = None
    url_budget: int = URL_BUDGET
    jobs: int | None = None
    sample: int = 0
    roots: Sequence[str] = ()
    base_url: str | None = None
    max_tokens: int | None = None
    several: Sequence[str] = ()
    baseline: str | os.PathLike[str] | None = None
    writes_baseline: bool = False
    origins: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def provider(self) -> Provider:
        """The provider that the data is for."""
        if self.provider_id is not None:
            return self._find_provider(self.provider_id, Path())
        if self.config.provider is None:
            return load_provider(default_provider(self.sources[0].data_format if self.sources else "openai"))
        with _naming(self.config, "provider: "):
            return self._find_provider(self.config.provider, self.config.folder)

    @property
    def by_data_format(self) -> bool:
        """Whether nothing but the data format of the sources states the provider."""
        return self.provider_id is None and self.config.provider is None

    @property
    def data_format(self) -> str | None:
        """The data format of the sources; None if it is found out."""
        if self.data_format_name is not None or self.config.data_format is None:
            return self.data_format_name
        with _naming(self.config):
            _choice({"data-format": self.config.data_format}, "data-format", data_formats())
        return self.config.data_format

    def _find_provider(self, name: str, folder: Path) -> Provider:
        if is_provider_file(name):
            return read_provider_file(folder / name, self.catalogue)
        return load_provider(name)

    @cached_property
    def model(self) -> str | None:
        """The model to train; None if the provider takes any model and none is given.

        With *base_url* any model is accepted, since the models of other servers are not known.
        """
        provider = self.provider
        if self.base_url is not None:
            return self.model_name or self.config.model or provider.default_model
        if self.model_name is not None:
            return provider.model(self.model_name)
        with _naming(self.config, "model: "):
            return provider.model(self.config.model)

    @property
    def image_tokens(self) -> ImageTokens | None:
        """The tokens of an image for the model; None if they are unknown."""
        return self.provider.image_tokens(self.model)

    @cached_property
    def image_roots(self) -> tuple[str, ...]:
        """The folders in which local images may be opened, besides that of each file, as absolute paths."""
        return read_image_roots(self.roots, self.config)

    @cached_property
    def detectors(self) -> Detectors:
        """The detectors that the configuration names or the environment has, if a rule asks for them."""
        asked = any(needs_detector(rule) and rule.id not in self.reasons for rule in self._selected)
        found = find_detectors(self.config, self.depth, required=self.require_checked and asked)
        return found if asked else found._replace(faces="not selected")

    @cached_property
    def catalogue(self) -> Mapping[str, Rule]:
        """The shipped rules and those of the configured folders, by id."""
        rules = dict(shipped_rules())
        for folder in self.config.rules:
            path = self.config.folder / folder
            if not path.is_dir():
                raise ConfigError(f"{self.config.path}: rules: {folder}: no such folder")
            if path.is_symlink():
                raise ConfigError(f"{self.config.path}: rules: {folder}: is a link; expected a folder")
            for id_, rule in load_rules(path).items():
                if id_ in rules:
                    raise ConfigError(f"{rule.path}: a rule {id_} exists already; use another name")
                rules[id_] = rule
        return rules

    @cached_property
    def bound(self) -> Mapping[str, Rule]:
        """The rules that the provider or the configuration states, by id, including rules that are off."""
        config, provider = self.config, self.provider.for_model(self.model)
        with _naming(config):
            bound = bind_rules(self.catalogue, provider, params=config.params, severity=config.severity)
        return bound if self.max_tokens is None else self._bounded(bound, provider)

    def _bounded(self, bound: dict[str, Rule], provider: Provider) -> Mapping[str, Rule]:
        """Return *bound* with *max_tokens* in the rules with this limit, if *provider* states them."""
        limited = [id_ for id_ in provider.rules if MAX_TOKENS in self.catalogue[id_].limits]
        if not limited:
            raise UsageError(f"max_tokens: {provider.name} does not state what happens to long examples")
        for id_ in limited:
            bound.pop(id_, None)
            if self.max_tokens:
                severity = self.config.severity.get(id_)
                values = {**self.config.params.get(id_, {}), MAX_TOKENS: self.max_tokens}
                statement = provider.rules[id_]._replace(off=None)
                rule = bind_rule(self.catalogue[id_], statement, values, severity)
                bound |= {id_: rule} if rule else {}
        return {id_: bound[id_] for id_ in self.catalogue if id_ in bound}

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of this run."""
        return self.detectors.select(self._selected, self.config.asked(self.select, self.extend_select))

    @cached_property
    def _selected(self) -> tuple[Rule, ...]:
        """The rules that are selected, with those for which there is no detector."""
        config, catalogue = self.config, self.catalogue
        with _naming(config, "allow: "):
            for id_ in config.allow:
                if id_ not in catalogue:
                    raise UsageError(f"no rule {id_!r}{nearest(id_, catalogue)}")
        bound, provider = self.bound, self.provider
        with _naming(config, "select: "):  # an invalid value is an error even if an option overrides it
            configured = config.select or None
            select_bound(catalogue, bound, provider, configured)
        with _naming(config, "extend-select: "):
            select_bound(catalogue, bound, provider, extend=config.extend_select)
        select = configured if self.select is None else self.select
        extend = [*config.extend_select, *self.extend_select]
        return select_bound(catalogue, bound, provider, select, extend)

    @cached_property
    def reasons(self) -> Mapping[str, str]:
        """Why rules are ignored in all files, by rule id."""
        reasons = dict.fromkeys(matching(self.ignore, self.catalogue), "on request")
        for rule in self.catalogue.values():
            if rule.waived_by and getattr(self.network, rule.waived_by):
                reasons[rule.id] = _WAIVED[rule.waived_by]
        with _naming(self.config, "ignore: "):
            return reasons | self._by_rule(self.config.ignore)

    @cached_property
    def reasons_by_file(self) -> Mapping[str, Mapping[str, str]]:
        """Why rules are ignored, by the path of each source and by rule id."""
        reasons = dict.fromkeys((source.path for source in self.sources), self.reasons)
        for pattern, ignored in self.config.per_file_ignores.items():
            with _naming(self.config, f"per-file-ignores.{pattern}: "):
                by_rule = self._by_rule(ignored)
            for path in reasons:
                place = relative_path(self.origins.get(path, path), self.config.folder)
                if fnmatchcase(place, pattern) or fnmatchcase(Path(place).name, pattern):
                    reasons[path] = {**reasons[path], **by_rule}
        return reasons

    def _by_rule(self, reasons: Mapping[str, str]) -> dict[str, str]:
        return {id_: reasons[pattern] for id_, pattern in matching(reasons, self.catalogue).items()}

    @cached_property
    def ignored(self) -> IgnoredRules:
        """The ids of ignored rules, by the path of each source."""
        return IgnoredRules(self.reasons_by_file)

    def check(self) -> None:
        """Raise UsageError, ConfigError or RuleFileError for invalid settings; no data is read."""
        for name in ("jobs", "max_findings", "max_tokens", "url_budget", "sample"):
            value, least = getattr(self, name), int(name == "jobs")
            if value is not None and value < least:
                raise UsageError(f"{name} is {value}; expected at least {least}")
        _ = self.image_roots, self.model, self.rules, self.reasons_by_file


def read_settings(options: Mapping[str, Any], *, path: str | None = None) -> Settings:
    """Return the settings for *options*, without sources.

    *options* are values by the names of options.py, with _ for -, None if not given, and "config", a path or
    a Config, by default the nearest one of the file at *path* or of the current folder; others are ignored.
    Raises ConfigError for an invalid configuration, UsageError for an invalid option.
    """
    select = listed(options.get("select") or ()) or None  # an empty option was not given
    provider, budget = options.get("provider"), options.get("url_budget")
    return Settings(
        config=as_config(options.get("config"), path=path),
        provider_id=provider and os.fspath(provider),
        model_name=options.get("model"),
        data_format_name=_choice(options, "data_format", data_formats()),
        select=select,
        extend_select=listed(options.get("extend_select") or ()),
        ignore=listed(options.get("ignore") or ()),
        depth=_choice(options, "depth", DEPTHS) or "auto",
        fail_on=_choice(options, "fail_on", SEVERITIES) or "error",
        require_checked=bool(options.get("require_checked")),
        network=read_network(
            offline=options.get("offline"),
            allow_private=bool(options.get("allow_private")),
            proxy=options.get("proxy"),
            cache=not options.get("no_cache"),
        ),
        max_findings=options.get("max_findings"),
        url_budget=URL_BUDGET if budget is None else budget,
        jobs=options.get("jobs"),
        sample=options.get("sample") or 0,
        max_tokens=options.get("max_tokens"),
        roots=options.get("image_root") or (),
        baseline=options.get("baseline"),
        writes_baseline=bool(options.get("write_baseline")),
    )


def _choice(options: Mapping[str, Any], name: str, known: Sequence[Any]) -> Any:
    value = options.get(name)
    if value and value not in known:
        raise UsageError(f"{name} is {value!r}{nearest(str(value), known)}; expected {either(known)}")
    return value


@contextmanager
def _naming(config: Config, key: str = "") -> Iterator[None]:
    """Re-raise a UsageError as a ConfigError that names *key* of *config*."""
    try:
        yield
    except UsageError as error:
        raise ConfigError(f"{config.path or 'configuration'}: {key}{error}") from None
