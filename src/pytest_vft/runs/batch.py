"""The questions of a test split written as input of the Batch API."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

from pytest_vft.errors import UsageError
from pytest_vft.evaluation.batch import WrittenBatch, requests
from pytest_vft.evaluation.live import Live
from pytest_vft.evaluation.predictions import as_keys, read_ids
from pytest_vft.evaluation.question_labels import label_questions
from pytest_vft.evaluation.questions import ID_PATTERN, Question, normalise_id, read_questions
from pytest_vft.naming import option
from pytest_vft.reading.object_paths import is_object
from pytest_vft.runs.option_values import read_pairs
from pytest_vft.text import safe
from pytest_vft.writing import replacing

_USED = ("test", "model", "keys", "id_pattern", "ids", "data_format", "image_root")


def write_batch(path: str, given: Mapping[str, Any]) -> WrittenBatch:
    """Write questions to *path* by the options *given*, with the names of `vft eval` and _ for -.

    Raises UsageError for invalid options, EvaluationError for a file that is not a test split, OSError.
    """
    superfluous = [name for name in given if name not in _USED]
    if superfluous:
        name = "predictions" if "predictions" in given else option(superfluous[0].replace("_", "-"))
        raise UsageError(f"{option('write-batch')} judges nothing; leave out {name}")
    if "test" not in given or "model" not in given:
        needed = (option("test", "FILE"), option("model", "MODEL"))
        raise UsageError(f"{option('write-batch')} needs {' and '.join(needed)}")
    if is_object(path):
        raise UsageError(f"{path}: is in object storage; expected a file on this machine, to be copied there")
    test, model, keys = given["test"], given["model"], as_keys(read_pairs("keys", given.get("keys", "")))
    pattern = given.get("id_pattern", ID_PATTERN)
    questions = read_questions(
        test,
        id_keys=keys.id,
        actual_keys=keys.actual,
        id_pattern=pattern,
        data_format=given.get("data_format"),
        image_roots=given.get("image_root") or (),
    )
    labels = dict(zip(label_questions(questions), questions, strict=True))
    if "ids" in given:
        labels = _selected(labels, [normalise_id(id_) for id_ in read_ids(given["ids"])])
    if os.path.realpath(path) == os.path.realpath(test):
        raise UsageError(f"{path}: this file is the test split; write to another file")
    number = size = 0
    with replacing(path) as file:
        for line in requests(labels, model, Live(model=model).parameters):
            size += file.write(line)
            number += 1
    return WrittenBatch(path, test, number, size)


def _selected(labels: Mapping[str, Question], ids: Collection[str]) -> dict[str, Question]:
    absent = set(ids) - labels.keys()
    if absent or not ids:
        raise UsageError(f"no question has the id {safe(min(absent, default=''))!r}")
    return {label: question for label, question in labels.items() if label in ids}
