"""The first configuration, hook and workflow of a project: what is missing, and writing it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.catalogue.providers import is_provider_file, load_provider, read_provider_file
from pytest_vft.errors import UsageError
from pytest_vft.formats.detection import FirstExamples
from pytest_vft.model import Split
from pytest_vft.regular_files import read_bytes
from pytest_vft.report.start import Addition, configuration_text, hook_text, provider_text, workflow_text
from pytest_vft.runs.changes import ignored_files
from pytest_vft.runs.config import Config, load_config, relative_path
from pytest_vft.runs.sources import expand, split_of_name

_HOOKS, _WORKFLOWS = ".pre-commit-config.yaml", ".github/workflows"


class Start(NamedTuple):
    """What a project lacks.

    *left_out* has the JSON Lines files that are not listed, by reason. *is_listed* tells whether the
    configuration lists data. *root* is the root of the git repository if the current folder is below it.
    """

    additions: tuple[Addition, ...]
    left_out: Mapping[str, Sequence[str]]
    is_listed: bool
    root: str | None


def plan_start(provider: str | None = None) -> Start:
    """Return what the project in the current folder lacks. Nothing is written.

    Raises UsageError for an unknown provider, and ConfigError for a configuration that cannot be read.
    """
    if provider and is_provider_file(provider):
        read_provider_file(Path(provider), shipped_rules())
    elif provider:
        load_provider(provider)
    root = _git_root()
    datasets, left_out = _find_datasets(in_git=root is not None)
    config = load_config()
    release = version("pytest-vft")
    below = root is not None and root != Path.cwd()
    return Start(
        (
            _configuration(datasets, provider) if config.path is None else _existing(config, provider),
            *(() if below else (_hook(datasets, release), *_workflow(release))),
        ),
        left_out,
        bool(config.data if config.path else datasets),
        relative_path(str(root)) if below else None,
    )


def write_addition(addition: Addition) -> None:
    """Write a new file or a new end of a file. Raises OSError, and UsageError if a new file exists."""
    path, text, kind = addition
    if kind == "new":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            with Path(path).open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except FileExistsError:
            raise UsageError(f"{path}: exists; nothing was written to it") from None
    elif kind == "end":
        end = _end(read_bytes(path), text)
        with Path(path).open("ab") as binary:  # which keeps owner and mode
            binary.write(end)


def _git_root() -> Path | None:
    folder = Path.cwd()
    return next((one for one in (folder, *folder.parents) if os.path.lexists(one / ".git")), None)


def _find_datasets(*, in_git: bool) -> tuple[Mapping[Split, Sequence[str]], Mapping[str, Sequence[str]]]:
    """Return the datasets below the current folder by split, and the other files by reason."""
    datasets: dict[Split, list[str]] = {}
    left_out: dict[str, list[str]] = {}
    try:
        paths = expand(os.curdir)
    except UsageError:  # no files
        return datasets, left_out
    ignored = _ignored() if in_git else ()
    for path in paths:
        name = os.path.relpath(path).replace(os.sep, "/")
        if any(name == one or (one.endswith("/") and name.startswith(one)) for one in ignored):
            left_out.setdefault("ignored by git", []).append(name)
        elif not FirstExamples(path).names:
            left_out.setdefault("no dataset", []).append(name)
        elif not name.isprintable():
            left_out.setdefault("control characters or invalid bytes in the name", []).append(name)
        else:
            datasets.setdefault(split_of_name(name) or "train", []).append(name)
    return datasets, left_out


def _ignored() -> Sequence[str]:
    try:
        return ignored_files()
    except UsageError:  # without git; what is found is printed
        return ()


def _existing(config: Config, provider: str | None) -> Addition:
    """Return what *config*, which exists, lacks: at most the *provider*."""
    path = relative_path(str(config.path))
    if provider in (None, config.provider):
        return Addition(path, "", "present")
    is_table = Path(path).name == "pyproject.toml"
    return Addition(path, provider_text(provider, config.provider, table=is_table), "by hand")


def _configuration(datasets: Mapping[Split, Sequence[str]], provider: str | None) -> Addition:
    project = "pyproject.toml"
    if not os.path.lexists(project):
        return Addition("vft.toml", configuration_text(datasets, provider, table=False), "new")
    text = configuration_text(datasets, provider, table=True)
    content = read_bytes(project)
    try:
        tomllib.loads((content + _end(content, text)).decode())
    except tomllib.TOMLDecodeError:  # such as tool = {}
        return Addition(project, text, "by hand")
    return Addition(project, text, "end")


def _hook(datasets: Mapping[Split, Sequence[str]], release: str) -> Addition:
    if not os.path.lexists(_HOOKS):
        return Addition(_HOOKS, hook_text(datasets, release, whole=True), "new")
    present = _runs_vft(read_bytes(_HOOKS))
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
        if path.is_file() and _runs_vft(read_bytes(path)):
            yield Addition(path.as_posix(), "", "present")
            return
    path = Path(_WORKFLOWS, "datasets.yml")
    yield Addition(path.as_posix(), workflow_text(release), "by hand" if os.path.lexists(path) else "new")


def _runs_vft(content: bytes) -> bool:
    """Return whether the YAML *content* names our action or hooks, or a command that checks data."""
    without_comments = re.sub(rb"(?m)(?:^|[ \t])#.*", b"", content)
    return bool(re.search(rb"pytest-vft/pytest-vft|\b(?:pytest_)?vft[ \t]+check\b|--vft-", without_comments))


def _end(content: bytes, text: str) -> bytes:
    """Return *text* as an end of *content*, with the ends of lines that *content* has."""
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    between = b"" if not content else newline if content.endswith(b"\n") else 2 * newline
    return between + text.encode().replace(b"\n", newline)
