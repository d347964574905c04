"""The work of floor_score.py, done by pytest_vft.evaluate(), which also checks for irregular ids."""

from __future__ import annotations

import sys

from measuring import measured

from pytest_vft.evaluation.scoring import Scoring
from pytest_vft.runs.evaluation import evaluate


def right(path: str) -> int:
    """Return the number of right answers in the file at *path*."""
    marks = evaluate(path).marks(None, Scoring(metric="normalised_exact"))
    return sum(mark.right is True for mark in marks)


if __name__ == "__main__":
    measured(lambda: right(sys.argv[1]))
