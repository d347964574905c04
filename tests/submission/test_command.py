"""`vft submit` on the command line, against a server on loopback."""

from __future__ import annotations

import itertools
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

import pytest_vft
from pytest_vft.catalogue import providers
from pytest_vft.cli import main
from pytest_vft.errors import UsageError
from pytest_vft.submission.server import RetryPolicy

from .conftest import write_data
from .fake_server import KEY, FakeServer, Fault, event, serving

JOBS = "/fine_tuning/jobs"


class Printed(NamedTuple):
    code: int
    out: str
    err: str


Vft = Callable[..., Printed]


@pytest.fixture
def vft(
    fake: FakeServer, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Vft:
    """Return what runs `vft submit` in *folder*, with *fake* as the server."""
    assert folder.is_dir()
    monkeypatch.setenv("OPENAI_BASE_URL", fake.url)

    def run(*arguments: str) -> Printed:
        code = main(["submit", *arguments])
        printed = Printed(code, *capsys.readouterr())
        assert KEY not in printed.out + printed.err
        return printed

    return run


@pytest.fixture
def planned(vft: Vft) -> Vft:
    """The same, with a plan at hand."""
    assert vft("plan", "train.jsonl").code == 0
    return vft


def test_plan_shows_and_saves_and_asks_nobody(vft: Vft, fake: FakeServer) -> None:
    printed = vft("plan", "train.jsonl", "--suffix=books")

    assert printed.code == 0
    assert printed.out.startswith(f"plan: a fine-tuning job of gpt-4o-2024-08-06 at {fake.url}\n")
    assert '"suffix": "books"' in printed.out
    assert "nothing was sent. saved: train.plan.json" in printed.out
    assert not fake.requests


def test_server_in_a_configuration_receives_nothing(
    vft: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("vft.toml").write_text(f'[submit]\nbase_url = "{fake.url}"')
    monkeypatch.delenv("OPENAI_BASE_URL")
    refused = f"vft.toml names the server {fake.url}; a key is only sent to"

    assert vft("plan", "train.jsonl").code == 0
    for arguments in (("preflight", "train.jsonl"), ("apply", "train.jsonl", "--yes"), ("follow", "job-1")):
        printed = vft(*arguments)
        assert (printed.code, refused in printed.err) == (2, True)
    assert vft("cancel", "job-1").code == 2
    plan = pytest_vft.plan_job("train.jsonl")
    for send in (pytest_vft.preflight_job, pytest_vft.apply_job):
        with pytest.raises(UsageError, match=refused):
            send(plan)
    assert not fake.requests

    assert vft("preflight", "train.jsonl", f"--base-url={fake.url}").code == 0
    assert fake.requests


def test_address_in_a_saved_plan_receives_nothing(planned: Vft, fake: FakeServer) -> None:
    path = Path("train.plan.json")
    path.write_text(path.read_text().replace(json.dumps(fake.url), '"http://127.0.0.1:9/v1"'))

    assert planned("apply", "train.jsonl", "--yes").code == 0
    assert fake.requests  # the environment names this server


def test_deep_plan_is_one_line(vft: Vft) -> None:
    Path("train.plan.json").write_text("[" * 100_000)

    printed = vft("apply", "train.jsonl", "--yes")

    assert (printed.code, printed.err.count("\n")) == (2, 1)
    assert printed.err.startswith("vft: train.plan.json: is not a plan")


def test_key_that_no_header_can_hold_is_not_shown(
    vft: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in (f"{KEY}\nX: y", f"schlüssel-{KEY}"):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        printed = vft("preflight", "train.jsonl")
        assert (printed.code, printed.out) == (2, "")
        assert printed.err.startswith("vft: OPENAI_API_KEY contains a control character or a character")
    assert not fake.requests


def test_plan_prints_what_it_saves(vft: Vft) -> None:
    printed = vft("plan", "train.jsonl", "--format=json", "--plan=other.json")

    assert json.loads(printed.out) == json.loads(Path("other.json").read_text())


def test_plan_of_faulty_data_is_a_finding(vft: Vft) -> None:
    write_data(Path("train.jsonl"), mode="L")

    printed = vft("plan", "train.jsonl")

    assert (printed.code, printed.out) == (1, "")
    assert printed.err == "vft: not planned: 1 rule with errors (image/unsupported-mode); see 'vft check'\n"
    assert not Path("train.plan.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "tran.jsonl"], "tran.jsonl: no such file"),
        (["pla", "train.jsonl"], "unknown 'pla' (did you mean 'plan'?)"),
        (["plan", "train.jsonl", f"--suffix={'x' * 65}"], "suffix has 65 characters; expected at most 64"),
        (["plan", "train.jsonl", "--base-url=example.com"], "expected https://HOST/PATH"),
        (["plan", "train.jsonl", "--base-url=https://u:p@example.com"], "the base URL contains a user"),
        (["apply", "train.jsonl", "--yes"], "'vft submit plan' writes it"),
        (["plan", "train.jsonl", "--provider=azure"], "no endpoint: give --base-url="),
        (["plan", "train.jsonl", "more"], "unexpected argument 'more'"),
    ],
)
def test_what_cannot_be_followed_is_said(vft: Vft, arguments: list[str], words: str) -> None:
    printed = vft(*arguments)

    assert printed.code == 2
    assert words in printed.err


@pytest.mark.parametrize(
    "arguments", [["preflight", "train.jsonl"], ["follow", "ftjob-1"], ["cancel", "ftjob-1"]]
)
def test_a_missing_key_is_said(vft: Vft, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    printed = vft(*arguments)

    assert (printed.code, printed.out) == (2, "")
    assert printed.err.startswith("vft: no API key: set OPENAI_API_KEY (")


def test_a_wrong_key_is_said_and_not_shown(vft: Vft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-key-0123")

    printed = vft("preflight", "train.jsonl")

    assert printed.code == 2
    assert "the server does not accept the key" in printed.err
    assert "sk-wrong" not in printed.err


# preflight


def test_preflight_asks_and_changes_nothing(vft: Vft, fake: FakeServer) -> None:
    printed = vft("preflight", "train.jsonl")

    assert printed.code == 0
    assert "model gpt-4o-2024-08-06: known to the server" in printed.out
    assert {method for method, _ in fake.requests} == {"GET"}


def test_preflight_names_what_is_there_already(planned: Vft) -> None:
    planned("apply", "train.jsonl", "--yes")

    printed = planned("preflight", "train.jsonl")

    assert "train.jsonl: already uploaded as file-001, which will be used" in printed.out
    assert "job ftjob-1 was created from this plan: succeeded" in printed.out


@pytest.mark.parametrize(
    ("shutdown", "code", "words"),
    [
        ("2020-01-01", 1, "refused: model gpt-4o-2024-08-06: was shut down on 2020-01-01"),
        ("2999-01-01", 0, "model gpt-4o-2024-08-06: shuts down on 2999-01-01"),
        ("soon", 0, "known to the server"),
    ],
)
def test_preflight_tells_the_shutdown_of_the_model(
    vft: Vft, fake: FakeServer, shutdown: str, code: int, words: str
) -> None:
    fake.model = {"shutdown_date": shutdown}

    printed = vft("preflight", "train.jsonl")

    assert printed.code == code
    assert words in printed.out


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("GET", "/models/gpt-4o-2024-08-06", 404, "model_not_found"), "has no access to it"),
        (Fault("GET", JOBS, 403, "training_not_available"), "fine-tuning: this account cannot create"),
    ],
    ids=["404", "403"],
)
def test_preflight_explains_a_refusal(vft: Vft, fake: FakeServer, fault: Fault, words: str) -> None:
    fake.faults = [fault]

    printed = vft("preflight", "train.jsonl", "--format=json")

    assert printed.code == 1
    assert words in json.loads(printed.out)["refusals"][0]


@pytest.mark.parametrize("path", [JOBS, "/files"])
def test_preflight_keeps_what_it_found_when_the_server_fails(vft: Vft, fake: FakeServer, path: str) -> None:
    fake.model = {"shutdown_date": "2999-01-01"}
    fake.faults = [Fault("GET", path, 500, times=9)]

    printed = vft("preflight", "train.jsonl")

    assert printed.code == 2
    assert "model gpt-4o-2024-08-06: shuts down on 2999-01-01" in printed.out
    assert printed.out.endswith("\nnot answered: asking the server: 500 server_error: as told\n")
    assert "not proved" not in printed.out
    assert "may list" not in printed.out


def test_preflight_keeps_a_refusal_when_the_server_fails(vft: Vft, fake: FakeServer) -> None:
    fake.faults = [Fault("GET", "/models/gpt-4o-2024-08-06", 404), Fault("GET", JOBS, 500, times=9)]

    data = json.loads((printed := vft("preflight", "train.jsonl", "--format=json")).out)

    assert printed.code == 1
    assert (data["ok"], data["model_known"], len(data["refusals"])) == (False, False, 1)
    assert data["failure"] == "asking the server: 500 server_error: as told"


SAID = [
    ({"error": {"message": "too long", "code": "bad"}}, "400 bad: too long"),
    ({"error": "too long"}, "400: too long"),
    ({"message": "too long"}, "400: too long"),
    ({"type": "about:blank", "title": "Bad", "status": 400, "detail": "too long"}, "400: Bad: too long"),
    ({"detail": "too long"}, "400: too long"),
    ({"detail": [{"loc": ["body", "model"], "msg": "too long", "type": "x"}]}, "400: body.model: too long"),
    ({"errors": ["too long", {"reason": "bad"}]}, "400: too long; bad"),
    ({"code": 7, "hint": ["x"]}, "400 7: code: 7, hint: x"),
    ({"detail": {"reason": None, "msg": ["bad"]}}, "400: bad"),
    (json.loads("[" * 400 + "]" * 400), "400: …"),
    (f"<{'<script' * 90_000}", "400: no text"),
    (["too long"], "400: too long"),
    ("too\n  long", "400: too long"),
    ("<html><head><style>p {}</style></head><p>too &amp; long</p>", "400: too & long"),
    ("x" * 400, f"400: {'x' * 299}…"),
    ("", "400: no text"),
    ("\x1b[31m::error::\u202epwned", "400: \\x1b[31m::error::\\u202epwned"),
    (KEY, "400: ***"),
]


@pytest.mark.parametrize(("body", "words"), SAID, ids=[str(number) for number in range(len(SAID))])
def test_the_words_of_a_server_are_shown(planned: Vft, fake: FakeServer, body: object, words: str) -> None:
    fake.faults = [Fault("POST", JOBS, 400, body=body)]

    printed = planned("apply", "train.jsonl", "--yes")

    assert printed.code == 2
    assert printed.err.splitlines()[-1] == f"vft: creating the job: {words}"


# apply, follow, cancel


def test_apply_makes_the_job_and_follows_it(planned: Vft, fake: FakeServer) -> None:
    fake.script = [("succeeded", [event(1, "Step 1/1", kind="metrics", data={"step": 1, "train_loss": 0.5})])]
    fake.job_end = {
        "fine_tuned_model": "ft:books",
        "trained_tokens": 99,
        "hyperparameters": {"n_epochs": 3, "batch_size": 1},
        "seed": 42,
    }

    printed = planned("apply", "train.jsonl", "--yes")

    assert printed.code == 0
    assert "moderating images takes time" in printed.err
    assert "vft submit follow ftjob-1 --plan=train.plan.json" in printed.err
    assert "22:13:21  Step 1/1" in printed.err
    assert re.search(
        r"settings of the job: 3 epochs, seed 42\ntrained tokens: 99 \(expected ([\d,]+) to [\d,]+\)\n"
        r"warning: 99 trained tokens are far fewer than the expected \1: the server may\n"
        r"  have left out images or examples\nmodel: ft:books\nPASSED  ftjob-1: succeeded\n$",
        printed.out,
    )
    assert fake.keys == {KEY}


@pytest.mark.parametrize("step", ["follow", "cancel"])
def test_the_printed_commands_go_to_the_server_of_the_job(
    vft: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    Path("acme.toml").write_text(ACME)
    options = ("train.jsonl", "--plan=my plan.json", "--model=x", "--provider=./acme.toml")
    options = (*options, f"--base-url={fake.url}")
    assert vft("plan", *options).code == 0

    printed = vft("apply", *options, "--yes")

    command = re.search(f"^  to {step} the job: vft submit (.*)$", printed.err, re.MULTILINE)
    assert command is not None
    assert vft(*shlex.split(command[1])).code == 0


@pytest.mark.parametrize("step", ["follow", "cancel"])
def test_a_job_is_not_looked_for_at_another_server_than_that_of_its_plan(
    planned: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with serving(FakeServer()) as other:
        monkeypatch.setenv("OPENAI_BASE_URL", other.url)
        printed = planned(step, "ftjob-1", "--plan=train.plan.json")
        said = (
            f"train.plan.json: is a plan for {fake.url}, not for {other.url}; give its server by --base-url"
        )
        assert (printed.code, printed.err) == (2, f"vft: {said}\n")
        assert not other.requests


def test_the_provider_of_a_job_is_that_of_its_plan(
    vft: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", fake.url.removesuffix("/v1"))
    assert vft("plan", "train.jsonl", "--provider=azure").code == 0
    fake.jobs["ftjob-1"] = {"id": "ftjob-1", "status": "running", "metadata": {}}
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")

    assert vft("cancel", "ftjob-1", "--plan=train.plan.json").out == "ftjob-1: cancelled\n"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/files", "uploading train.jsonl: {}"),
        ("POST", "/files", "uploading train.jsonl: {}"),
        ("POST", JOBS, "creating the job: the outcome of the request is not known ({})"),
    ],
)
def test_nothing_is_sent_where_a_server_redirects_to(  # noqa: PLR0913, PLR0917 - three places, four statuses
    planned: Vft,
    fake: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    method: str,
    path: str,
    words: str,
) -> None:
    monkeypatch.setattr("pytest_vft.cli.submit.RetryPolicy", partial(RetryPolicy, search=0))
    with serving(FakeServer()) as other:
        fake.faults = [Fault(method, path, status, headers={"location": f"{other.url}{path}"})]
        printed = planned("apply", "train.jsonl", "--yes")

        said = f"{status}: the server redirects to {other.url}{path}; redirects are not followed"
        assert printed.code == 2
        assert words.format(said) in printed.err
        assert not other.requests
    assert fake.count("POST", JOBS) == (path == JOBS)


def test_apply_twice_makes_one_job(planned: Vft, fake: FakeServer) -> None:
    assert planned("apply", "train.jsonl", "--yes").code == planned("apply", "train.jsonl", "--yes").code == 0
    assert (fake.count("POST", "/files"), fake.count("POST", JOBS)) == (1, 1)


def test_apply_refuses_a_file_that_changed(planned: Vft, fake: FakeServer) -> None:
    write_data(Path("train.jsonl"), examples=11)

    printed = planned("apply", "train.jsonl", "--yes")

    assert printed.code == 2
    assert "train.plan.json: is not the plan of this job: train.jsonl changed; plan again" in printed.err
    assert not fake.requests


def test_what_was_planned_by_options_need_not_be_said_again(vft: Vft, fake: FakeServer) -> None:
    write_data(Path("other.jsonl"), examples=2)
    vft("plan", "train.jsonl", "--validation-data=other.jsonl", "--suffix=books", "--epochs=2")

    assert vft("preflight", "train.jsonl").code == 0
    assert vft("apply", "train.jsonl", "--yes").code == 0
    assert (fake.jobs["ftjob-1"]["suffix"], fake.jobs["ftjob-1"]["validation_file"]) == ("books", "file-002")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--suffix=other", "settings changed"),
        ("--provider=azure", "provider, base_url changed"),
        ("--validation-data=other.jsonl", "other.jsonl changed"),
        ("--base-url=http://127.0.0.1:9/v1", "base_url changed"),
    ],
)
def test_what_is_said_otherwise_is_refused(
    planned: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch, option: str, words: str
) -> None:
    write_data(Path("other.jsonl"), examples=2)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", fake.url)

    printed = planned("apply", "train.jsonl", "--yes", option)

    assert printed.code == 2
    assert f"{words}; plan again" in printed.err
    assert not fake.requests


