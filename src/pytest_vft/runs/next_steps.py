"""What to do with converted files: commands and lines to copy, in which each file name is quoted."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_vft.formats.registry import load_writer
from pytest_vft.formats.writers.base import FileShape
from pytest_vft.runs.conversion_target import ConversionTarget

_FILE = re.compile(r"""(["'])\{file\}\1|\{file\}""")


def next_steps(
    target: ConversionTarget, data_format: str, shape: FileShape, out: Path, files: Sequence[str]
) -> Iterator[str]:
    """Yield what to do with *files*, the paths of what was written into *out*."""
    has_images = (out / "images").is_dir()
    if target.prefix and has_images:
        yield f"copy {shlex.quote(str(out / 'images'))} to {shlex.quote(f'{target.prefix}images')}"
    yield from load_writer(data_format).advice(shape)
    provider = target.provider
    if provider.job_api:
        yield f"vft submit plan {shlex.quote(files[0])} --provider={provider.id}"
    elif provider.upload_command:
        yield " && ".join(provider.upload_command.replace("{file}", shlex.quote(file)) for file in files)
    elif provider.load_snippet:
        if has_images and not target.prefix:  # trainers look for images below the current folder
            yield f"cd {shlex.quote(str(out))}   # the paths of images start there"
            files = [str(Path(file).relative_to(out)) for file in files]
        yield from _loading(provider.load_snippet, files)
    elif provider.source:
        yield f"upload the files with {provider.name}'s own client; vft submit has no job API for it"


def _loading(snippet: str, files: Sequence[str]) -> Iterator[str]:
    """Yield *snippet* for the first of *files*, and the names of the others."""
    if files[0].endswith(".parquet"):
        snippet = snippet.replace('load_dataset("json"', 'load_dataset("parquet"')
    yield with_file(snippet, files[0])
    if len(files) > 1:
        yield f"likewise for {' '.join(map(shlex.quote, files[1:]))}"


def with_file(snippet: str, file: str) -> str:
    """Return *snippet* with the path *file* in the places of {file}.

    In quotes the path becomes a string of Python, YAML and JSON alike, elsewhere a word of a shell.
    """

    def quoted(place: re.Match[str]) -> str:
        return json.dumps(file, ensure_ascii=False) if place[1] else shlex.quote(file)

    return _FILE.sub(quoted, snippet)
