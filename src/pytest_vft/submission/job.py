"""A job made exactly once, and followed to its end."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import openai

from pytest_vft.errors import ServerError
from pytest_vft.submission.outcome import (
    ENDED_BADLY,
    Event,
    Job,
    JobOutcome,
    make_outcome,
    read_checkpoint,
    read_event,
    read_job,
)
from pytest_vft.submission.plan import JobRequest, Role
from pytest_vft.submission.server import Server, is_passing, retry_after
from pytest_vft.submission.upload import await_file, send_file

_PAGE = 100
_MOST_JOBS = 1_000
_MOST_EVENTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUpdate:
    """News of a job: its state and what happened since the last; or why there is none."""

    job: Job | None = None
    events: tuple[Event, ...] = ()
    trouble: str | None = None


def submit(server: Server, request: JobRequest) -> Job:
    """Return the job of *request*, made now unless there is one; its files are sent first.

    This is all that `plan` records and `apply` does.
    Raises SubmissionError or ServerError, which say what is left to do.
    """
    ids: dict[Role, str] = {file.role: send_file(server, file) for file in request.files}
    for file in request.files:
        await_file(server, file, ids[file.role])
    with server.explained("making the job"):
        return _make_job(server, request, ids)


def find_jobs(server: Server, digest: str) -> list[Job]:
    """Return the jobs that were made from the plan with that digest, the newest first."""
    ask = partial(server.client.fine_tuning.jobs.list, metadata={"vft_plan": digest}, limit=_PAGE)
    jobs = map(read_job, server.listed(ask, _MOST_JOBS))  # a server may know no such filter
    return [job for job in jobs if job.metadata.get("vft_plan") == digest]


def _make_job(server: Server, request: JobRequest, ids: dict[Role, str]) -> Job:
    """Return the job of *request*; looked for before each try, for a lost answer may have made it.

    A job that failed or was cancelled before may be made again.
    """
    jobs = find_jobs(server, request.digest)
    before = {job.id for job in jobs if job.status in ENDED_BADLY}
    for number, wait in enumerate(server.retry_policy.waits(), start=1):
        made = next((job for job in jobs if job.id not in before), None)
        if made is not None:
            return made
        try:
            answer = server.once.fine_tuning.jobs.create(**request.body(ids))
            return read_job(server.data(answer))
        except openai.APIConnectionError as error:
            return _find_lost(server, request, before, error)
        except openai.APIError as error:
            if number >= server.retry_policy.tries or not is_passing(error):
                raise
            server.wait(error, wait)
        jobs = find_jobs(server, request.digest)
    raise AssertionError("waits never end")


def _find_lost(
    server: Server, request: JobRequest, before: Container[str], error: openai.APIConnectionError
) -> Job:
    """Return the job that was made though its answer was lost, one that is not among those *before*.

    It is never made again here: the server may still be at it.
    """
    for wait in islice(server.retry_policy.waits(), server.retry_policy.tries):
        server.retry_policy.sleep(wait)
        with suppress(openai.APIError):  # a server in trouble is asked again
            for job in find_jobs(server, request.digest):
                if job.id not in before:
                    return job
    raise ServerError(
        f"making the job: {server.words(error)}. Whether it was made is not known, so it is not tried again; "
        "'vft submit apply' looks for it first"
    )


def follow(server: Server, job_id: str, until: Callable[[Job], bool]) -> Iterator[JobUpdate]:
    """Yield what happens to a job, events oldest first and each once, *until* it has got so far.

    What passes (429, 5xx, a broken connection) is news, too. Raises ServerError at the deadline and for
    what does not pass.
    """
    policy, seen = server.retry_policy, set[str]()
    started = policy.clock()
    for wait in policy.waits():
        pause = wait
        with server.explained(f"following {server.safe(job_id)}"):
            try:
                job = read_job(server.data(server.once.fine_tuning.jobs.retrieve(job_id)))
                update = JobUpdate(job=job, events=tuple(_new_events(server, job_id, seen)))
            except openai.APIError as error:
                if not is_passing(error):
                    raise
                pause = max(wait, retry_after(error))
                update = JobUpdate(trouble=server.words(error))
        yield update
        if update.job is not None and until(update.job):
            return
        if policy.deadline is not None and policy.clock() - started + pause > policy.deadline:
            raise ServerError(
                f"{server.safe(job_id)}: not done after {policy.deadline:,.0f} s; it goes on at the server"
            )
        policy.sleep(pause)


def _new_events(server: Server, job_id: str, seen: set[str]) -> list[Event]:
    """Return the events that are not *seen* yet, oldest first, and count them as seen."""
    ask = partial(server.once.fine_tuning.jobs.list_events, job_id, limit=_PAGE)
    new: list[Event] = []
    for event in map(read_event, server.listed(ask, _MOST_EVENTS)):  # newest first
        if event.id in seen:
            break
        new.append(event)
    seen.update(event.id for event in new)
    new.reverse()
    return sorted(new, key=lambda event: event.at)


def conclude(server: Server, job: Job, events: Iterable[Event]) -> JobOutcome:
    """Return what *job* came to, with its checkpoints if it has any."""
    checkpoints: list[dict[str, Any]] = []
    if job.ended:
        ask = partial(server.client.fine_tuning.jobs.checkpoints.list, job.id)
        with suppress(openai.APIError):  # not every server keeps them, and the job is what counts
            checkpoints = list(server.listed(ask, _PAGE))
    return make_outcome(job, tuple(events), map(read_checkpoint, checkpoints), server.api.skip_reasons)


def cancel(server: Server, job_id: str) -> Job:
    """Cancel a job and return it. Raises ServerError."""
    with server.explained(f"cancelling {server.safe(job_id)}"):
        return read_job(server.data(server.client.fine_tuning.jobs.cancel(job_id)))