def test_apply_asks_nobody_without_a_terminal(planned: Vft, fake: FakeServer) -> None:
    printed = planned("apply", "train.jsonl")

    assert printed.code == 2
    assert "nothing is sent without --yes" in printed.err
    assert not fake.requests


@pytest.mark.parametrize(("answer", "jobs"), [("y\n", 1), ("n\n", 0), ("\n", 0), ("", 0)])
def test_apply_asks_on_a_terminal(
    planned: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch, answer: str, jobs: int
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: answer, raising=False)

    printed = planned("apply", "train.jsonl")

    assert "create a job for gpt-4o-2024-08-06? It costs money. [y/N]" in printed.err
    assert (printed.code, len(fake.jobs)) == (1 - jobs, jobs)


FAILURES: Mapping[str, tuple[str, dict[str, object], list[dict[str, object]], str]] = {
    "too few": (
        "failed",
        {"error": {"code": "invalid_n_examples", "message": "has 7 example(s)"}},
        [],
        "error invalid_n_examples: has 7 example(s)\nsettings of the job: seed 1\nFAILED  ftjob-1: failed\n",
    ),
    "blocked": (
        "succeeded",
        {},
        [
            event(
                1,
                "checks",
                kind="moderation_checks",
                data={
                    "blocked": True,
                    "results": [
                        {"category": "hate", "flagged": True, "enforcement": "blocking"},
                        {"category": "weather", "flagged": True},
                        {"category": "violence", "flagged": False, "enforcement": "blocking"},
                    ],
                },
            )
        ],
        (
            "safety checks:\n"
            "  hate      FLAGGED  blocking      "
            "hate based on race, gender, religion, disability or similar traits\n"
            "  weather   FLAGGED                no description known\n"
            "  violence  passed   blocking\n"
            "checkpoint at step 24: ft:gpt-4o:org:books:1:ckpt-step-24 (step 24, train_loss 0.25)\n"
            "settings of the job: seed 1\n"
            "FAILED  ftjob-1: blocked by the safety checks\n"
        ),
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_job_that_fails_is_a_finding(planned: Vft, fake: FakeServer, name: str) -> None:
    status, fake.job_end, events, text = FAILURES[name]
    fake.script = [(status, events)]

    printed = planned("apply", "train.jsonl", "--yes")

    assert printed.code == 1
    assert printed.out.endswith(text)


def test_skipped_images_are_held_against_the_plan(vft: Vft, fake: FakeServer) -> None:
    write_data(Path("train.jsonl"), mode="L")
    Path("vft.toml").write_text('[severity]\n"image/unsupported-mode" = "warning"')
    vft("plan", "train.jsonl")
    fake.script = [("succeeded", [event(1, "3 images skipped: contains faces", level="warn")])]

    printed = vft("apply", "train.jsonl", "--yes")

    assert "left out: 3 images: contains faces (expected 0)\n" in printed.out
    assert "left out: 0 images: invalid image format (expected 10)\n" in printed.out
    assert "warn: 3 images skipped: contains faces" in printed.err


def test_failed_checks_of_several_checkpoints_come_first(planned: Vft, fake: FakeServer) -> None:
    def checks(number: int, model: str, flagged: bool, **more: object) -> dict[str, object]:  # noqa: FBT001
        results = [
            {"category": "hate", "flagged": False, "enforcement": "blocking"},
            {"category": "violence", "flagged": flagged, "enforcement": "non_blocking"},
        ]
        message, data = f"Moderation checks for snapshot {model}.", {"blocked": False, "results": results}
        return event(number, message, kind="moderation_checks", data=data | more)

    one, two = "ft:gpt-4o-2024-08-06:org::1:ckpt-step-12", "ft:gpt-4o-2024-08-06:org::1:ckpt-step-24"
    fake.script = [
        (
            "succeeded",
            [checks(1, one, False), checks(2, two, True), checks(3, "it", False, checkpoint="ft:x")],
        )
    ]

    printed = planned("apply", "train.jsonl", "--yes")

    assert (
        "safety checks:\n"
        "  violence  FLAGGED  non_blocking  depictions of death, violence or injury\n"
        f"            of {two}\n"
        f"  1 of 2 passed: {two}\n"
        f"  2 of 2 passed: {one}\n"
        "  2 of 2 passed: ft:x\n"
    ) in printed.out
    assert printed.code == 0


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (
            "paused",
            "ftjob-1 is paused; to resume the job: POST /fine_tuning/jobs/ftjob-1/resume on the server",
        ),
        ("dreaming", "ftjob-1 is dreaming, a state that the API does not document"),
    ],
)
def test_a_job_that_does_not_proceed_is_followed_with_a_hint_and_ends(
    planned: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch, status: str, hint: str
) -> None:
    impatient = RetryPolicy(first=0.01, longest=0.01, patience=0.03)
    monkeypatch.setattr("pytest_vft.runs.submit._retry_policy", lambda _timeout: impatient)
    fake.script = [("running", []), (status, [event(1, "news")]), (status, [])]

    printed = planned("apply", "train.jsonl", "--yes")

    assert printed.code == 2
    assert hint in printed.err
    assert f"ftjob-1: still {status} and without news after 0 s; " in printed.err.splitlines()[-1]


