"""Environments with the code of providers, made by .ci/targets in the folder that VFT_TEST_TARGETS names."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

FOLDER = os.environ.get("VFT_TEST_TARGETS", "")
# No library asks its hub for anything, or draws a bar of progress.
QUIET = {
    **dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"), "1"),
    **dict.fromkeys(("TOGETHER_DISABLE_TQDM", "HF_DATASETS_DISABLE_PROGRESS_BARS"), "true"),
}
OURS = ("PYTHONPATH", "PYTHONWARNINGS", "COVERAGE_PROCESS_START")


class JudgedFile(NamedTuple):
    """What code of a provider says of a file: rows read, images opened (None: opens none), and why not."""

    rows: int | None
    images: int | None
    problem: str | None


def run_judge(environment: str, judge: str, *files: Path) -> Sequence[JudgedFile]:
    """Run *judge* of judges.py on *files* in an *environment*; skip the test where that is not installed."""
    python = Path(FOLDER, environment, "bin", "python")
    if not FOLDER or not python.exists():
        pytest.skip(f"VFT_TEST_TARGETS names no folder with the environment {environment} (.ci/targets)")
    program = Path(__file__).with_name("judges.py")
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    done = subprocess.run(
        [python, program, judge, *files],
        env={**kept, **QUIET},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [JudgedFile(**verdict) for verdict in json.loads(done.stdout.splitlines()[-1])]
