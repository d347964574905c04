"""A step towards a fine-tuning job is one item: nothing is sent unless it is asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import httpcore2  # noqa: F401 - httpx2 imports it late, and once; pytester forgets modules
import pytest
from submission.fake_server import KEY, FakeServer, Fault, serving

import pytest_vft.items.submission  # noqa: F401 - openai takes 0.6 s to import; pytester forgets modules

from .project import PYTEST_9, Project

DATA = "--vft-data=train.jsonl"
APPLY = (DATA, "--vft-submit=apply", "--vft-yes")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "AZURE_OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(FakeServer()) as served:
        monkeypatch.setenv("OPENAI_BASE_URL", served.url)
        yield served


@pytest.fixture(autouse=True)
def data(project: Project) -> None:
    project.write()


@pytest.fixture
def planned(project: Project, fake: FakeServer) -> Project:
    assert project.run(DATA, "--vft-submit=plan").ret == pytest.ExitCode.OK
    assert not fake.requests
    return project


def test_nothing_is_sent_unless_asked(project: Project, fake: FakeServer) -> None:
    assert not [id_ for id_ in project.ids(DATA, "--vft-yes") if "submit" in id_]
    project.run(DATA, "--vft-yes")

    assert not fake.requests


def test_plan_is_one_item_and_is_shown(project: Project, fake: FakeServer) -> None:
    result = project.run(DATA, "--vft-submit=plan", "--vft-select=image/too-large")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "*= train.jsonl::submit/plan =*",
            "plan: a fine-tuning job of gpt-4o-2024-08-06 at http://127.0.0.1:*",
            "  train.jsonl  train, 10 examples, 10 images, *",
            "  POST http://127.0.0.1:*/v1/fine_tuning/jobs",
            "nothing was sent. saved: train.plan.json",
        ]
    )
    assert json.loads((project.folder / "train.plan.json").read_text())["format"] == "vft-plan/1"
    assert not fake.requests


def test_plan_needs_no_key(project: Project, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    assert project.run(DATA, "--vft-submit=plan").ret == pytest.ExitCode.OK
    assert not fake.requests


def test_an_unknown_model_is_accepted_for_another_server(
    project: Project, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (DATA, "--vft-submit=plan", "--vft-model=other-vl")

    assert project.run(*options).ret == pytest.ExitCode.OK  # OPENAI_BASE_URL names it
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert project.run(*options).ret == pytest.ExitCode.USAGE_ERROR
    assert project.run(*options, f"--vft-base-url={fake.url}").ret == pytest.ExitCode.OK


@pytest.mark.parametrize("step", ["plan", "preflight"])
def test_each_training_file_has_a_step_and_no_other(project: Project, step: str) -> None:
    project.write("more.jsonl")
    project.write("validation.jsonl", examples=2)
    ids = project.ids(
        DATA, "--vft-data=more.jsonl", "--vft-validation-data=validation.jsonl", f"--vft-submit={step}"
    )

    assert [id_ for id_ in ids if "submit" in id_] == [
        f"train.jsonl::submit/{step}",
        f"more.jsonl::submit/{step}",
    ]


def test_a_copied_id_runs_alone_and_lints_everything(project: Project, fake: FakeServer) -> None:
    project.write(grey=[3])

    result = project.run("train.jsonl::submit/plan", "--vft-submit=plan", "-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["SKIPPED * train.jsonl:1: not planned: 1 rule with errors (image/unsupported-mode)*"]
    )
    assert not fake.requests


def test_a_plan_is_of_its_own_file_under_xdist_too(project: Project, fake: FakeServer) -> None:
    project.write("faulty.jsonl", grey=[1])

    result = project.run_apart(DATA, "--vft-data=faulty.jsonl", "--vft-submit=plan", "-k", "submit", "-n2")

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*= train.jsonl::submit/plan =*", "plan: a fine-tuning job of *"])
    assert not fake.requests


def test_preflight_asks(project: Project, fake: FakeServer) -> None:
    result = project.run(DATA, "--vft-submit=preflight")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["preflight: asked http://127.0.0.1:*; nothing was changed"])
    assert {method for method, _ in fake.requests} == {"GET"}


def test_preflight_that_is_refused_fails(project: Project, fake: FakeServer) -> None:
    fake.faults = [Fault("GET", "/fine_tuning/jobs", 403, "training_not_available")]

    result = project.run(DATA, "--vft-submit=preflight")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["refused: fine-tuning: this account cannot create fine-tuning jobs*"])


@pytest.mark.skipif(not PYTEST_9, reason="pytest 8 shows the id only")
def test_the_cause_is_first_in_the_summary(
    project: Project, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    result = project.run(DATA, "--vft-submit=preflight")
    result.stdout.fnmatch_lines(["FAILED train.jsonl::submit/preflight - no answer: http://127*"])

    monkeypatch.setenv("OPENAI_BASE_URL", fake.url)
    fake.faults = [Fault("GET", "/fine_tuning/jobs", 500, times=9)]
    result = project.run(DATA, "--vft-submit=preflight")
    result.stdout.fnmatch_lines(["FAILED train.jsonl::submit/preflight - no answer: 500 server_er*"])


def test_apply_makes_one_job_and_ends_when_the_files_are_checked(planned: Project, fake: FakeServer) -> None:
    fake.script = [("queued", [])]

    result = planned.run(*APPLY)

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "PASSED  ftjob-1: queued",
            "ftjob-1 continues on the server",
            "  to follow the job: vft submit follow ftjob-1 --plan=train.plan.json --base-url=http://127.0.*",
        ]
    )
    assert planned.run(*APPLY).ret == pytest.ExitCode.OK
    assert len(fake.jobs) == 1


def test_apply_tells_why_a_job_failed(planned: Project, fake: FakeServer) -> None:
    fake.script = [("failed", [])]
    fake.job_end = {"error": {"code": "invalid_n_examples", "message": "has 7 example(s)"}}

    result = planned.run(*APPLY)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "FAILED  ftjob-1: failed",
            "error invalid_n_examples: has 7 example(s)",
            "FAILED train.jsonl::submit/apply" + (" - FAILED  ftjob-1: failed" if PYTEST_9 else ""),
        ]
    )


def test_apply_needs_a_plan(project: Project, fake: FakeServer) -> None:
    result = project.run(*APPLY)

    result.stdout.fnmatch_lines(["*train.plan.json: No such file or directory; 'vft submit plan' writes it"])
    assert not fake.requests


def test_apply_refuses_a_file_that_changed(planned: Project, fake: FakeServer) -> None:
    planned.write(examples=12)

    result = planned.run(*APPLY)

    result.stdout.fnmatch_lines(["*is not the plan of this job: train.jsonl changed; plan again"])
    assert not fake.requests


def test_apply_needs_yes(planned: Project, fake: FakeServer) -> None:
    result = planned.run(DATA, "--vft-submit=apply")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: vft: --vft-submit=apply sends data and costs money: add --vft-yes"])
    assert not fake.requests


def test_a_wrong_setting_is_said_at_the_start(project: Project, fake: FakeServer) -> None:
    project.configure(f'[submit]\nsuffix = "{"x" * 65}"')

    result = project.run(DATA, "--vft-submit=plan")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*vft.toml: submit: suffix has 65 characters; expected at most 64"])
    assert not fake.requests


@pytest.mark.parametrize(
    "breaking",
    [
        "monkeypatch.setenv('OPENAI_BASE_URL', 'http://127.0.0.1:9/v1')",
        "monkeypatch.setattr('openai.OpenAI._validate_headers', lambda *_: 1 / 0)",
    ],
    ids=["no server", "a fault inside"],
)
@pytest.mark.usefixtures("fake")
def test_the_key_is_shown_nowhere(project: Project, breaking: str) -> None:
    project.pytester.makeconftest(
        f"import pytest\nmonkeypatch = pytest.MonkeyPatch()\ndef pytest_runtest_call(): {breaking}\n"
    )

    result = project.run_apart(DATA, "--vft-submit=preflight", "-l", "-vv", "-rA", "--junitxml=junit.xml")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert KEY not in str(result.stdout) + str(result.stderr)
    assert KEY not in (project.folder / "junit.xml").read_text()
