"""Plan a job of one training file and print CPU seconds and memory; it should not grow with the file.

    python benchmarks/plan_job.py data.jsonl

What `vft submit plan` does: lint, hash, and stream each byte through the client into a transport that
records.
"""

from __future__ import annotations

import sys

from measuring import measured

from pytest_vft.model import Source
from pytest_vft.runs.config import Config
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.submission import make_plan, read_submission
from pytest_vft.submission import job, requests  # noqa: F401 - what is imported late is no cost of the plan


def plan(path: str) -> int:
    """Return how many bytes would be sent."""
    settings = Settings(config=Config(), sources=(Source(path),), depth="header")
    made = make_plan(read_submission(settings), {}, today=settings.provider.checked)
    return sum(request.bytes for request in made.requests)


if __name__ == "__main__":
    measured(lambda: plan(sys.argv[1]))
