"""Folders of local images that options and configurations name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_vft.errors import ConfigError, UsageError
from pytest_vft.reading.object_paths import is_object
from pytest_vft.reading.roots import root_problem
from pytest_vft.runs.config import Config


def read_image_roots(given: Sequence[str], config: Config) -> tuple[str, ...]:
    """Return the folders *given* and those of *config*, as absolute paths, each once.

    Raises UsageError for what is not a folder, ConfigError for a folder outside that of *config*.
    """
    roots = [root if is_object(root) else os.path.abspath(root) for root in given]  # noqa: PTH100 - links are kept
    roots += _configured(config)
    for root in roots:
        if problem := root_problem(root):
            raise UsageError(f"image_root: {problem}")
    return tuple(dict.fromkeys(roots))


def _configured(config: Config) -> Iterator[str]:
    """Yield the roots of *config*. Raises ConfigError for one that is not a folder inside its own."""
    roots, inner = config.image_root, os.path.realpath(config.folder)
    for root in [roots] if isinstance(roots, str) else roots:
        if "\0" in root:
            raise ConfigError(f"{config.path}: image_root: {root}: no such folder")
        if is_object(root):
            raise ConfigError(f"{config.path}: image_root: {root_problem(root)}")
        path = os.path.abspath(config.folder / root)  # noqa: PTH100 - a link is named as written
        if not Path(os.path.realpath(path)).is_relative_to(inner):
            raise ConfigError(
                f'{config.path}: image_root "{root}" is outside its folder; '
                f"give --image-root={root} yourself if that is meant"
            )
        yield path
