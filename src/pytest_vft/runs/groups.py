"""The files of a run, grouped by their configurations."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_vft.model import Source
from pytest_vft.reading.object_paths import is_object
from pytest_vft.runs.config import nearest_configs
from pytest_vft.runs.data_formats import with_data_formats
from pytest_vft.runs.settings import Settings, read_settings
from pytest_vft.runs.several import by_provider
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
    in the folder of the file or above, or else that of the current folder. Files with other data formats have
    settings of their own if their providers differ. Several providers have settings of their own, too.
    See read_settings() for *options* and the errors raised, and find_sources() for the other arguments.
    """
    settings = read_settings(options)
    config = settings.config
    config_of = nearest_configs(config) if options.get("config") is None else lambda _: config
    sources = find_sources(config, paths, data=data, validation=validation, test=test, config_of=config_of)
    if not (paths or data or validation or test):
        alike = by_provider(replace(settings, sources=sources))
        _read_objects(alike)
        return tuple(chain.from_iterable(map(with_data_formats, alike)))
    by_config: dict[Path | None, list[Source]] = {}
    for source in sources:
        by_config.setdefault(config_of(source.path).path, []).append(source)
    placed = (
        replace(settings, config=config_of(one[0].path), sources=tuple(one)) for one in by_config.values()
    )
    providers = list(chain.from_iterable(map(by_provider, placed)))
    _read_objects(providers)
    groups = joined(chain.from_iterable(map(with_data_formats, providers)))
    order = {source.path: number for number, source in enumerate(sources)}
    return tuple(sorted(groups, key=lambda group: order[group.sources[0].path]))


def _read_objects(groups: Sequence[Settings]) -> None:
    if any(is_object(source.path) for settings in groups for source in settings.sources):
        from pytest_vft.runs.known_objects import read_first_bytes  # noqa: PLC0415 - for object storage only

        read_first_bytes(groups)


def joined(groups: Iterable[Settings]) -> tuple[Settings, ...]:
    """Return *groups* with the files of each configuration and provider in one group."""
    settings: dict[Hashable, Settings] = {}
    sources: dict[Hashable, list[Source]] = {}
    for group in groups:
        named = group.by_data_format or group.several
        key = group.config.path, group.provider.id if named else None
        settings.setdefault(key, group)
        sources.setdefault(key, []).extend(group.sources)
    return tuple(replace(group, sources=tuple(sources[key])) for key, group in settings.items())
