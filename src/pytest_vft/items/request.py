"""The check that the options and arguments of pytest request: settings, files and rules."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from pytest_vft.catalogue.select import matching
from pytest_vft.errors import UsageError
from pytest_vft.items.base import given_options
from pytest_vft.model import Source
from pytest_vft.runs.config import Config
from pytest_vft.runs.settings import Settings, read_settings
from pytest_vft.runs.sources import expand, find_sources

DATASET = "vft"  # in place of a path, in ids of rules on all files together
SUBMIT = "submit"  # in place of a scope, in ids of a step of a submission


class NodeArgument(NamedTuple):
    """An argument that names a file or DATASET, and the rules to run on it ("": all)."""

    path: str
    rules: str


class CheckRequest(NamedTuple):
    """Settings, the arguments that name data, and the id of a submission step, such as submit/plan.

    If an argument names rules, only the items that arguments name are collected.
    """

    settings: Settings
    named: Sequence[NodeArgument]
    step: str | None

    @property
    def paths(self) -> Sequence[str]:
        """The files to check."""
        return [source.path for source in self.settings.sources]

    def ids_on(self, path: str) -> Collection[str]:
        """Return the ids of the items to collect for *path*, a file or DATASET."""
        ids = [rule.id for rule in self.settings.rules if (rule.scope == "dataset") == (path == DATASET)]
        if self.step and Source(path, "train") in self.settings.sources:
            ids.append(self.step)
        if not any(rules for _, rules in self.named):
            return ids
        real = os.path.realpath(path)
        patterns = [named.rules for named in self.named if os.path.realpath(named.path) == real]
        return ids if "" in patterns else matching(patterns, ids)


def read_check_request(config: pytest.Config, arguments: Sequence[str]) -> CheckRequest:
    """Return the request of the options of *config* and of *arguments*, which name data.

    Raises UsageError, ConfigError or RuleFileError for invalid input; no data is read.
    """
    options = given_options(config, "vft_")
    step = options["submit"]
    if step == "apply" and not options["yes"]:
        raise UsageError("--vft-submit=apply sends data and costs money: add --vft-yes")
    named = list(_named(arguments))
    settings = read_settings(options)
    sources = _find_sources(settings.config, options, [path for path, _ in named])
    if not sources:
        raise UsageError("no files: write --vft-data=PATH, or list them under [tool.vft.data]")
    settings = replace(settings, sources=sources)
    settings.check()  # report a misspelt name once, not in each item
    return CheckRequest(settings, named, f"{SUBMIT}/{step}" if step else None)


def _find_sources(config: Config, options: Mapping[str, Any], paths: Sequence[str]) -> tuple[Source, ...]:
    """Return the files that *options* and arguments (*paths*) name, or else those of *config*.

    A rule on all files also needs the files of the configuration.
    """
    train, validation, test = (options[name] or () for name in ("data", "validation_data", "test_data"))
    sources: tuple[Source, ...] = ()
    if train or validation or test or not paths or DATASET in paths:
        sources = find_sources(config, train, validation=validation, test=test)
    known = {DATASET, *(os.path.realpath(source.path) for source in sources)}
    more = [path for path in paths if path not in known and os.path.realpath(path) not in known]
    return (*sources, *find_sources(config, more)) if more else sources


def _named(arguments: Sequence[str]) -> Iterator[NodeArgument]:
    for argument in arguments:
        given, _, rules = argument.partition("::")
        relative = os.path.relpath(given)
        shown = given if relative.startswith("..") else relative
        for path in [DATASET] if given == DATASET else expand(shown):
            yield NodeArgument(path, rules)
