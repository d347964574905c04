"""The functions of pytest_vft that plan, make, follow and cancel a job, against a server on loopback."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import pytest_vft
from pytest_vft.errors import ConfigError, MissingKeyError, UnfitError
from pytest_vft.submission.server import RetryPolicy

from .conftest import write_data
from .fake_server import KEY, FakeServer, event

JOBS = "/fine_tuning/jobs"


@pytest.fixture(autouse=True)
def served(fake: FakeServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """The server, which the environment names; the current folder holds train.jsonl."""
    assert folder.is_dir()
    monkeypatch.setenv("OPENAI_BASE_URL", fake.url)
    monkeypatch.setattr(RetryPolicy, "waits", lambda _policy: itertools.repeat(0.01))
    return fake


def test_a_job_is_planned_checked_made_and_followed(served: FakeServer) -> None:
    write_data(Path("validation.jsonl"), examples=3)
    served.script = [("running", [event(1, "Step 1/1")]), ("succeeded", [])]

    plan = pytest_vft.plan_job("train.jsonl", "validation.jsonl", suffix="books", epochs=2)
    assert not served.requests
    assert (plan.request.settings.suffix, plan.request.settings.epochs) == ("books", 2)
    assert [file.path for file in plan.request.files] == ["train.jsonl", "validation.jsonl"]

    assert pytest_vft.preflight_job(plan).ok
    assert {method for method, _ in served.requests} == {"GET"}

    job = pytest_vft.apply_job(plan)
    assert served.jobs[job.id]["metadata"]["vft_plan"] == plan.request.digest

    messages: list[str] = []
    outcome = pytest_vft.follow_job(
        job.id, on_update=lambda update: messages.extend(event.message for event in update.events)
    )
    assert outcome.ok
    assert outcome.job.status == "succeeded"
    assert messages == ["Step 1/1"]


def test_applying_twice_makes_one_job(served: FakeServer) -> None:
    plan = pytest_vft.plan_job("train.jsonl")

    assert pytest_vft.apply_job(plan).id == pytest_vft.apply_job(plan).id
    assert served.count("POST", JOBS) == 1


def test_a_file_that_changed_since_the_plan_is_not_sent(served: FakeServer) -> None:
    plan = pytest_vft.plan_job("train.jsonl")
    write_data(Path("train.jsonl"), examples=11)

    with pytest.raises(pytest_vft.SubmissionError, match="changed since it was planned"):
        pytest_vft.apply_job(plan)
    assert not served.jobs


@pytest.mark.parametrize("step", [pytest_vft.preflight_job, pytest_vft.apply_job])
def test_a_plan_goes_to_no_other_server(
    served: FakeServer, monkeypatch: pytest.MonkeyPatch, step: Callable[..., object]
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    plan = pytest_vft.plan_job("train.jsonl")
    monkeypatch.setenv("OPENAI_BASE_URL", served.url)

    with pytest.raises(pytest_vft.UsageError, match=r"the plan is for https://api\.openai\.com/v1, not for"):
        step(plan)
    assert not served.requests


def test_the_configuration_gives_settings_and_the_validation_file(tmp_path: Path) -> None:
    write_data(Path("v.jsonl"), examples=3)
    config = tmp_path / "vft.toml"
    config.write_text('[data]\nvalidation = "v.jsonl"\n[submit]\nepochs = 4\nseed = 7\n')

    request = pytest_vft.plan_job("train.jsonl", config=config, seed=8).request

    assert [Path(file.path).name for file in request.files] == ["train.jsonl", "v.jsonl"]
    assert (request.settings.epochs, request.settings.seed) == (4, 8)


def test_what_cannot_be_planned_is_said() -> None:
    with pytest.raises(pytest_vft.UsageError, match="suffix has 65 characters"):
        pytest_vft.plan_job("train.jsonl", suffix="x" * 65)
    with pytest.raises(ConfigError, match=r"no\.toml"):
        pytest_vft.plan_job("train.jsonl", config="no.toml")
    write_data(Path("grey.jsonl"), mode="L")
    with pytest.raises(UnfitError, match="image/unsupported-mode"):
        pytest_vft.plan_job("grey.jsonl")


def test_only_what_asks_the_server_needs_a_key(served: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    plan = pytest_vft.plan_job("train.jsonl")

    for step in (
        lambda: pytest_vft.preflight_job(plan),
        lambda: pytest_vft.apply_job(plan),
        lambda: pytest_vft.follow_job("ftjob-1"),
        lambda: pytest_vft.cancel_job("ftjob-1"),
    ):
        with pytest.raises(MissingKeyError):
            step()
    assert not served.requests


def test_a_job_is_cancelled(served: FakeServer) -> None:
    job = pytest_vft.apply_job(pytest_vft.plan_job("train.jsonl"))

    assert pytest_vft.cancel_job(job.id).status == "cancelled"
    assert served.count("POST", f"{JOBS}/{job.id}/cancel") == 1


def test_following_ends_at_the_time_limit(served: FakeServer) -> None:
    served.script = [("queued", [])]
    job = pytest_vft.apply_job(pytest_vft.plan_job("train.jsonl"))

    with pytest.raises(pytest_vft.ServerError, match="not finished after 0 s"):
        pytest_vft.follow_job(job.id, timeout=0)


def test_a_plan_reaches_the_same_azure_resource(served: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    endpoint = served.url.removesuffix("/v1")

    plan = pytest_vft.plan_job("train.jsonl", provider="azure", base_url=endpoint)
    job = pytest_vft.apply_job(plan)

    assert plan.request.base_url == f"{endpoint}/openai"
    assert list(served.jobs) == [job.id]
    assert pytest_vft.follow_job(job.id, provider="azure", base_url=endpoint).ok


def test_the_repr_of_a_plan_is_short_and_holds_no_key() -> None:
    assert len(repr(pytest_vft.plan_job("train.jsonl"))) < 2_000
    assert KEY not in repr(pytest_vft.plan_job("train.jsonl"))


def test_importing_a_function_imports_no_client() -> None:
    program = "import sys, pytest_vft; pytest_vft.apply_job; print(sys.modules.keys() & {'openai', 'httpx2'})"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"
