"""Environments with the code of providers, made by .ci/targets in the folder that VFT_TEST_TARGETS names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

import pytest_vft

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
    python = _python(environment)
    program = Path(__file__).with_name("judges.py")
    done = subprocess.run(
        [python, program, judge, *files],
        env=_environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [JudgedFile(**verdict) for verdict in json.loads(done.stdout.splitlines()[-1])]


def run_program(environment: str, program: str) -> None:
    """Run *program* in an *environment*, with the folders of this package and of its requirements in argv.

    Skip the test where the environment is not installed, or for another version of Python.
    """
    python = _python(environment)
    config = Path(FOLDER, environment, "pyvenv.cfg").read_text(encoding="utf-8")
    if not re.search(rf"^version\w* = {sys.version_info[0]}\.{sys.version_info[1]}\.", config, re.MULTILINE):
        pytest.skip("the environment has another version of Python")
    folders = [Path(pytest_vft.__file__).parents[1], sysconfig.get_path("platlib")]
    done = subprocess.run(
        [python, "-c", program, *folders], env=_environ(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _python(environment: str) -> Path:
    python = Path(FOLDER, environment, "bin", "python")
    if not FOLDER or not python.exists():
        pytest.skip(f"VFT_TEST_TARGETS names no folder with the environment {environment} (.ci/targets)")
    return python


def _environ() -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name not in OURS}, **QUIET}