def test_the_outcome_is_printed_as_json(planned: Vft, fake: FakeServer) -> None:
    fake.jobs["ftjob-1"] = {"id": "ftjob-1", "status": "running", "metadata": {}}

    data = json.loads(planned("follow", "ftjob-1", "--plan=train.plan.json", "--format=json").out)

    assert (data["format"], data["ok"], data["job"]["status"]) == ("vft-job/2", True, "succeeded")


def test_hostile_text_from_a_server_is_harmless(planned: Vft, fake: FakeServer) -> None:
    fake.script = [("failed", [event(1, "\x1b[31m::error::pwned")])]
    fake.job_end = {"error": {"code": "x\x1b", "message": "##[error]pwned"}, "fine_tuned_model": "m\x1b"}

    printed = planned("apply", "train.jsonl", "--yes")

    assert "\x1b" not in printed.out + printed.err
    assert "##[" not in printed.out + printed.err


def test_a_server_in_trouble_is_shown_and_waited_for(
    planned: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RetryPolicy, "waits", lambda _policy: itertools.repeat(0.01))
    fake.faults = [Fault("GET", f"{JOBS}/ftjob-1", 503, "overloaded")]

    printed = planned("apply", "train.jsonl", "--yes")

    assert printed.code == 0
    assert "vft: no news: 503 overloaded: as told\n" in printed.err


