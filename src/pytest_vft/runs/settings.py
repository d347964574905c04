"""Settings of a run: a configuration, and what was said on top of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_vft.catalogue.load import Rule, load_rules, shipped_rules
from pytest_vft.catalogue.providers import Provider, is_provider_file, load_provider, read_provider_file
from pytest_vft.catalogue.select import bind_rules, listed, matching, select_bound
from pytest_vft.errors import ConfigError, UsageError
from pytest_vft.model import Depth, Severity, Source
from pytest_vft.runs.config import Config, load_config
from pytest_vft.text import nearest
from pytest_vft.web.network import ONLINE, Network, read_network

_WAIVED = {"allow_private": "private addresses are allowed"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a run is asked to do: a configuration, and what was said on top of it.

    None where nothing was said. *provider_id* may be the path of a provider file, too. *ignore* names
    rules by pattern; *jobs* is how many processes lint at most, by default one for each CPU; *base_url*
    is the server that the data is for, if it is not the provider's own.
    """

    config: Config
    sources: tuple[Source, ...] = ()
    provider_id: str | None = None
    model_name: str | None = None
    select: Sequence[str] | None = None
    ignore: Sequence[str] = ()
    depth: Depth = "auto"
    fail_on: Severity = "error"
    require_checked: bool = False
    network: Network = ONLINE
    jobs: int | None = None
    base_url: str | None = None

    @cached_property
    def provider(self) -> Provider:
        """The provider whose limits hold."""
        if self.provider_id is not None:
            return self._find_provider(self.provider_id, Path())
        with _blaming(self.config, "provider: "):
            return self._find_provider(self.config.provider, self.config.folder)

    def _find_provider(self, name: str, folder: Path) -> Provider:
        if is_provider_file(name):
            return read_provider_file(folder / name, self.catalogue)
        return load_provider(name)

    @cached_property
    def model(self) -> str | None:
        """The model that is to be trained; None if the provider takes any and none is named.

        What a server of one's own knows is not known here, so there each name is taken.
        """
        provider = self.provider
        if self.base_url is not None:
            return self.model_name or self.config.model or provider.default_model
        if self.model_name is not None:
            return provider.model(self.model_name)
        with _blaming(self.config, "model: "):
            return provider.model(self.config.model)

    @cached_property
    def catalogue(self) -> Mapping[str, Rule]:
        """The shipped rules and those of the user's own folders, by id."""
        rules = dict(shipped_rules())
        for folder in self.config.rules:
            path = self.config.folder / folder
            if not path.is_dir():
                raise ConfigError(f"{self.config.path}: rules: {folder}: no such folder")
            for id_, rule in load_rules(path).items():
                if id_ in rules:
                    raise ConfigError(f"{rule.path}: there is a rule {id_} already; give it another name")
                rules[id_] = rule
        return rules

    @cached_property
    def bound(self) -> Mapping[str, Rule]:
        """The rules that the provider or the configuration state, whether they run or not, by id."""
        config, provider = self.config, self.provider.for_model(self.model)
        with _blaming(config):
            return bind_rules(self.catalogue, provider, params=config.params, severity=config.severity)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of this run."""
        config, catalogue = self.config, self.catalogue
        with _blaming(config, "allow: "):
            for id_ in config.allow:
                if id_ not in catalogue:
                    raise UsageError(f"no rule {id_!r}{nearest(id_, catalogue)}")
        with _blaming(config, "select: "):
            configured = select_bound(catalogue, self.bound, self.provider, config.select)
        if self.select is None:
            return configured
        return select_bound(catalogue, self.bound, self.provider, self.select)

    @cached_property
    def reasons(self) -> Mapping[str, str]:
        """Why a rule is ignored in all files, by id."""
        asked = dict.fromkeys(matching(self.ignore, self.catalogue), "on request")
        for rule in self.catalogue.values():
            if rule.waived_by and getattr(self.network, rule.waived_by):
                asked[rule.id] = _WAIVED[rule.waived_by]
        with _blaming(self.config, "ignore: "):
            return asked | self._by_rule(self.config.ignore)

    @cached_property
    def reasons_by_file(self) -> Mapping[str, Mapping[str, str]]:
        """Why a rule is ignored in a file, by the path of its source and by id."""
        return {source.path: self._reasons_in(source.path) for source in self.sources}

    @property
    def ignored(self) -> Mapping[str, frozenset[str]]:
        """The rules that are ignored in a file, by the path of its source."""
        return {path: frozenset(reasons) for path, reasons in self.reasons_by_file.items()}

    def _reasons_in(self, path: str) -> Mapping[str, str]:
        place = os.path.relpath(path, self.config.folder).replace(os.sep, "/")
        found = dict(self.reasons)
        for pattern, reasons in self.config.per_file_ignores.items():
            with _blaming(self.config, f"per-file-ignores.{pattern}: "):
                by_rule = self._by_rule(reasons)
            if fnmatchcase(place, pattern) or fnmatchcase(Path(place).name, pattern):
                found |= by_rule
        return found

    def check(self) -> None:
        """Raise UsageError, ConfigError or RuleFileError for what cannot be followed; no data is read."""
        if self.jobs is not None and self.jobs < 1:
            raise UsageError(f"jobs: {self.jobs}: want 1 or more")
        if not self.sources:
            raise UsageError("no files: name some, or list them under [tool.vft.data]")
        _ = self.model, self.rules, self.reasons, self.reasons_by_file

    def _by_rule(self, reasons: Mapping[str, str]) -> dict[str, str]:
        return {id_: reasons[pattern] for id_, pattern in matching(reasons, self.catalogue).items()}


def read_settings(options: Mapping[str, Any]) -> Settings:
    """Return the settings that *options* ask for, without sources.

    *options* are values by the names of options.py, with _ for -; None, and a name that is missing, is
    a value that was not given. Other names are ignored. "config" is a path or a Config.
    Raises ConfigError for a broken configuration, UsageError for a value that cannot be followed.
    """
    config = options.get("config")
    return Settings(
        config=config
        if isinstance(config, Config)
        else load_config(None if config is None else Path(config)),
        provider_id=options.get("provider"),
        model_name=options.get("model"),
        select=_patterns(options.get("select")),
        ignore=listed(options.get("ignore") or ()),
        depth=options.get("depth") or "auto",
        fail_on=options.get("fail_on") or "error",
        require_checked=bool(options.get("require_checked")),
        network=read_network(
            offline=options.get("offline"),
            allow_private=bool(options.get("allow_private")),
            proxy=options.get("proxy"),
            cache=not options.get("no_cache"),
        ),
        jobs=options.get("jobs"),
    )


def _patterns(given: Sequence[str] | None) -> list[str] | None:
    """Return the patterns that *given* holds; None for an option that was not given or left empty."""
    if given is None:
        return None
    patterns = listed(given)
    return patterns if patterns or not given else None


@contextmanager
def _blaming(config: Config, key: str = "") -> Iterator[None]:
    """Say of what goes wrong that it is *key* of *config* which asked for it."""
    try:
        yield
    except UsageError as error:
        raise ConfigError(f"{config.path or 'configuration'}: {key}{error}") from None
