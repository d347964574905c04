"""Texts of `vft init`: what it adds to a project, and what it prints."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from pytest_vft.model import SPLITS, Split
from pytest_vft.text import count, safe

_SHOWN = 3  # files that are not datasets
_ADDRESS = "https://github.com/pytest-vft/pytest-vft"


class Addition(NamedTuple):
    """A *text* for the file *path*: a new file, an end of a file, for a person to add, or there already."""

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
    lines += ["", f"# [{name}ignore]", '# "image/unsupported-mode" = "why this is in order"']
    return "".join(f"{line}\n" for line in lines)


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


def render_start(additions: Sequence[Addition], others: Sequence[str], *, written: bool) -> str:
    """Return what `vft init` prints; *others* are files that are not datasets."""
    heads = {
        "new": "wrote" if written else "would write",
        "end": "added to the end of" if written else "would add to the end of",
        "by hand": "for you to add to",
        "present": "is there already:",
    }
    lines = []
    for path, text, kind in additions:
        lines.append(f"{heads[kind]} {safe(path, None)}")
        if not written or kind == "by hand":
            lines += [f"    {safe(line, None)}".rstrip() for line in text.splitlines()]
    if others:
        shown = [safe(path) for path in others[:_SHOWN]]
        shown += [f"{len(others) - _SHOWN:,} more"] if len(others) > _SHOWN else []
        lines.append(f"no dataset: {', '.join(shown)}")
    open_ = [one for one in additions if one.kind in ("new", "end")]
    if open_ and not written:
        lines.append(f"nothing was written: --write writes {count(len(open_), 'file')}")
    return "".join(f"{line}\n" for line in lines)


def _quoted(text: str) -> str:
    """Return *text* as a string of TOML; it has no control characters."""
    return json.dumps(text, ensure_ascii=False)
