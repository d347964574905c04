"""Plan a job with one training file; print CPU seconds and memory, which should not grow with the file.

    python benchmarks/plan_job.py data.jsonl

This is the work of `vft submit plan`: lint, hash, and stream each byte through the client into a recording
transport.
"""

from __future__ import annotations

import sys

from measuring import measured

from pytest_vft.model import Source
from pytest_vft.runs.config import Config
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.submission import make_plan, read_submission
from pytest_vft.submission import job, requests  # noqa: F401 - late imports are not part of the measurement


def plan(path: str) -> int:
    """Return the number of bytes that would be sent."""
    settings = Settings(config=Config(), sources=(Source(path),), depth="header")
    made = make_plan(read_submission(settings), {}, today=settings.provider.checked)
    return sum(request.bytes for request in made.requests)


if __name__ == "__main__":
    measured(lambda: plan(sys.argv[1]))
