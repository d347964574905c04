"""Texts of `vft init`: what it adds to a project, and what it prints."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from pytest_vft.model import SPLITS, Split
from pytest_vft.text import count, safe

_SHOWN = 3  # files that are not listed
_ADDRESS = "https://github.com/pytest-vft/pytest-vft"


class Addition(NamedTuple):
    """A *text* for the file *path*: a new file, an end of a file, to be added by hand, or none to add."""

    path: str
    text: str
    kind: Literal["new", "end", "by hand", "present"]


def configuration_text(datasets: Mapping[Split, Sequence[str]], provider: str | None, *, table: bool) -> str:
    """Return a configuration in TOML with comments; *table* is for pyproject.toml, else for vft.toml."""
    name = "tool.vft." if table else ""
    lines = ["# https://github.com/pytest-vft/pytest-vft/blob/main/docs/reference/configuration.md"]
    lines += ["[tool.vft]"] if table else []
    lines += [f"provider = {_quoted(provider)}" if provider else '# provider = "openai"']
    lines += ['# extend-select = ["image/blurry"]', "", f"[{name}data]"]
    for split in SPLITS:
        files = datasets.get(split, ())
        lines += [f"{split} = [", *(f"    {_quoted(file)}," for file in files), "]"] if files else []
        lines += [] if files else [f'# {split} = "data/{split}*.jsonl"']
    lines += ["", f"# [{name}ignore]", '# "image/unsupported-mode" = "why this is acceptable"']
    return "".join(f"{line}\n" for line in lines)


def provider_text(provider: str, now: str | None, *, table: bool) -> str:
    """Return the line of *provider* for a configuration that exists and has the provider *now*."""
    comment = f"  # now {_quoted(now)}" if now else ""
    return ("[tool.vft]\n" if table else "") + f"provider = {_quoted(provider)}{comment}\n"


def hook_text(datasets: Mapping[Split, Sequence[str]], version: str, *, whole: bool) -> str:
    """Return the entry of .pre-commit-config.yaml, or the *whole* file."""
    files = "|".join(re.escape(file) for split in SPLITS for file in datasets.get(split, ()))
    lines = [f"- repo: {_ADDRESS}", f"  rev: v{version}", "  hooks:", "    - id: vft"]
    lines += ["      files: " + json.dumps(f"^({files})$", ensure_ascii=False)] if files else []
    return "".join(f"{line}\n" for line in (["repos:", *(f"  {line}" for line in lines)] if whole else lines))


def workflow_text(version: str) -> str:
    """Return a workflow of GitHub that checks the files of the configuration."""
    return f"""\
name: datasets
on: [push, pull_request]
permissions:
  contents: read
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v7
        with:
          lfs: true  # without this, Git LFS leaves pointers in place of datasets
      - uses: pytest-vft/pytest-vft@v{version}
"""


def render_addition(addition: Addition, *, written: bool) -> str:
    """Return what `vft init` prints about *addition*, which is *written* or would be."""
    path, text, kind = addition
    name = safe(path, None)
    head = {
        "new": f"{'wrote' if written else 'would write'} {name}",
        "end": f"{'added' if written else 'would add'} to the end of {name}",
        "by hand": f"add to {name} by hand",
        "present": f"kept: {name} (exists)",
    }[kind]
    lines = [head]
    if not written or kind == "by hand":
        lines += [f"    {safe(line, None)}".rstrip() for line in text.splitlines()]
    return "".join(f"{line}\n" for line in lines)


def render_rest(
    additions: Sequence[Addition],
    left_out: Mapping[str, Sequence[str]],
    is_listed: bool,  # noqa: FBT001 - the fields of Start
    root: str | None,
    *,
    written: bool,
) -> str:
    """Return what `vft init` prints after its *additions*; the arguments are the fields of Start."""
    lines = []
    for why, files in left_out.items():
        shown = [safe(path) for path in files[:_SHOWN]]
        shown += [f"{len(files) - _SHOWN:,} more"] if len(files) > _SHOWN else []
        lines.append(f"not listed, {why}: {', '.join(shown)}")
    if root is not None:
        lines.append(f"hook and workflow: run vft init in {safe(root, None)}, the root of the git repository")
    open_ = [one for one in additions if one.kind in ("new", "end")]
    if open_ and not written:
        lines.append(f"nothing was written: --write writes {count(len(open_), 'file')}")
    elif is_listed:
        lines.append("next: vft check")
    else:
        config = additions[0].path
        table = "[tool.vft.data]" if config.endswith("pyproject.toml") else "[data]"
        lines.append(f"next: list the datasets under {table} in {safe(config, None)}")
        lines.append("until then, vft check and the workflow fail")
    return "".join(f"{line}\n" for line in lines)


def _quoted(text: str) -> str:
    """Return *text* as a string of TOML; it has no control characters."""
    return json.dumps(text, ensure_ascii=False)
