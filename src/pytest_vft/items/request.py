"""The check that the options and arguments of pytest request: settings, files and rules."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_vft.catalogue.select import matching
from pytest_vft.errors import UsageError
from pytest_vft.items.base import given_options
from pytest_vft.model import Source
from pytest_vft.reading.object_paths import is_object
from pytest_vft.runs.baseline import open_baseline
from pytest_vft.runs.config import relative_path
from pytest_vft.runs.groups import find_groups, joined
from pytest_vft.runs.job_server import other_server
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.several import label, split_id
from pytest_vft.runs.sources import expand, file_identity

DATASET = "vft"  # in place of a path, in ids of rules on all files together
SUBMIT = "submit"  # in place of a scope, in ids of a step of a submission


class NodeArgument(NamedTuple):
    """An argument that names a file or DATASET, and the rules to run on it ("": all)."""

    path: str
    rules: str


class CheckRequest(NamedTuple):
    """Settings for each configuration, the arguments that name data, and the id of a submission step.

    The id is such as submit/plan. If an argument names rules, only the items that arguments name are
    collected. *cluster* is the name of a cluster that lints.
    """

    groups: Sequence[Settings]
    named: Sequence[NodeArgument]
    step: str | None
    cluster: str | None = None

    @property
    def sources(self) -> Sequence[Source]:
        """The files to check."""
        by_path = {source.path: source for settings in self.groups for source in settings.sources}
        return list(by_path.values())

    def settings_of(self, path: str) -> Sequence[Settings]:
        """Return the settings of the file at *path*, one of *sources*, for each provider."""
        return [settings for settings in self.groups if path in settings.reasons_by_file]

    def ids_on(self, path: str) -> Collection[str]:
        """Return the ids of the items to collect for *path*, a file or DATASET."""
        on_dataset = path == DATASET
        groups = self.groups if on_dataset else self.settings_of(path)
        rules = ((rule, label(settings)) for settings in groups for rule in settings.rules)
        found = (rule.id + suffix for rule, suffix in rules if (rule.scope == "dataset") == on_dataset)
        ids = list(dict.fromkeys(found))
        if self.step and Source(path, "train") in self.sources:
            ids.append(self.step)
        if not any(rules for _, rules in self.named):
            return ids
        identity = file_identity(path)
        patterns = [named.rules for named in self.named if file_identity(named.path) == identity]
        return ids if "" in patterns else _matching(patterns, ids)


def _matching(patterns: Sequence[str], ids: Sequence[str]) -> Collection[str]:
    """Return those of *ids* that match *patterns*, with or without a provider. Raises UsageError."""
    if not any(split_id(id_)[1] for id_ in ids):
        return matching(patterns, ids)
    rules = dict.fromkeys(split_id(id_)[0] for id_ in ids)
    found = matching([pattern for pattern in patterns if pattern not in ids], rules)
    return [id_ for id_ in ids if id_ in patterns or split_id(id_)[0] in found]


def read_check_request(
    config: pytest.Config, arguments: Sequence[str], places: Sequence[str] = ()
) -> CheckRequest:
    """Return the request of the options of *config* and of *arguments*, which name data.

    With --vft-only, *places*, which are the other arguments, and *arguments* limit the files.
    Raises UsageError, ConfigError or RuleFileError for invalid input, and LintError for a cluster that
    does not answer; no data is read.
    """
    options = given_options(config, "vft_")
    step = options["submit"]
    if step == "apply" and not options["yes"]:
        raise UsageError("--vft-submit=apply sends data and costs money: add --vft-yes")
    if step and options["sample"]:
        raise UsageError("--vft-submit and --vft-sample: a job needs a check of all examples; leave one out")
    named = list(_named(arguments))
    groups = _find_groups(options, [path for path, _ in named], places)
    if not any(settings.sources for settings in groups):
        raise UsageError("no files: write --vft-data=PATH, or list them under [tool.vft.data]")
    if step and any(settings.several for settings in groups):
        raise UsageError("--vft-submit: a job has one provider; give one with --vft-provider")
    if step:
        server = partial(other_server, base_url=options["base_url"], environ=os.environ)
        groups = tuple(replace(settings, base_url=server(settings)) for settings in groups)
    for settings in groups:
        settings.check()  # report a misspelt name once, not in each item
        open_baseline(settings)
    if options["cluster"] is not None:
        from pytest_vft.checking.cluster import open_cluster  # noqa: PLC0415 - for clusters only

        if not hasattr(config, "workerinput"):  # one error of the session, and not one of each item
            with open_cluster(options["cluster"], os.environ):
                pass
    return CheckRequest(groups, named, f"{SUBMIT}/{step}" if step else None, options["cluster"])


def _find_groups(
    options: Mapping[str, Any], paths: Sequence[str], places: Sequence[str]
) -> tuple[Settings, ...]:
    """Return the files that *options* and arguments (*paths*) name, or else those of the configuration.

    A rule on all files also needs the files of the configuration. With --vft-only, only files in *places*
    and *paths* are returned; if nothing else names files, the folders of *places* are searched.
    """
    data, validation, test = (options[name] or () for name in ("data", "validation_data", "test_data"))
    places = places if options["only"] else ()
    groups: tuple[Settings, ...] = ()
    if data or validation or test or places or not paths or DATASET in paths:
        groups = find_groups(options, data=data, validation=validation, test=test)
    known = {DATASET, *(file_identity(one.path) for settings in groups for one in settings.sources)}
    more = [path for path in paths if path not in known and file_identity(path) not in known]
    if more:
        groups = joined((*groups, *find_groups(options, more)))
    if not options["only"] or DATASET in paths or not (places or paths):
        return groups
    if any(settings.sources for settings in groups):
        return _limited(groups, [*places, *paths])
    folders = [place for place in places if os.path.isdir(place)]  # noqa: PTH112 - as the user wrote it
    return find_groups(options, folders) if folders else groups


def _limited(groups: Sequence[Settings], places: Sequence[str]) -> tuple[Settings, ...]:
    """Return the files of *groups* that are in *places*, files and folders. Raises UsageError for none."""
    for place in places:
        if not (is_object(place) or os.path.lexists(place)):
            raise UsageError(f"{place}: no such file")
    inside = [Path(os.path.realpath(place)) for place in places]

    def is_inside(source: Source) -> bool:
        if is_object(source.path):
            return source.path in places
        path = Path(os.path.abspath(source.path))  # noqa: PTH100 - a link is in the folder of the link
        return any(one.is_relative_to(place) for place in inside for one in (path, path.resolve()))

    limited = [
        replace(settings, sources=tuple(source for source in settings.sources if is_inside(source)))
        for settings in groups
    ]
    found = tuple(settings for settings in limited if settings.sources)
    if not found:
        raise UsageError(f"no dataset in {', '.join(places)}: --vft-only collects only datasets")
    return found


def _named(arguments: Sequence[str]) -> Iterator[NodeArgument]:
    for argument in arguments:
        given, _, rules = argument.partition("::")
        relative = relative_path(given)
        shown = given if relative.startswith("..") else relative
        for path in [DATASET] if given == DATASET else expand(shown):
            yield NodeArgument(path, rules)
