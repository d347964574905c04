"""`[tool.vft]` of pyproject.toml, or vft.toml: the same for every entry point."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pytest_vft.errors import ConfigError
from pytest_vft.json_schema import schema_problems
from pytest_vft.model import SPLITS, Severity, Split

MAX_FINDINGS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration file as it was read; *folder* is what its paths are relative to.

    *ignore* maps patterns of rules to reasons, *per_file_ignores* globs of files to such tables,
    *allow* rules to the number of findings that are tolerated.
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
    """Return the configuration at *path*, else the first found from *start* (here) upwards.

    In one folder vft.toml wins over the [tool.vft] of pyproject.toml.
    Raises ConfigError, which names file, key and the likely intention.
    """
    if path is not None:
        table = _table(path)
        if table is None:
            raise ConfigError(f"{path}: no [tool.vft] in it")
        return _config(path, table)
    folder = (start or Path()).resolve()
    for parent in (folder, *folder.parents):
        for name in ("vft.toml", "pyproject.toml"):
            candidate = parent / name
            table = _table(candidate) if candidate.is_file() else None
            if table is not None:
                return _config(candidate, table)
    return Config()


def _table(path: Path) -> Any:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    if path.name != "pyproject.toml":
        return content
    tools = content.get("tool", {})
    return tools.get("vft") if isinstance(tools, dict) else None


@cache
def config_schema() -> Mapping[str, Any]:
    """Return the JSON Schema of a configuration."""
    schema: Mapping[str, Any] = json.loads(Path(__file__).with_name("config.schema.json").read_bytes())
    return schema


def _config(path: Path, table: Any) -> Config:
    for problem in schema_problems(config_schema(), table):
        raise ConfigError(f"{path}: {problem}")
    data: Mapping[str, Any] = table.get("data", {})
    settings = {key.replace("-", "_"): value for key, value in table.items() if key != "data"}
    return Config(
        path=path,
        folder=path.parent,
        data={split: _list(data[split]) for split in SPLITS if split in data},
        **settings,
    )


def _list(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
