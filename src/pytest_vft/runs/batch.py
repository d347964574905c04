"""The questions of a test split written as input of the Batch API."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pytest_vft.errors import UsageError
from pytest_vft.evaluation import batch
from pytest_vft.evaluation.live import Live
from pytest_vft.evaluation.matching import label_questions
from pytest_vft.evaluation.predictions import as_keys, read_ids
from pytest_vft.evaluation.questions import ID_PATTERN, normalise_id, read_questions
from pytest_vft.naming import option
from pytest_vft.runs.evaluation_options import read_pairs
from pytest_vft.runs.live import select_questions
from pytest_vft.writing import write_text

_USED = ("test", "model", "keys", "id_pattern", "ids")


class WrittenBatch(NamedTuple):
    """A file of input of the Batch API for the questions of a test split."""

    path: str
    test: str
    requests: int
    bytes: int

    @property
    def is_too_large(self) -> bool:
        """Whether OpenAI refuses the file."""
        return self.requests > batch.MOST_REQUESTS or self.bytes > batch.MOST_BYTES


def write_batch(path: str, options: Mapping[str, Any]) -> WrittenBatch:
    """Write the questions that *options* describe to *path*: values by the names of `vft eval`, with _ for -.

    Raises UsageError for invalid options, EvaluationError for a file that is not a test split.
    """
    given = {name: value for name, value in options.items() if value not in (None, False)}
    superfluous = [name for name in given if name not in _USED]
    if superfluous:
        name = option(superfluous[0].replace("_", "-"))
        raise UsageError(f"{option('write-batch')} judges nothing, so it does not take {name}")
    if "test" not in given or "model" not in given:
        needed = (option("test", "FILE"), option("model", "MODEL"))
        raise UsageError(f"{option('write-batch')} needs {' and '.join(needed)}")
    keys = as_keys(read_pairs("keys", given.get("keys", "")))
    pattern = given.get("id_pattern", ID_PATTERN)
    questions = read_questions(
        given["test"], id_keys=keys.id, actual_keys=keys.actual, id_pattern=pattern
    )
    if "ids" in given:
        questions = select_questions(questions, {normalise_id(id_) for id_ in read_ids(given["ids"])})
    parameters = Live(model=given["model"]).parameters
    lines = list(batch.requests(label_questions(questions), questions, given["model"], parameters))
    try:
        write_text(Path(path), b"".join(lines).decode(), inputs=[given["test"]])
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return WrittenBatch(path, os.fspath(given["test"]), len(lines), sum(map(len, lines)))
