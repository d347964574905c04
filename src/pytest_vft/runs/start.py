"""The first configuration, hook and workflow of a project: what is missing, and writing it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.catalogue.providers import is_provider_file, provider_ids, read_provider_file
from pytest_vft.errors import ConfigError, UsageError
from pytest_vft.formats.detection import FirstExamples
from pytest_vft.model import Split
from pytest_vft.regular_files import read_bytes
from pytest_vft.report.start import Addition, configuration_text, hook_text, workflow_text
from pytest_vft.runs.sources import expand, split_of_name
from pytest_vft.text import nearest
from pytest_vft.toml import read_toml
from pytest_vft.writing import replacing

_HOOKS, _WORKFLOWS = ".pre-commit-config.yaml", ".github/workflows"


class Start(NamedTuple):
    """What a project lacks; *others* are its JSON Lines files that are no datasets."""

    additions: tuple[Addition, ...]
    others: tuple[str, ...]


def plan_start(provider: str | None = None) -> Start:
    """Return what the project in the current folder lacks. Nothing is written.

    Raises UsageError for an unknown provider, and ConfigError for a pyproject.toml that cannot be read.
    """
    if provider and provider not in provider_ids() and not is_provider_file(provider):
        raise UsageError(f"unknown provider {provider!r}{nearest(provider, provider_ids())}")
    if provider and provider not in provider_ids():
        read_provider_file(Path(provider), shipped_rules())
    datasets, others = _find_datasets()
    release = version("pytest-vft")
    return Start(
        (
            _configuration(datasets, provider),
            _hook(datasets, release),
            *_workflow(release),
        ),
        others,
    )


def write_start(start: Start) -> None:
    """Write the new files and new ends of files. Raises OSError, and UsageError if a new file exists."""
    for path, text, kind in start.additions:
        if kind == "new":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            try:
                with Path(path).open("x", encoding="utf-8", newline="\n") as file:
                    file.write(text)
            except FileExistsError:
                raise UsageError(f"{path}: exists; nothing was written to it") from None
        elif kind == "end":
            content = _with_end(read_bytes(path), text)
            with replacing(path) as binary:
                binary.write(content)


def _find_datasets() -> tuple[Mapping[Split, Sequence[str]], tuple[str, ...]]:
    """Return the datasets below the current folder by split, and the other files with their suffixes."""
    datasets: dict[Split, list[str]] = {}
    others = []
    try:
        paths = expand(os.curdir)
    except UsageError:  # no files
        paths = []
    for path in paths:
        name = os.path.relpath(path).replace(os.sep, "/")
        if name.isprintable() and FirstExamples(path).names:
            datasets.setdefault(split_of_name(name) or "train", []).append(name)
        else:
            others.append(name)
    return datasets, tuple(others)


def _configuration(datasets: Mapping[Split, Sequence[str]], provider: str | None) -> Addition:
    if os.path.lexists("vft.toml"):
        return Addition("vft.toml", "", "present")
    project = "pyproject.toml"
    if not os.path.lexists(project):
        return Addition("vft.toml", configuration_text(datasets, provider, table=False), "new")
    tools = read_toml(Path(project), ConfigError).get("tool", {})
    if "vft" in tools:
        return Addition(project, "", "present")
    text = configuration_text(datasets, provider, table=True)
    try:
        tomllib.loads(_with_end(read_bytes(project), text).decode())
    except tomllib.TOMLDecodeError:  # such as tool = {}
        return Addition(project, text, "by hand")
    return Addition(project, text, "end")


def _hook(datasets: Mapping[Split, Sequence[str]], release: str) -> Addition:
    if not os.path.lexists(_HOOKS):
        return Addition(_HOOKS, hook_text(datasets, release, whole=True), "new")
    present = b"pytest-vft/pytest-vft" in read_bytes(_HOOKS)
    return Addition(
        _HOOKS,
        "" if present else hook_text(datasets, release, whole=False),
        "present" if present else "by hand",
    )


def _workflow(release: str) -> Iterator[Addition]:
    """Yield the workflow; none if another service than GitHub runs the tests."""
    if os.path.lexists(".gitlab-ci.yml"):
        return
    for path in sorted(Path(_WORKFLOWS).glob("*.y*ml")):
        if path.is_file() and b"vft" in read_bytes(path):
            yield Addition(path.as_posix(), "", "present")
            return
    path = Path(_WORKFLOWS, "datasets.yml")
    yield Addition(path.as_posix(), workflow_text(release), "by hand" if os.path.lexists(path) else "new")


def _with_end(content: bytes, text: str) -> bytes:
    """Return *content* and *text*, with the ends of lines that *content* has."""
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    between = b"" if not content else newline if content.endswith(b"\n") else 2 * newline
    return content + between + text.encode().replace(b"\n", newline)
