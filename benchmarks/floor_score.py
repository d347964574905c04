"""The floor of scoring: orjson reads each prediction, and the metric compares the two answers."""

from __future__ import annotations

import sys

import orjson
from measuring import measured

from pytest_vft.evaluation.scoring import normalise_text


def right(path: str) -> int:
    """Return the number of right answers in the file at *path*."""
    with open(path, "rb") as file:  # noqa: PTH123 - a floor uses the fastest call
        predictions = [orjson.loads(line) for line in file]
    number = 0
    for prediction in predictions:
        said, truth = prediction["predicted_answer"], prediction["actual_answer"]
        number += normalise_text(said) == normalise_text(truth)
    return number


if __name__ == "__main__":
    measured(lambda: right(sys.argv[1]))
