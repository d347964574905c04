"""The configuration: `[tool.vft]` of pyproject.toml, or vft.toml."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from pytest_vft.errors import ConfigError
from pytest_vft.json_schema import schema_problems
from pytest_vft.model import SPLITS, Severity, Split
from pytest_vft.resources import read_schema
from pytest_vft.toml import bound_problems, infinite_problems, read_toml

MAX_FINDINGS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The content of a configuration file; its paths are relative to *folder*.

    *ignore* maps patterns of rules to reasons, *per_file_ignores* maps globs of files to such tables,
    and *allow* maps rules to the number of tolerated findings.
    """

    path: Path | None = None
    folder: Path = field(default_factory=Path)
    provider: str = "openai"
    model: str | None = None
    data: Mapping[Split, Sequence[str]] = field(default_factory=dict)
    select: Sequence[str] | None = None
    ignore: Mapping[str, str] = field(default_factory=dict)
    per_file_ignores: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    allow: Mapping[str, int] = field(default_factory=dict)
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    severity: Mapping[str, Severity] = field(default_factory=dict)
    rules: Sequence[str] = ()
    max_findings: int = MAX_FINDINGS
    submit: Mapping[str, Any] = field(default_factory=dict)


def load_config(path: Path | None = None, *, start: Path | None = None) -> Config:
    """Return the configuration at *path*, else the nearest one in *start* (the current folder) or above.

    vft.toml takes precedence over pyproject.toml in the same folder. Raises ConfigError.
    """
    if path is not None:
        table = _table(path)
        if table is None:
            raise ConfigError(f"{path}: has no [tool.vft]")
        return _config(path, table)
    folder = (start or Path()).resolve()
    for parent in (folder, *folder.parents):
        for name in ("vft.toml", "pyproject.toml"):
            candidate = parent / name
            exists = candidate.is_file() or candidate.is_symlink()  # a broken link is an error
            table = _table(candidate) if exists else None
            if table is not None:
                return _config(candidate, table)
    return Config()


def as_config(config: Config | str | os.PathLike[str] | None) -> Config:
    """Return *config*, or the configuration at this path; see load_config(). Raises ConfigError."""
    return config if isinstance(config, Config) else load_config(None if config is None else Path(config))


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
