"""The files of a run, grouped by their configurations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_vft.model import Source
from pytest_vft.runs.config import nearest_configs
from pytest_vft.runs.settings import Settings, read_settings
from pytest_vft.runs.sources import find_sources


def find_groups(
    options: Mapping[str, Any],
    paths: Sequence[str] = (),
    *,
    data: Sequence[str] = (),
    validation: Sequence[str] = (),
    test: Sequence[str] = (),
) -> tuple[Settings, ...]:
    """Return the settings of each configuration that applies to a file, with its files.

    A configuration in *options* applies to all files, and the configuration of the current folder to the
    files that it lists, if no others are given. To any other file the nearest configuration applies: that
    in the folder of the file or above, or else that of the current folder.
    See read_settings() for *options* and the errors raised, and find_sources() for the other arguments.
    """
    settings = read_settings(options)
    config = settings.config
    config_of = nearest_configs(config) if options.get("config") is None else lambda _: config
    sources = find_sources(config, paths, data=data, validation=validation, test=test, config_of=config_of)
    if not (paths or data or validation or test):
        return (replace(settings, sources=sources),)
    return joined(replace(settings, config=config_of(one.path), sources=(one,)) for one in sources)


def joined(groups: Iterable[Settings]) -> tuple[Settings, ...]:
    """Return *groups* with the files of each configuration in one group."""
    settings: dict[Path | None, Settings] = {}
    sources: dict[Path | None, list[Source]] = {}
    for group in groups:
        path = group.config.path
        settings.setdefault(path, group)
        sources.setdefault(path, []).extend(group.sources)
    return tuple(replace(group, sources=tuple(sources[path])) for path, group in settings.items())
