"""The configuration: `[tool.vft]` of pyproject.toml, or vft.toml."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_vft.errors import ConfigError
from pytest_vft.json_schema import schema_problems
from pytest_vft.model import SPLITS, Severity, Split
from pytest_vft.reading.object_paths import is_object
from pytest_vft.resources import read_schema
from pytest_vft.toml import bound_problems, infinite_problems, read_toml

MAX_FINDINGS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The content of a configuration file; its paths are relative to *folder*.

    *ignore* maps patterns of rules to reasons, and *per_file_ignores* maps globs of files to such tables;
    *allow* maps rules to the number of tolerated findings, *image_root* names folders of local images,
    *baseline* a file with known findings, and *detectors* files with models by what they find.
    """

    path: Path | None = None
    folder: Path = field(default_factory=Path)
    provider: str | None = None
    model: str | None = None
    data_format: str | None = None
    data: Mapping[Split, Sequence[str]] = field(default_factory=dict)
    select: Sequence[str] | None = None
    extend_select: Sequence[str] = ()
    ignore: Mapping[str, str] = field(default_factory=dict)
    per_file_ignores: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    allow: Mapping[str, int] = field(default_factory=dict)
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    severity: Mapping[str, Severity] = field(default_factory=dict)
    rules: Sequence[str] = ()
    image_root: str | Sequence[str] = ()
    baseline: str | None = None
    detectors: Mapping[str, str] = field(default_factory=dict)
    max_findings: int = MAX_FINDINGS
    submit: Mapping[str, Any] = field(default_factory=dict)

    def asked(self, select: Sequence[str] | None, extend: Sequence[str]) -> frozenset[str]:
        """Return the patterns of rules that a run asks for, with the options *select* and *extend*."""
        first = self.select if select is None else select
        return frozenset((*(first or ()), *self.extend_select, *extend))


def load_config(path: Path | None = None, *, start: Path | None = None) -> Config:
    """Return the configuration at *path*, else the nearest one in *start* (the current folder) or above.

    vft.toml takes precedence over pyproject.toml in the same folder. Raises ConfigError.
    """
    if path is not None:
        table = _table(path)
        if table is None:
            raise ConfigError(f"{path}: has no [tool.vft]")
        return _config(path, table)
    folder = Path(os.path.abspath(start or ""))  # noqa: PTH100 - a linked folder stays where its link is
    found = (_config_in(parent) for parent in (folder, *folder.parents))
    return next((config for config in found if config is not None), Config())


def nearest_configs(default: Config) -> Callable[[str], Config]:
    """Return a function that returns the nearest configuration of the file at a path.

    It is that in the folder of the file or above, else *default*, as for an object in object storage.
    The function raises ConfigError.
    """

    @cache
    def nearest(folder: Path) -> Config:
        if default.path is not None and folder == default.path.parent:
            return default
        return _config_in(folder) or (default if folder.parent == folder else nearest(folder.parent))

    @cache
    def in_folder(folder: str) -> Config:
        return nearest(Path(os.path.abspath(folder)))  # noqa: PTH100 - a link stays a link

    def of_path(path: str) -> Config:
        return default if is_object(path) else in_folder(os.path.dirname(path))  # noqa: PTH120 - most files share few folders

    return of_path


def relative_path(path: str, folder: str | os.PathLike[str] = ".") -> str:
    """Return *path* relative to *folder*, with slashes; the URL of an object stays as it is.

    The path is absolute if it is on another drive of Windows.
    """
    if is_object(path):
        return path
    try:
        relative = os.path.relpath(path, folder)
    except ValueError:
        relative = os.path.abspath(path)  # noqa: PTH100 - a link stays a link
    return relative.replace(os.sep, "/")


def _config_in(folder: Path) -> Config | None:
    for name in ("vft.toml", "pyproject.toml"):
        candidate = folder / name
        # Anything of this name: a broken link or a pipe is an error, as it hides a configuration.
        table = _table(candidate) if os.path.lexists(candidate) else None
        if table is not None:
            return _config(candidate, table)
    return None


def as_config(config: Config | str | os.PathLike[str] | None, *, path: str | None = None) -> Config:
    """Return *config*, or the configuration at this path.

    None is the nearest configuration of the file at *path*, or of the current folder. Raises ConfigError.
    """
    if isinstance(config, Config):
        return config
    if config is not None:
        return load_config(Path(config))
    nearest = load_config()
    return nearest if path is None else nearest_configs(nearest)(path)


def _table(path: Path) -> Any:
    content = read_toml(path, ConfigError)
    if path.name != "pyproject.toml":
        return content
    tools = content.get("tool", {})
    return tools.get("vft") if isinstance(tools, dict) else None


def _config(path: Path, table: Any) -> Config:
    schema = read_schema("config.schema.json")
    for problem in chain(bound_problems(table), schema_problems(schema, table), infinite_problems(table)):
        raise ConfigError(f"{path}: {problem}")
    data: Mapping[str, Any] = table.get("data", {})
    settings = {key.replace("-", "_"): value for key, value in table.items() if key != "data"}
    return Config(
        path=path,
        folder=path.parent,
        data={
            split: [data[split]] if isinstance(data[split], str) else data[split]
            for split in SPLITS
            if split in data
        },
        **settings,
    )
