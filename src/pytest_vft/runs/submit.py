"""Fine-tuning jobs from Python: plan, preflight, apply, follow and cancel."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from pytest_vft.errors import UsageError
from pytest_vft.model import Depth
from pytest_vft.runs.config import Config, as_config
from pytest_vft.runs.job_server import connect_to, credentials_for
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.sources import find_sources
from pytest_vft.runs.submission import (
    apply_plan,
    connect,
    make_plan,
    plan_path,
    read_submission,
    record_path,
)
from pytest_vft.submission.outcome import Event, Job, JobOutcome
from pytest_vft.submission.plan import JobPlan

if TYPE_CHECKING:
    from pytest_vft.submission.job import JobUpdate
    from pytest_vft.submission.preflight import Preflight
    from pytest_vft.submission.server import RetryPolicy, Server

StrPath = str | os.PathLike[str]


class JobOptions(TypedDict, total=False):
    """Settings of a job; defaults are those of the configuration, else of the provider."""

    suffix: str
    seed: int
    epochs: int
    batch_size: int
    learning_rate_multiplier: float
    metadata: Mapping[str, str]


class ServerOptions(TypedDict, total=False):
    """The server of a job.

    *base_url* is the address, by default that of the configuration, the environment or the provider.
    *config* is that of lint().
    """

    provider: str | None
    base_url: str | None
    config: Config | StrPath | None


def plan_job(  # noqa: PLR0913 - all by keyword, each with a default
    training_file: StrPath,
    validation_file: StrPath | None = None,
    *,
    provider: str | None = None,
    model: str | None = None,
    base_url: str | None = None,
    config: Config | StrPath | None = None,
    depth: Depth = "auto",
    **settings: Unpack[JobOptions],
) -> JobPlan:
    """Return the plan of a fine-tuning job: its requests, its estimate, and expected skips.

    No key is needed and nothing is sent. The default of *validation_file* is that of the configuration,
    if any. *base_url* is the address of the server, by default that of the configuration, the environment
    or the provider; *config* and *depth* are those of lint().
    Raises UnfitError for data with errors, SubmissionError for a provider or model that accepts no new
    jobs, and UsageError, ConfigError or RuleFileError for invalid arguments and files.
    """
    training_file = os.fspath(training_file)
    config = as_config(config, path=training_file)
    configured = [source.path for source in find_sources(config) if source.split == "validation"]
    validation = configured if validation_file is None else [os.fspath(validation_file)]
    run = Settings(
        config=config,
        sources=find_sources(config, data=[training_file], validation=validation),
        provider_id=provider,
        model_name=model,
        depth=depth,
        jobs=1,
    )
    return make_plan(read_submission(run, base_url=base_url, **settings), os.environ)


def preflight_job(plan: JobPlan, *, timeout: float | None = None) -> Preflight:
    """Ask the server whether it would accept the job of *plan*; nothing is uploaded or changed.

    *timeout* is the number of seconds to wait for the server; None waits without a limit.
    Raises MissingKeyError without an API key, ServerError if the server fails or does not answer.
    """
    from pytest_vft.submission.preflight import preflight  # noqa: PLC0415 - openai takes 0.6 s to import

    return preflight(_server_of_plan(plan, timeout), plan.request, date.today())  # noqa: DTZ011 - shutdown dates have no zone


def apply_job(
    plan: JobPlan,
    *,
    timeout: float | None = None,
    record: StrPath | None = None,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Job:
    """Upload the files of *plan* and create the job, which costs money; return the job if it exists already.

    *record* is the file that remembers what was created, by default the one next to the training file that
    `vft submit apply` uses. *on_wait* is called with what is uploaded, and with what is waited for, if a
    request has no clear answer.
    Raises SubmissionError if a file changed since it was planned or is rejected, and ServerError if
    the outcome of a request stays unknown; see preflight_job() for *timeout* and the other errors.
    """
    path = record_path(plan_path(plan.request.files[0].path)) if record is None else Path(record)
    server = replace(_server_of_plan(plan, timeout), notify=on_wait)
    return apply_plan(server, plan.request, path)


def follow_job(
    job_id: str,
    *,
    timeout: float | None = None,
    on_update: Callable[[JobUpdate], None] = lambda _: None,
    **server: Unpack[ServerOptions],
) -> JobOutcome:
    """Wait until a job has ended and return its outcome; *on_update* is called with each update.

    Raises MissingKeyError without an API key, ServerError if the server fails or after *timeout* seconds.
    """
    from pytest_vft.submission.job import conclude, follow  # noqa: PLC0415 - as above

    connected = _connect(timeout, **server)
    job: Job | None = None
    events: list[Event] = []
    events_unknown: str | None = None
    for update in follow(connected, job_id, lambda job: job.ended):
        on_update(update)
        job, events_unknown = update.job or job, update.events_unknown
        events += update.events
    assert job is not None  # noqa: S101 - follow() ends with a job or raises
    return conclude(connected, job, events, events_unknown)


def cancel_job(job_id: str, **server: Unpack[ServerOptions]) -> Job:
    """Cancel a job and return it. Raises MissingKeyError without an API key, and ServerError."""
    from pytest_vft.submission.job import cancel  # noqa: PLC0415 - as above

    return cancel(_connect(None, **server), job_id)


def _server_of_plan(plan: JobPlan, timeout: float | None) -> Server:
    """Return the server of *plan*. Raises UsageError if the environment names another server now."""
    credentials = credentials_for(plan.endpoint, os.environ)
    server = connect_to(credentials, _retry_policy(timeout))
    if server.address != plan.request.base_url:
        raise UsageError(f"the plan is for {plan.request.base_url}, not for {server.address}; plan again")
    return server


def _connect(
    timeout: float | None,
    *,
    provider: str | None = None,
    base_url: str | None = None,
    config: Config | StrPath | None = None,
) -> Server:
    settings = Settings(config=as_config(config), provider_id=provider)
    submission = read_submission(settings, base_url=base_url, timeout=timeout)
    return connect(submission, os.environ, _retry_policy(submission.timeout))


def _retry_policy(timeout: float | None) -> RetryPolicy:
    from pytest_vft.submission.server import RetryPolicy  # noqa: PLC0415 - as above

    return RetryPolicy(deadline=timeout)
