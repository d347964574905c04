"""Answers of an API, saved as they arrive so that no request is sent twice."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock

from pytest_vft.errors import EvaluationError
from pytest_vft.regular_files import read_bytes


def request_key(
    address: str,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    parameters: Mapping[str, Any],
    repeat: int = 1,
) -> str:
    """Return the key of a request: the SHA-256 of its server, model, messages, parameters and *repeat*."""
    request = [address, model, messages, parameters, *([repeat] if repeat > 1 else [])]
    return hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest()


class Transcript:
    """A JSONL file of answers, each with the `key` of its request; errors are not saved.

    Each answer is flushed to disk before the next one is accepted, so a process that is killed loses
    only the answers in flight. Raises EvaluationError for a file that is not a transcript.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, Mapping[str, Any]] = {}
        data = read_bytes(path) if path.exists() else b""
        *lines, torn = data.split(b"\n")
        for number, line in enumerate(lines, 1):
            answer = None
            with suppress(orjson.JSONDecodeError):
                answer = orjson.loads(line)
            if not isinstance(answer, dict) or not isinstance(answer.get("key"), str):
                raise EvaluationError(f"{path}:{number:,}: not a line of a transcript; use another file")
            self.answers[answer["key"]] = answer
        self._whole = len(data) - len(torn)

    def append(self, answer: Mapping[str, Any]) -> None:
        """Write *answer*, which contains its key, after the last complete line."""
        line = orjson.dumps(answer) + b"\n"
        with self.path.open("ab") as file:
            file.truncate(self._whole)  # removes an incomplete line of a process that was killed
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._whole += len(line)
        self.answers[answer["key"]] = answer


@contextmanager
def open_transcript(path: Path, *, fresh: bool = False) -> Iterator[Transcript]:
    """Wait for exclusive access to the transcript at *path*, and yield it.

    With *fresh* a transcript that exists is renamed to *path*.old, and a new one is started.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    with FileLock(Path(tempfile.gettempdir()) / f"vft-transcript-{name}.lock"):
        transcript = Transcript(path)
        if fresh and transcript.answers:
            path.replace(f"{path}.old")
            transcript = Transcript(path)
        yield transcript
