"""The readers of providers, run in a process of their own: `python -P -m pytest_vft.loaders.script`.

Standard input is a job as JSON, {"loader", "files", "roots"}; standard output is the answer as JSON. Readers
are code of others, and print what they like, so their output goes to the null device.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pytest_vft.loaders.images import ImageOpener

_Rows = Iterator[tuple[int, Mapping[str, Any]]]


class RefusedError(Exception):
    """A reader does not take the files; the message names the place and quotes the reader."""


def together(files: Sequence[str], _: ImageOpener) -> None:
    """Run the checker of Together's client, which has one up to version 2.14 only."""
    from together.lib.utils.files import check_file  # type: ignore[import-not-found]  # noqa: PLC0415 - see above

    for file in files:
        report = check_file(file)
        if not report["is_check_passed"]:
            line = report.get("line_number")
            place = f"{file}:{line}" if line else file
            raise RefusedError(f"{place}: {report.get('message') or 'refused without a message'}")


def datasets(files: Sequence[str], _: ImageOpener) -> None:
    """Load the files as Hugging Face datasets; no image is opened."""
    for file in files:
        deque(_rows(file), 0)


def transformers(files: Sequence[str], opener: ImageOpener) -> None:
    """Load the files as Hugging Face datasets, and open the images of their rows with load_image."""
    for file in files:
        for number, row in _rows(file):
            _open_all(file, number, opener.of_messages(row), opener, file)
            _open_all(file, number, opener.of_columns(row), opener, file)


def trl(files: Sequence[str], opener: ImageOpener) -> None:
    """Load the files as TRL does: a row without a column for images is text, whatever its messages have."""
    from trl.data_utils import prepare_multimodal_messages  # type: ignore[import-not-found]  # noqa: PLC0415 - as above

    for file in files:
        for number, row in _rows(file):
            columns = list(opener.of_columns(row))
            if "images" not in row and "image" not in row:
                continue
            try:
                for key in ("messages", "prompt"):
                    if row.get(key):
                        prepare_multimodal_messages(row[key], images=columns)
            except Exception as error:
                raise RefusedError(f"{file}:{number}: {_words(error)}") from error
            _open_all(file, number, columns or opener.of_messages(row), opener, file)


def google_genai(files: Sequence[str], _: ImageOpener) -> None:
    """Read the contents of each line as types.Content of google-genai."""
    from google.genai import types  # noqa: PLC0415 - as above

    for file in files:
        with open(file, encoding="utf-8-sig") as lines:  # noqa: PTH123 - a path as the user wrote it
            for number, line in enumerate(lines, 1):
                try:
                    value = json.loads(line)
                    contents = [*value["contents"], *filter(None, [value.get("systemInstruction")])]
                    for content in contents:
                        types.Content.model_validate(content)
                except Exception as error:
                    raise RefusedError(f"{file}:{number}: {_words(error)}") from error


# The readers by the names that provider files use, with the distribution that has them.
READERS: Mapping[str, tuple[str, Callable[[Sequence[str], ImageOpener], None]]] = {
    "together": ("together", together),
    "datasets": ("datasets", datasets),
    "transformers": ("datasets", transformers),
    "trl": ("trl", trl),
    "google-genai": ("google-genai", google_genai),
}


def answer(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the reader of *job* says: its name and version, the images that it opened, its problem."""
    distribution, read = READERS[job["loader"]]
    try:
        reader = f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return {"reader": distribution, "installed": False}
    opener = ImageOpener(job["roots"], counts=read in (transformers, trl))
    if opener.opened is not None:
        reader = f"{reader} and transformers {version('transformers')}"
    problem = None
    try:
        read(job["files"], opener)
    except RefusedError as error:
        problem = str(error)
    except ImportError as error:
        return {"reader": reader, "problem": f"this version cannot be used: {_words(error)}"}
    except Exception as error:  # noqa: BLE001 - code of others raises anything
        problem = _words(error)
    return {"reader": reader, "images": opener.opened, "problem": problem, "unopened": opener.unopened}


def _rows(file: str) -> _Rows:
    """Yield the rows of *file*, with their numbers from 1, as datasets' JSON reader gives them."""
    from datasets import load_dataset  # type: ignore[import-not-found]  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory(prefix="vft-") as cache:
        try:
            rows = load_dataset("json", data_files=file, split="train", cache_dir=cache)
        except Exception as error:
            cause = error.__cause__ or error
            raise RefusedError(f"{file}: {_words(cause)}") from error
        yield from enumerate(rows, 1)


def _open_all(file: str, number: int, images: Any, opener: ImageOpener, beside: str) -> None:
    for image in images:
        try:
            opener.open(image, beside)
        except Exception as error:
            raise RefusedError(f"{file}:{number}: {_words(error)}") from error


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def main() -> None:
    """Answer the job on standard input."""
    job = json.loads(sys.stdin.buffer.read())
    ours = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    text = json.dumps(answer(job))
    os.write(ours, text.encode())


if __name__ == "__main__":
    main()
