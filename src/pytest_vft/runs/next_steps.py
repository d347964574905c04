"""What to do with converted files: commands and lines to copy, in which each file name is quoted."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_vft.formats.registry import load_writer
from pytest_vft.formats.writers.base import FileShape
from pytest_vft.model import Split
from pytest_vft.runs.conversion_target import ConversionTarget

_FILE = re.compile(r"""(["'])\{(file|name)\}\1|\{(file|name)\}""")


def next_steps(
    target: ConversionTarget, data_format: str, shape: FileShape, out: Path, splits: Mapping[str, Split]
) -> Iterator[str]:
    """Yield what to do with the files that were written into *out*; *splits* has the split of each path."""
    files = list(splits)
    has_images = (out / "images").is_dir()
    if target.prefix and has_images:
        yield f"copy {shlex.quote(str(out / 'images'))} to {shlex.quote(f'{target.prefix}images')}"
    yield from load_writer(data_format).advice(shape)
    provider = target.provider
    if provider.job_api:
        yield from _plans(provider.id, splits)
    elif provider.upload_command:
        command = provider.upload_command
        if target.bucket and target.prefix:  # which names the bucket
            command = command.replace(f"{target.bucket}://BUCKET/", shlex.quote(target.prefix))
        yield " && ".join(command.replace("{file}", shlex.quote(file)) for file in files)
    elif provider.load_snippet:
        if has_images and not target.prefix:  # trainers look for images below the current folder
            yield f"cd {shlex.quote(str(out))}   # the paths of images start there"
            files = [str(Path(file).relative_to(out)) for file in files]
        yield from _loading(provider.load_snippet, files)
    elif provider.source:
        yield f"upload the files with {provider.name}'s own client; vft submit has no job API for it"


def _plans(provider: str, splits: Mapping[str, Split]) -> Iterator[str]:
    """Yield a command for each training file, with the validation file if there is one."""
    validation = [shlex.quote(file) for file, split in splits.items() if split == "validation"]
    with_validation = f" --validation-data={validation[0]}" if len(validation) == 1 else ""
    for file, split in splits.items():
        if split == "train":
            yield f"vft submit plan {shlex.quote(file)}{with_validation} --provider={provider}"


def _loading(snippet: str, files: Sequence[str]) -> Iterator[str]:
    """Yield *snippet* for the first of *files*, and the names of the others."""
    if files[0].endswith(".parquet"):
        snippet = snippet.replace('load_dataset("json"', 'load_dataset("parquet"')
    yield with_file(snippet, files[0])
    if len(files) > 1:
        yield f"likewise for {' '.join(map(shlex.quote, files[1:]))}"


def with_file(snippet: str, file: str) -> str:
    """Return *snippet* with the path *file* in the places of {file}; {name} is its name without the end.

    In quotes the path becomes a string of Python, YAML and JSON alike, elsewhere a word of a shell.
    """

    def quoted(place: re.Match[str]) -> str:
        text = Path(file).stem if "name" in (place[2], place[3]) else file
        return json.dumps(text, ensure_ascii=False) if place[1] else shlex.quote(text)

    return _FILE.sub(quoted, snippet)
