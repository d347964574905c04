"""A job is made exactly once, and followed through whatever a server does."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from pytest_vft.errors import ServerError, SubmissionError
from pytest_vft.submission import job as jobs
from pytest_vft.submission.job import cancel, conclude, find_jobs, follow
from pytest_vft.submission.outcome import Event, Job, JobOutcome, read_event
from pytest_vft.submission.plan import JobRequest
from pytest_vft.submission.record import Record
from pytest_vft.submission.server import Server

from .conftest import connect, request_for
from .fake_server import KEY, FakeServer, Fault, event

JOBS = "/fine_tuning/jobs"

pytestmark = pytest.mark.usefixtures("folder")


def submit(server: Server, request: JobRequest, record: Record | None = None) -> Job:
    """Submit with a record that nothing has been written to, as on a new machine."""
    return jobs.submit(server, request, record or Record())


def watch(server: Server, job: str) -> tuple[JobOutcome, list[Event], list[str]]:
    """Follow *job* to its end; return what it came to, its events and what stood in the way."""
    events: list[Event] = []
    troubles: list[str] = []
    last = None
    for update in follow(server, job, lambda job: job.ended):
        events += update.events
        troubles += [update.trouble] if update.trouble else []
        last = update.job or last
    assert last is not None
    return conclude(server, last, events), events, troubles


def start(fake: FakeServer) -> str:
    return submit(connect(fake), request_for("train.jsonl")).id


def test_a_job_of_two_files_succeeds(fake: FakeServer, folder: Path) -> None:
    (folder / "validation.jsonl").write_bytes(b"{}\n")
    request = request_for("train.jsonl", "validation.jsonl", suffix="books", seed=7, epochs=2)
    fake.script = [("queued", []), ("running", [event(1, "started")]), ("succeeded", [event(2, "done")])]
    fake.job_end = {"fine_tuned_model": "ft:gpt-4o:org:books:1", "trained_tokens": 1_234}

    job = submit(connect(fake), request)
    outcome, events, _ = watch(connect(fake), job.id)

    made = fake.jobs["ftjob-1"]
    assert (made["training_file"], made["validation_file"]) == ("file-001", "file-002")
    assert (made["suffix"], made["seed"]) == ("books", 7)
    assert made["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}
    assert made["metadata"]["vft_plan"] == request.digest
    assert [fake.files[id_]["sha256"] for id_ in fake.files] == [file.sha256 for file in request.files]
    assert outcome.ok
    assert outcome.job.trained_tokens == 1_234
    assert [one.message for one in events] == ["started", "done"]
    assert outcome.checkpoints[0].metrics == {"step": 24, "train_loss": 0.25}


def test_a_second_run_finds_files_and_job(fake: FakeServer) -> None:
    first, second = start(fake), start(fake)

    assert first == second
    assert (fake.count("POST", "/files"), fake.count("POST", JOBS)) == (1, 1)


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_that_ended_badly_is_made_again(fake: FakeServer, status: str) -> None:
    fake.jobs[start(fake)]["status"] = status

    assert start(fake) == "ftjob-2"


@pytest.mark.parametrize("ignored", [True, False], ids=["filter is ignored", "filter is known"])
def test_a_job_of_another_plan_is_not_taken(
    fake: FakeServer, monkeypatch: pytest.MonkeyPatch, *, ignored: bool
) -> None:
    start(fake)
    if ignored:
        monkeypatch.setattr(fake, "_jobs_with", lambda _query: list(fake.jobs.values()))

    assert submit(connect(fake), request_for("train.jsonl", seed=1)).id == "ftjob-2"
    assert len(find_jobs(connect(fake), request_for("train.jsonl").digest)) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", JOBS, delay=0.6, late=True, status=200),
        Fault("POST", JOBS, drop=True, late=True),
        Fault("POST", JOBS, status=500, late=True),
        Fault("POST", JOBS, status=202, late=True, body={"id": "op-1"}),
        Fault("POST", JOBS, status=303, late=True, headers={"location": "/v1/models/x"}),
    ],
    ids=["answers after the time-out", "drops the connection", "500", "202", "303"],
)
def test_a_job_whose_answer_is_lost_is_found_and_not_made_again(fake: FakeServer, fault: Fault) -> None:
    fake.faults = [fault]
    fake.lag = 0.1

    job = submit(connect(fake, timeout=0.3, search=30), request_for("train.jsonl"))

    assert job.id == "ftjob-1"
    assert fake.count("POST", JOBS) == 1


@pytest.mark.parametrize("path", [JOBS, "/files"])
@pytest.mark.parametrize(
    "how",
    [
        {"drop": True},
        *({"status": status} for status in (408, 425, 499, 500, 503)),
        *({"status": 200, "body": body} for body in ("<p>OK</p>", "null", "[]", {"id": ""})),
        {"status": 202, "body": {"id": "op-1", "object": "operation"}},
    ],
    ids=str,
)
def test_a_request_whose_outcome_is_unknown_is_never_repeated(
    fake: FakeServer, path: str, how: dict[str, Any]
) -> None:
    fake.faults = [Fault("POST", path, **how)]
    record, request, heard = Record(), request_for("train.jsonl"), list[str]()
    server = replace(connect(fake), notify=heard.append)

    for _ in range(2):
        with pytest.raises(ServerError, match=r"not known .*The server may have created it"):
            submit(server, request, record)
    assert fake.count("POST", path) == 1
    assert any("the server may have done so already; looking (0 of 0 s)" in text for text in heard)


@pytest.mark.parametrize("path", [JOBS, "/files"])
def test_what_was_created_unseen_is_found_once_it_is_listed(fake: FakeServer, path: str) -> None:
    fake.faults = [Fault("POST", path, status=500, late=True)]
    fake.lag = 3_600
    record, request = Record(), request_for("train.jsonl")

    with pytest.raises(ServerError, match="not known"):
        submit(connect(fake, search=0.1), request, record)
    fake.lag = 0
    assert submit(connect(fake, search=5), request, record).id == "ftjob-1"
    assert (fake.count("POST", "/files"), fake.count("POST", JOBS)) == (1, 1)


def test_a_job_that_was_created_unseen_and_failed_is_that_job(fake: FakeServer) -> None:
    record, request = Record(), request_for("train.jsonl")
    fake.script = []
    fake.jobs[submit(connect(fake), request, record).id]["status"] = "failed"
    fake.faults = [Fault("POST", JOBS, drop=True, late=True)]
    fake.lag = 3_600

    with pytest.raises(ServerError, match="not known"):
        submit(connect(fake, search=0), request, record)
    fake.lag, fake.jobs["ftjob-2"]["status"] = 0, "failed"

    assert submit(connect(fake), request, record).id == "ftjob-2"
    assert fake.count("POST", JOBS) == 2


def test_an_unknown_outcome_stays_unknown_while_the_lists_fail(fake: FakeServer) -> None:
    fake.faults = [Fault("POST", JOBS, drop=True, late=True), Fault("GET", JOBS, times=0)]
    record, request = Record(), request_for("train.jsonl")

    def fail_lists(text: str) -> None:
        if "looking" in text:
            fake.faults[1].times = 1_000

    server = replace(connect(fake), notify=fail_lists)
    fake.lag = 3_600

    with pytest.raises(ServerError, match="The server may have created it"):
        submit(server, request, record)
    assert fake.count("POST", JOBS) == 1


def test_a_request_that_was_never_sent_is_repeated(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server, create = connect(fake), httpx2.HTTPTransport.handle_request
    failures = [httpx2.ConnectError("refused")]

    def connect_late(transport: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST" and request.url.path.endswith(JOBS) and failures:
            raise failures.pop()
        return create(transport, request)

    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", connect_late)

    assert submit(server, request_for("train.jsonl")).id == "ftjob-1"


def test_a_recorded_job_needs_neither_lists_nor_files(fake: FakeServer) -> None:
    record, request = Record(), request_for("train.jsonl")
    submit(connect(fake), request, record)
    fake.files.clear()
    fake.requests.clear()

    assert submit(connect(fake), request, record).id == "ftjob-1"
    assert fake.requests == [("GET", f"{JOBS}/ftjob-1")]


def test_a_recorded_job_that_the_server_does_not_know_is_not_made_again(fake: FakeServer) -> None:
    record, request = Record(), request_for("train.jsonl")
    submit(connect(fake), request, record)
    fake.jobs.clear()

    with pytest.raises(ServerError, match=r"ftjob-1 was created from this plan on .*another account"):
        submit(connect(fake), request, record)
    assert not fake.jobs


def test_a_recorded_job_that_has_another_id_is_found_by_its_plan(fake: FakeServer) -> None:
    record, request = Record(), request_for("train.jsonl")
    submit(connect(fake), request, record)
    fake.jobs["ftjob-9"] = fake.jobs.pop("ftjob-1") | {"id": "ftjob-9"}

    assert submit(connect(fake), request, record).id == "ftjob-9"
    fake.requests.clear()
    assert submit(connect(fake), request, record).id == "ftjob-9"
    assert fake.requests == [("GET", f"{JOBS}/ftjob-9")]


@pytest.mark.parametrize("made", [{"object": None}, {"object": "job", "metadata": None}])
def test_a_job_is_known_by_its_type_its_plan_or_its_file(
    fake: FakeServer, monkeypatch: pytest.MonkeyPatch, made: dict[str, Any]
) -> None:
    add = fake._add_job  # noqa: SLF001 - the server of these tests
    monkeypatch.setattr(fake, "_add_job", lambda body: add(body) | made)

    assert start(fake) == "ftjob-1"
    assert fake.count("POST", JOBS) == 1


@pytest.mark.parametrize("gone", [True, False], ids=["deleted", "unusable"])
def test_a_recorded_file_that_cannot_be_used_is_sent_again(fake: FakeServer, *, gone: bool) -> None:
    record, request = Record(), request_for("train.jsonl")
    fake.faults = [Fault("POST", JOBS, 400)]
    with pytest.raises(ServerError):
        submit(connect(fake), request, record)
    if gone:
        fake.files.clear()
    else:
        fake.file_states = ["error", "error", "processed"]

    assert submit(connect(fake, search=0), request, record).id == "ftjob-1"
    assert fake.count("POST", "/files") == 2


def test_a_recorded_file_may_be_known_late(fake: FakeServer) -> None:
    record, request = Record(), request_for("train.jsonl")
    fake.faults = [Fault("POST", JOBS, 400)]
    with pytest.raises(ServerError):
        submit(connect(fake), request, record)
    fake.faults = [Fault("GET", "/files/file-001", 404, times=2)]

    submit(connect(fake, search=60), request, record)

    assert fake.count("POST", "/files") == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("POST", JOBS, status=429, headers={"retry-after": "0.01"}),
        Fault("POST", "/files", status=429),
        Fault("POST", JOBS, status=409),
        Fault("GET", "/files/file-001", status=502),
    ],
    ids=lambda fault: f"{fault.method} {fault.path} {fault.status}",
)
def test_what_passes_is_tried_again(fake: FakeServer, fault: Fault) -> None:
    fake.faults = [fault]

    assert start(fake) == "ftjob-1"
    assert (len(fake.files), len(fake.jobs)) == (1, 1)


def test_a_file_whose_answer_is_lost_is_not_sent_again(fake: FakeServer) -> None:
    fake.faults = [Fault("POST", "/files", drop=True, late=True)]

    start(fake)

    assert fake.count("POST", "/files") == 1


def test_retry_after_is_obeyed(fake: FakeServer) -> None:
    fake.faults = [Fault("POST", JOBS, status=429, headers={"retry-after": "7"})]
    waited: list[float] = []
    server = connect(fake)
    object.__setattr__(server.retry_policy, "sleep", waited.append)

    submit(server, request_for("train.jsonl"))

    assert 7 in waited


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("POST", JOBS, 403, "training_not_available"), "cannot create fine-tuning jobs"),
        (Fault("POST", JOBS, 429, "insufficient_quota"), "no credit left"),
        (Fault("POST", JOBS, 400, "invalid_model"), "creating the job: 400 invalid_model: as told"),
        (Fault("POST", "/files", 413, "too_large"), "uploading train.jsonl: 413 too_large: as told"),
        (Fault("POST", JOBS, 500, "down", times=9), "500 down"),
    ],
    ids=lambda value: value.code if isinstance(value, Fault) else "",
)
def test_a_refusal_is_explained(fake: FakeServer, fault: Fault, words: str) -> None:
    fake.faults = [fault]

    with pytest.raises(ServerError, match=words):
        start(fake)
    assert not fake.jobs


def test_a_wrong_key_is_named_without_showing_it(fake: FakeServer) -> None:
    with pytest.raises(ServerError, match="does not accept the key") as caught:
        submit(connect(fake, key="sk-wrong-key"), request_for("train.jsonl"))

    assert "Incorrect key: ***" in str(caught.value)
    assert "sk-wrong-key" not in str(caught.value)


def test_no_server_is_said_with_its_address(fake: FakeServer) -> None:
    server = connect(fake)
    object.__setattr__(server, "client", server.client.with_options(base_url="http://127.0.0.1:9/v1"))

    with pytest.raises(ServerError, match=r"http://127.0.0.1:9/v1 cannot be reached"):
        submit(server, request_for("train.jsonl"))


def test_a_file_that_the_server_cannot_use_ends_it(fake: FakeServer) -> None:
    fake.file_states = ["uploaded", "error"]

    with pytest.raises(
        SubmissionError, match=r"train.jsonl: the server cannot use it \(error\): line 3 is not"
    ):
        start(fake)
    assert not fake.jobs


def test_a_file_that_is_never_processed_meets_the_deadline(fake: FakeServer) -> None:
    fake.file_states = ["uploaded"]

    with pytest.raises(ServerError, match=r"train.jsonl: still uploaded after 0 s"):
        submit(connect(fake, deadline=0.1), request_for("train.jsonl"))


# following


def test_a_job_queued_for_too_long_meets_the_deadline(fake: FakeServer) -> None:
    fake.script = [("queued", [])]
    job = start(fake)

    with pytest.raises(ServerError, match="not finished after 0 s; the job continues on the server"):
        watch(connect(fake, deadline=0.1), job)


def test_a_failed_job_tells_why(fake: FakeServer) -> None:
    fake.script = [("failed", [])]
    fake.job_end = {"error": {"code": "invalid_n_examples", "message": "too few", "param": "training_file"}}

    outcome, _, _ = watch(connect(fake), start(fake))

    assert not outcome.ok
    assert outcome.job.error == ("invalid_n_examples", "too few")


def test_unknown_statuses_types_and_missing_data_are_survived(fake: FakeServer) -> None:
    bare = {"object": "fine_tuning.job.event", "id": "ftevent-9"}
    odd = event(2, "odd", kind="weather", data=["no", "object"])
    nameless = [{"message": "one"}, {"message": "two"}]
    fake.script = [("paused", [odd]), ("pausing", [bare]), ("paused", nameless), ("succeeded", [])]

    outcome, events, _ = watch(connect(fake), start(fake))

    assert outcome.ok
    assert [one.message for one in events] == ["odd", "", "one", "two"]


def test_events_come_oldest_first_and_once_over_pages_and_looks(fake: FakeServer) -> None:
    fake.page = 2
    fake.script = [("running", [event(int(n), n) for n in batch]) for batch in ("012", "345", "6")]
    fake.script.append(("succeeded", []))

    _, events, _ = watch(connect(fake), start(fake))

    assert [one.message for one in events] == list("0123456")


def test_a_server_without_pages_is_not_asked_for_ever(
    fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        fake, "_page", lambda items, _query: {"object": "list", "data": items, "has_more": True}
    )
    fake.script = [("succeeded", [event(1, "once")])]

    _, events, _ = watch(connect(fake), start(fake))

    assert [one.message for one in events] == ["once"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET", f"{JOBS}/ftjob-1", status=500, times=2),
        Fault("GET", f"{JOBS}/ftjob-1", status=429, headers={"retry-after": "0.01"}),
        Fault("GET", f"{JOBS}/ftjob-1/events", drop=True),
    ],
    ids=["500", "429", "dropped"],
)
def test_following_survives_what_passes(fake: FakeServer, fault: Fault) -> None:
    job = start(fake)
    fake.faults = [fault]
    fake.script = [("running", []), ("succeeded", [])]

    outcome, _, troubles = watch(connect(fake), job)

    assert outcome.ok
    assert len(troubles) >= 1


@pytest.mark.parametrize("faults", [{"drop": True}, {"status": 503}], ids=["dropped", "503"])
def test_following_ends_if_a_server_never_answers(fake: FakeServer, faults: dict[str, Any]) -> None:
    job = start(fake)
    fake.faults = [Fault("GET", f"{JOBS}/ftjob-1", times=10_000, **faults)]
    updates = follow(connect(fake, deadline=None), job, lambda job: job.ended)

    assert next(updates).trouble
    with pytest.raises(ServerError, match=r"no answer within 0 s: .*; follow the job again later"):
        list(updates)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"status": 404}, "404 server_error: as told"),
        ({"status": 501}, "501 server_error: as told"),
        ({"status": 200, "body": "<p>Home</p>"}, "does not follow the documentation of the API: Home"),
        ({"status": 200, "body": {"data": [None]}}, 'the API: {"data": [null]}'),
    ],
)
def test_a_server_without_events_and_checkpoints_has_jobs_with_outcomes(
    fake: FakeServer, how: dict[str, Any], words: str
) -> None:
    job = start(fake)
    fake.script = [("running", []), ("succeeded", [])]
    fake.job_end = {"fine_tuned_model": "ft:books"}
    fake.faults = [
        Fault("GET", f"{JOBS}/{job}/{what}", times=99, **how) for what in ("events", "checkpoints")
    ]

    last = list(follow(connect(fake), job, lambda job: job.ended))[-1]
    assert last.job is not None
    outcome = conclude(connect(fake), last.job, [], last.events_unknown)

    assert (outcome.ok, outcome.job.trained_model) == (True, "ft:books")
    assert list(outcome.unknown) == ["events", "checkpoints"]
    assert all(words in why for why in outcome.unknown.values())


@pytest.mark.parametrize("body", ["null", "[]", '"no"', "<p>Home</p>", {"data": [None]}, {"data": {}}])
@pytest.mark.parametrize("path", [JOBS, "/files"])
def test_a_list_of_another_shape_is_quoted_with_its_request(
    fake: FakeServer, path: str, body: object
) -> None:
    fake.faults = [Fault("GET", path, 200, body=body)]
    quoted = "Home" if body == "<p>Home</p>" else body if isinstance(body, str) else json.dumps(body)

    with pytest.raises(ServerError) as caught:
        start(fake)
    said = f"GET {fake.url}{path}: the answer does not follow the documentation of the API: {quoted}"
    assert str(caught.value) == said
    assert not fake.jobs


def test_null_is_an_empty_list(fake: FakeServer) -> None:
    fake.faults = [
        Fault("GET", path, 200, body={"object": "list", "data": None}) for path in (JOBS, "/files")
    ]

    assert start(fake) == "ftjob-1"


def test_values_of_other_types_and_cases_are_survived_without_a_warning(fake: FakeServer) -> None:
    fake.file_states = ["Uploaded", "PROCESSED"]
    fake.script = [("Running", []), ("SUCCEEDED", [])]
    odd = {"hyperparameters": [7], "result_files": "x", "seed": "y", "trained_tokens": -1, "created_at": None}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        job = start(fake)
        fake.jobs[job] |= odd
        outcome, _, _ = watch(connect(fake), job)

    assert (outcome.ok, outcome.job.status) == (True, "succeeded")
    assert (outcome.job.trained_tokens, outcome.job.epochs, outcome.job.seed) == (None, None, None)


def test_following_a_job_that_is_not_there_says_so(fake: FakeServer) -> None:
    with pytest.raises(ServerError, match="following ftjob-9: 404 not_found: no job ftjob-9"):
        watch(connect(fake), "ftjob-9")


def test_skipped_images_are_counted_by_reason(fake: FakeServer) -> None:
    fake.script = [
        (
            "succeeded",
            [
                event(1, "Image skipped: contains faces", level="warn"),
                event(2, "Image skipped: Contains Faces", level="warn"),
                event(3, "1,200 images skipped: image too large", level="warn"),
                event(4, "Step 1/3"),
            ],
        )
    ]

    outcome, _, _ = watch(connect(fake), start(fake))

    assert outcome.skips == {"contains faces": 2, "image too large": 1_200}


@pytest.mark.parametrize("blocked", [True, False])
def test_moderation_that_blocks_fails_a_job_that_succeeded(fake: FakeServer, *, blocked: bool) -> None:
    results = [{"category": "hate", "flagged": blocked, "enforcement": "blocking"}, "odd"]
    fake.script = [
        (
            "succeeded",
            [event(1, "checks", kind="moderation_checks", data={"blocked": blocked, "results": results})],
        )
    ]

    outcome, _, _ = watch(connect(fake), start(fake))

    assert outcome.ok is not blocked
    assert [(check.category, check.flagged) for check in outcome.checks] == [("hate", blocked)]


def test_a_job_can_be_cancelled(fake: FakeServer) -> None:
    assert cancel(connect(fake), start(fake)).status == "cancelled"


def test_no_answer_in_json_is_said(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "_page", lambda _items, _query: "<html>")

    with pytest.raises(ServerError, match="does not follow the documentation of the API"):
        start(fake)


def test_the_key_is_in_no_answer(fake: FakeServer) -> None:
    fake.script = [("succeeded", [event(1, f"you sent {KEY}")])]

    _, events, _ = watch(connect(fake), start(fake))

    assert events[0].message == "you sent ***"


def test_events_of_any_shape_are_read() -> None:
    assert read_event({}).message == ""
