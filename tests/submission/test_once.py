"""One job, and each file once: for processes side by side, and for processes that are killed anywhere.

The processes are those of `vft submit apply`, the server is slow and lists late. More rounds, with the delays
of a real server, take 20 minutes:

    VFT_ONCE_ROUNDS=20 VFT_ONCE_SLOW=1 VFT_ONCE_LAG=20 python -m pytest -n 0 -s tests/submission/test_once.py
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_vft.cli import main
from pytest_vft.errors import ServerError
from pytest_vft.runs.submission import apply_plan
from pytest_vft.submission.job import submit
from pytest_vft.submission.record import Record, open_record

from .conftest import connect, request_for, write_data
from .fake_server import FakeServer, Fault

JOBS = "/fine_tuning/jobs"
ROUNDS = int(os.environ.get("VFT_ONCE_ROUNDS", "1"))
SLOW = float(os.environ.get("VFT_ONCE_SLOW", "0.1"))
LAG = float(os.environ.get("VFT_ONCE_LAG", "0.5"))
APPLY = [sys.executable, "-m", "pytest_vft", "submit", "apply", "train.jsonl", "--yes"]


@pytest.fixture
def planned(fake: FakeServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """The server; the current folder has a plan for it, with two files."""
    monkeypatch.setenv("OPENAI_BASE_URL", fake.url)
    write_data(folder / "validation.jsonl", examples=3)
    assert main(["submit", "plan", "train.jsonl", "--validation-data=validation.jsonl"]) == 0
    fake.slow, fake.lag = SLOW, LAG
    return fake


def start() -> subprocess.Popen[str]:
    return subprocess.Popen(APPLY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def created(fake: FakeServer) -> tuple[int, list[str]]:
    """Return the number of jobs, and the names of files."""
    return len(fake.jobs), sorted(file["filename"].partition("-")[0] for file in fake.files.values())


ONCE = (1, ["train", "validation"])


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_two_at_once_make_one_job(planned: FakeServer, _round: int) -> None:
    outputs = [Path("one.txt"), Path("two.txt")]
    with ExitStack() as stack:
        stack.enter_context(open_record(Path("train.plan.record"), lambda: None))
        processes = []
        for path in outputs:
            file = stack.enter_context(path.open("w"))
            processes.append(subprocess.Popen(APPLY, stdout=file, stderr=subprocess.STDOUT))
        while not all("another process applies the plan" in path.read_text() for path in outputs):
            assert [process.poll() for process in processes] == [None, None]
            time.sleep(0.01)

    assert [process.wait() for process in processes] == [0, 0]
    assert created(planned) == ONCE
    assert all(path.read_text().endswith("PASSED  ftjob-1: succeeded\n") for path in outputs)


@pytest.mark.parametrize("_round", range(ROUNDS))
def test_a_process_that_is_killed_and_its_successor_make_one_job(planned: FakeServer, _round: int) -> None:
    whole = 6 * SLOW + 0.2  # seconds from the first request to the answer about the job
    after = random.uniform(0, whole) if ROUNDS > 1 else 5.2 * SLOW  # noqa: S311 - not a secret
    with start() as process:
        while not planned.requests and process.poll() is None:
            time.sleep(0.001)
        time.sleep(after)
        process.kill()
    seen, posts = created(planned), [path for method, path in planned.requests if method == "POST"]

    out, err = (successor := start()).communicate()

    if successor.returncode == 2:  # it was killed between the entry and its request
        assert "Nothing is sent again" in err
        assert planned.jobs == {} or len(planned.files) < 2
        Path("train.plan.record").unlink()
        out, err = (successor := start()).communicate()
    print(f"killed after {after:.2f} s and {posts}: {seen}; {err.count('looking')} looks")  # noqa: T201 - for a long run with -s
    assert (successor.returncode, created(planned)) == (0, ONCE), err
    assert out.endswith("PASSED  ftjob-1: succeeded\n")


FAULTS = st.sampled_from(
    [
        {"drop": True},
        {"drop": True, "late": True},
        {"status": 500},
        {"status": 500, "late": True},
        {"status": 429},
        {"status": 200, "body": "<p>fine</p>", "late": True},
    ]
)


@settings(
    max_examples=int(os.environ.get("VFT_ONCE_EXAMPLES", "20")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(runs=st.lists(st.tuples(FAULTS, FAULTS, st.sampled_from([0, 0.02, 0.1])), min_size=1, max_size=4))
@pytest.mark.usefixtures("folder")
def test_whatever_the_answers_are_nothing_is_created_twice(
    fake: FakeServer, runs: list[tuple[dict[str, object], dict[str, object], float]]
) -> None:
    fake.files, fake.jobs, fake.lag = {}, {}, 0.0
    fake.file_states = ["processed"]
    record, request = Record(), request_for("train.jsonl")
    for file, job, lag in runs:
        fake.faults = [Fault("POST", "/files", **file), Fault("POST", JOBS, **job)]  # type: ignore[arg-type]
        fake.lag = lag
        with suppress(ServerError):
            submit(connect(fake, search=0.05), request, record)
        assert len(fake.files) <= 1
        assert len(fake.jobs) <= 1


def test_waiting_for_another_process_ends(fake: FakeServer, folder: Path) -> None:
    path, request = folder / "a.record", request_for("train.jsonl")

    def apply() -> None:
        apply_plan(connect(fake, deadline=0), request, path)

    with (
        open_record(path, lambda: None),
        pytest.raises(ServerError, match="another process still applies the plan after 0 s"),
    ):
        apply()
    assert not fake.requests