def test_the_deadline_says_that_the_job_goes_on(planned: Vft, fake: FakeServer) -> None:
    fake.script = [("queued", [])]

    printed = planned("apply", "train.jsonl", "--yes", "--timeout=0")

    assert printed.code == 2
    assert "ftjob-1: not finished after 0 s; the job continues on the server" in printed.err


def test_cancel_cancels(planned: Vft) -> None:
    planned("apply", "train.jsonl", "--yes")

    assert planned("cancel", "ftjob-1") == (0, "ftjob-1: cancelled\n", "")


def test_ctrl_c_says_that_the_job_goes_on(vft: Vft, fake: FakeServer) -> None:
    assert vft
    fake.jobs["ftjob-1"] = {"id": "ftjob-1", "status": "running", "metadata": {}}
    fake.script = []
    command = [sys.executable, "-m", "pytest_vft", "submit", "follow", "ftjob-1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "vft: ftjob-1: running\n"
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()

    assert process.returncode == 130
    assert rest == (
        "vft: ftjob-1 continues on the server\n"
        f"  to follow the job: vft submit follow ftjob-1 --base-url={fake.url}\n"
        f"  to cancel the job: vft submit cancel ftjob-1 --base-url={fake.url}\n"
    )


def test_a_terminal_shows_what_is_sent_and_how_training_goes(
    planned: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert planned
    monkeypatch.setenv("TERM", "xterm")
    fake.script = [("succeeded", [event(1, "Step 1/1", kind="metrics", data={"step": 1, "train_loss": 0.5})])]
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "pytest_vft", "submit", "apply", "train.jsonl", "--yes"]
    with subprocess.Popen(command, stderr=end, stdout=subprocess.PIPE) as process:
        os.close(end)
        shown = b""
        with suppress(OSError):  # how a terminal ends
            while chunk := os.read(terminal, 4_096):
                shown += chunk
    os.close(terminal)

    assert process.returncode == 0
    assert b"step 1, train_loss 0.5" in shown
    assert b"Step 1/1" not in shown
    assert re.search(rb"train\.jsonl [^\n]*kB", shown)


def test_azure_is_spoken_to_as_azure(vft: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", fake.url.removesuffix("/v1"))
    Path("vft.toml").write_text('provider = "azure"')

    assert vft("plan", "train.jsonl").code == 0
    assert vft("apply", "train.jsonl", "--yes").code == 0
    assert len(fake.jobs) == 1


# Providers and models


ACME = 'name = "Acme"\nextends = "openai"\nany_model = true\n[job_api]\nkind = "openai"\n'


def test_a_provider_file_with_a_job_api_is_applied(vft: Vft, fake: FakeServer) -> None:
    Path("acme.toml").write_text(ACME)
    options = ("train.jsonl", "--provider=./acme.toml", "--model=acme-vl")

    assert vft("plan", *options).code == 0
    assert vft("apply", *options, "--yes").code == 0
    assert [job["model"] for job in fake.jobs.values()] == ["acme-vl"]


def test_a_key_does_not_go_to_openai_for_want_of_an_address(
    vft: Vft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    Path("acme.toml").write_text(ACME)
    options = ("train.jsonl", "--provider=./acme.toml", "--model=acme-vl")

    for step in ("plan", "preflight"):
        printed = vft(step, *options)
        assert (printed.code, printed.err) == (
            2,
            "vft: the provider file names no server: give --base-url=https://HOST/v1\n",
        )


def test_a_shipped_provider_has_its_own_server(vft: Vft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    load = providers.load_provider

    def load_other(name: str) -> providers.Provider:
        service = providers.JobService("openai", "https://api.acme.example/v1")
        return load("openai")._replace(id=name, job_api=service) if name == "acme" else load(name)

    monkeypatch.setattr("pytest_vft.runs.settings.load_provider", load_other)

    assert (
        "POST https://api.acme.example/v1/fine_tuning/jobs"
        in vft("plan", "train.jsonl", "--provider=acme").out
    )


@pytest.mark.parametrize(
    "model",
    [
        "ft:gpt-4o-2024-08-06:org:books:abc",
        "ft:gpt-4o-2024-08-06:org::abc:ckpt-step-24",
        "gpt-4o-2024-08-06.ft-0e1f-discs",
    ],
)
def test_a_fine_tuned_model_is_trained_further(
    vft: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    printed = vft("plan", "train.jsonl", f"--model={model}")
    assert "tokens, $" in printed.out
    assert f'"model": "{model}"' in printed.out

    monkeypatch.setenv("OPENAI_BASE_URL", fake.url)
    assert vft("plan", "train.jsonl", f"--model={model}").code == 0
    assert vft("apply", "train.jsonl", "--yes").code == 0
    assert fake.jobs["ftjob-1"]["model"] == model


def test_an_unknown_model_is_refused_only_at_the_provider(
    vft: Vft, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = ("plan", "train.jsonl", "--model=other-vl")
    assert vft(*plan).code == 0  # OPENAI_BASE_URL names another server
    monkeypatch.delenv("OPENAI_BASE_URL")

    printed = vft(*plan)
    assert printed.code == 2
    assert "OpenAI has no vision fine-tuning for model 'other-vl'" in printed.err
    assert "tokens: not known" in vft(*plan, f"--base-url={fake.url}").out
