"""Answers of an API, kept as they come: what was answered once is never asked again."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock

from pytest_vft.errors import EvaluationError
from pytest_vft.text import safe


def request_key(model: str, messages: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]) -> str:
    """Return what a request is known by: the SHA-256 of its model, messages and parameters."""
    request = orjson.dumps([model, messages, parameters], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(request).hexdigest()


class Transcript:
    """A JSONL file of answers, each with the `key` of its request; errors are not kept.

    An answer is on the disk before the next one is taken: what is killed loses those in flight.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Mapping[str, Any]] = {}
        data = path.read_bytes() if path.exists() else b""
        *lines, torn = data.split(b"\n")
        for number, line in enumerate(lines, 1):
            answer = _loads(line)
            if not isinstance(answer, dict) or not isinstance(answer.get("key"), str):
                raise EvaluationError(
                    f"{safe(path, None)}:{number}: no line of a transcript; name another file"
                )
            self.answers[answer["key"]] = answer
        self._whole = len(data) - len(torn)

    def append(self, answer: Mapping[str, Any]) -> None:
        """Write *answer*, which holds its key, behind the last whole line."""
        line = orjson.dumps(answer) + b"\n"
        with self.path.open("ab") as file:
            file.truncate(self._whole)  # the process that wrote the torn line was killed
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._whole += len(line)
        self.answers[answer["key"]] = answer


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


@contextmanager
def open_transcript(path: Path) -> Iterator[Transcript]:
    """Yield the transcript at *path*, which no other process writes to meanwhile; it waits for its turn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    with FileLock(Path(tempfile.gettempdir()) / f"vft-transcript-{name}.lock"):
        yield Transcript(path)
