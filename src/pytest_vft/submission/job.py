"""Create a job exactly once, follow it and cancel it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import openai

from pytest_vft.errors import ServerError
from pytest_vft.submission.once import Creation, create_once
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
from pytest_vft.submission.record import Record, Thing
from pytest_vft.submission.server import Server, is_temporary, retry_after
from pytest_vft.submission.upload import await_file, send_file

_PAGE = 100
_MAX_JOBS = 1_000
_MAX_EVENTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUpdate:
    """State of a job and its new events, or the error that prevented reading them (*trouble*).

    *events_unknown* is why only the state can be read.
    """

    job: Job | None = None
    events: tuple[Event, ...] = ()
    trouble: str | None = None
    events_unknown: str | None = None


def submit(server: Server, request: JobRequest, record: Record) -> Job:
    """Upload the files of *request* and return its job, which is created unless it exists.

    `plan` records the requests of this function, and `apply` sends them. *record* remembers what was created.
    Raises SubmissionError or ServerError; the messages name the next step.
    """
    thing = Thing("job", request.digest, server.address)
    known = _recorded_job(server, thing, record)
    if known is not None and known.status not in ENDED_BADLY:
        return known
    ids: dict[Role, str] = {file.role: send_file(server, file, record) for file in request.files}
    for file in request.files:
        await_file(server, file, ids[file.role])
    with server.explained("creating the job"):
        return _create_job(server, request, ids, record, thing, known)


def find_jobs(server: Server, digest: str) -> list[Job]:
    """Return the jobs that were created from the plan with this digest, newest first."""
    list_jobs = partial(
        server.client.fine_tuning.jobs.with_raw_response.list, metadata={"vft_plan": digest}, limit=_PAGE
    )
    jobs = map(read_job, server.listed(list_jobs, _MAX_JOBS))  # a server may ignore the filter
    return [job for job in jobs if job.metadata.get("vft_plan") == digest]


def _recorded_job(server: Server, thing: Thing, record: Record) -> Job | None:
    """Return the job that *record* has the id of, None without any. Raises ServerError if it is unknown."""
    entry = record.created(thing)
    if entry is None:
        return None
    with server.explained(f"reading {server.safe(entry.id)}"):
        try:
            return read_job(
                server.data(server.client.fine_tuning.jobs.with_raw_response.retrieve(str(entry.id)))
            )
        except openai.NotFoundError:
            listed = find_jobs(server, thing.key)
            for job in sorted(listed, key=lambda job: job.status in ENDED_BADLY):  # the newest is the first
                record.add(thing, "created", id_=job.id)
                return job
            raise ServerError(
                f"{server.safe(entry.id)} was created from this plan on {entry.at:%Y-%m-%d}, but "
                f"{server.address} neither knows it nor lists a job of this plan; is the key that of another "
                f"account? To create another job, delete {record.path}"
            ) from None


def _create_job(  # noqa: PLR0913, PLR0917 - once, from submit()
    server: Server,
    request: JobRequest,
    ids: Mapping[Role, str],
    record: Record,
    thing: Thing,
    known: Job | None,
) -> Job:
    """Return the job of *request*, created unless one exists that has not failed or been cancelled.

    *known* is a job that has.
    """
    unsettled = record.unsettled(thing)
    ended: set[str] | None = set(unsettled.ended) if unsettled else None

    def find() -> Job | None:
        nonlocal ended
        jobs = find_jobs(server, request.digest)
        if ended is None:
            ended = {job.id for job in (*jobs, *([known] if known else [])) if job.status in ENDED_BADLY}
        return next((job for job in jobs if job.id not in ended), None)

    def send() -> Job:
        record.add(thing, "sending", ended=sorted(ended or ()))
        answer = server.once.fine_tuning.jobs.with_raw_response.create(**request.body(ids))
        made = server.data(answer)
        if not _is_job(made, request, ids):
            raise server.unreadable(answer)
        server.new_id(answer, made)
        return read_job(made)

    creation = Creation(thing=thing, doing="creating the job", find=find, send=send, id_of=lambda job: job.id)
    return create_once(server, record, creation)


def _is_job(made: Mapping[str, Any], request: JobRequest, ids: Mapping[Role, str]) -> bool:
    """Return whether *made* describes a job: by its type, its plan or its training file."""
    metadata = made.get("metadata")
    return (
        made.get("object") == "fine_tuning.job"
        or made.get("training_file") == ids["training_file"]
        or (isinstance(metadata, Mapping) and metadata.get("vft_plan") == request.digest)
    )


def follow(server: Server, job_id: str, until: Callable[[Job], bool]) -> Iterator[JobUpdate]:
    """Yield updates of a job, each event once and oldest first, until *until* is true of the job.

    Temporary errors (429, 5xx, a broken connection) are updates, too; events that cannot be read do not keep
    a job from its end. Raises ServerError at the deadline, for other errors, for a job that is paused or in
    an unknown state and has no news, and for a server without any answer within the time for a search.
    """
    policy, seen, answered = server.retry_policy, set[str](), False
    started = news_at = policy.clock()
    status, failures = "", 0
    for wait in policy.waits():
        with server.explained(f"following {server.safe(job_id)}"):
            try:
                job = read_job(server.data(server.once.fine_tuning.jobs.with_raw_response.retrieve(job_id)))
                update, error = _with_events(server, job, seen, last=failures + 1 >= policy.tries)
            except openai.APIError as caught:
                if not is_temporary(caught):
                    raise
                update, error = JobUpdate(trouble=server.words(caught)), caught
        failures = failures + 1 if error is not None else 0
        pause = max(wait, retry_after(error)) if error is not None else wait
        yield update
        if update.job is not None and until(update.job):
            return
        answered = answered or update.job is not None
        if not answered and policy.clock() - started > policy.search:
            raise ServerError(
                f"{server.safe(job_id)}: no answer within {policy.search:,.0f} s: {update.trouble}; "
                "follow the job again later"
            )
        if update.job is not None and (update.events or update.job.under_way or update.job.status != status):
            news_at, status = policy.clock(), update.job.status
        elif update.job is not None and policy.clock() - news_at + pause > policy.patience:
            resume = "resume the job on the server, then " if update.job.paused else ""
            raise ServerError(
                f"{server.safe(job_id)}: still {server.safe(status)} and without news after "
                f"{policy.patience:,.0f} s; {resume}follow the job again"
            )
        if policy.deadline is not None and policy.clock() - started + pause > policy.deadline:
            raise ServerError(
                f"{server.safe(job_id)}: not finished after {policy.deadline:,.0f} s; "
                "the job continues on the server"
            )
        policy.sleep(pause)


def _with_events(
    server: Server, job: Job, seen: set[str], *, last: bool
) -> tuple[JobUpdate, openai.APIError | None]:
    """Return an update with the events of *job*, and the error if they may be read later.

    *last* is whether they have failed too often to wait for them.
    """
    try:
        return JobUpdate(job=job, events=tuple(_new_events(server, job.id, seen))), None
    except openai.APIError as error:
        words = server.words(error)
        if is_temporary(error) and not last:
            return JobUpdate(trouble=words), error
        return JobUpdate(job=job, events_unknown=words), error
    except ServerError as error:
        return JobUpdate(job=job, events_unknown=str(error)), None


def _new_events(server: Server, job_id: str, seen: set[str]) -> list[Event]:
    """Return the events whose ids are not in *seen*, oldest first, and add their ids to *seen*."""
    list_events = partial(server.once.fine_tuning.jobs.with_raw_response.list_events, job_id, limit=_PAGE)
    new: list[Event] = []
    for event in map(read_event, server.listed(list_events, _MAX_EVENTS)):  # newest first
        if event.id in seen:
            break
        new.append(event)
    seen.update(event.id for event in new)
    new.reverse()
    return sorted(new, key=lambda event: event.at)


def conclude(
    server: Server, job: Job, events: Iterable[Event], events_unknown: str | None = None
) -> JobOutcome:
    """Return the outcome of *job*, with its checkpoints if it has ended.

    *events_unknown* is why *events* may be missing. Some servers have no events and no checkpoints.
    """
    unknown = {} if events_unknown is None else {"events": events_unknown}
    checkpoints: list[dict[str, Any]] = []
    if job.ended:
        list_checkpoints = partial(server.client.fine_tuning.jobs.checkpoints.with_raw_response.list, job.id)
        try:
            checkpoints = list(server.listed(list_checkpoints, _PAGE))
        except openai.APIError as error:
            unknown["checkpoints"] = server.words(error)
        except ServerError as error:
            unknown["checkpoints"] = str(error)
    outcome = make_outcome(job, tuple(events), map(read_checkpoint, checkpoints), server.api.skip_reasons)
    return replace(outcome, unknown=unknown)


def cancel(server: Server, job_id: str) -> Job:
    """Cancel a job and return it. Raises ServerError."""
    with server.explained(f"cancelling {server.safe(job_id)}"):
        return read_job(server.data(server.client.fine_tuning.jobs.with_raw_response.cancel(job_id)))
