"""A fine-tuning job planned, checked with the server, made, followed and cancelled."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from pytest_vft.client import read_credentials
from pytest_vft.errors import UsageError
from pytest_vft.model import Depth
from pytest_vft.runs.config import Config, load_config
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.sources import find_sources
from pytest_vft.runs.submission import connect, connect_to, make_plan, read_submission
from pytest_vft.submission.outcome import Event, Job, JobOutcome
from pytest_vft.submission.plan import JobPlan

if TYPE_CHECKING:
    from pytest_vft.submission.job import JobUpdate
    from pytest_vft.submission.preflight import Preflight
    from pytest_vft.submission.server import Server

StrPath = str | os.PathLike[str]


class JobOptions(TypedDict, total=False):
    """Settings of a job; those that are left out come from the configuration, else from the provider."""

    suffix: str
    seed: int
    epochs: int
    batch_size: int
    learning_rate_multiplier: float
    metadata: Mapping[str, str]


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
    """Return the plan of a fine-tuning job: its requests, its estimate, what the provider would skip.

    No key is needed and nothing is sent. Without *validation_file* the job has the one that the
    configuration names, if any. *base_url* is the address of the server, by default that of the
    environment or the provider; *config* and *depth* are those of lint().
    Raises UnfitError for data with errors, SubmissionError for a provider or model that takes no more
    jobs, and UsageError, ConfigError or RuleFileError for arguments and files that are not valid.
    """
    config = _config(config)
    configured = [source.path for source in find_sources(config) if source.split == "validation"]
    validation = configured if validation_file is None else [os.fspath(validation_file)]
    run = Settings(
        config=config,
        sources=find_sources(config, [os.fspath(training_file)], validation=validation),
        provider_id=provider,
        model_name=model,
        depth=depth,
        jobs=1,
    )
    return make_plan(read_submission(run, base_url=base_url, **settings), os.environ)


def preflight_job(plan: JobPlan, *, timeout: float | None = None) -> Preflight:
    """Ask the server whether it would take the job of *plan*; nothing is uploaded or changed.

    *timeout*, here and below, is the number of seconds to wait for the server, None for no limit.
    Raises MissingKeyError without an API key in the environment, ServerError if the server does not answer.
    """
    from pytest_vft.submission.preflight import preflight  # noqa: PLC0415 - openai takes 0.6 s to import

    return preflight(_server(plan, timeout), plan.request, date.today())  # noqa: DTZ011 - shutdown dates have no zone


def apply_job(plan: JobPlan, *, timeout: float | None = None) -> Job:
    """Upload the files of *plan* and return its job, which is made only if the server does not have it yet.

    This costs money.
    Raises SubmissionError if a file changed since it was planned or cannot be used, MissingKeyError
    and ServerError as preflight_job does.
    """
    from pytest_vft.submission.job import submit  # noqa: PLC0415 - openai takes 0.6 s to import

    return submit(_server(plan, timeout), plan.request)


def follow_job(  # noqa: PLR0913 - all by keyword, each with a default
    job_id: str,
    *,
    provider: str | None = None,
    base_url: str | None = None,
    config: Config | StrPath | None = None,
    timeout: float | None = None,
    on_update: Callable[[JobUpdate], None] = lambda _: None,
) -> JobOutcome:
    """Wait until a job has ended and return its outcome; *on_update* is called with all news of it.

    Raises MissingKeyError without an API key, ServerError for a server that fails or after *timeout*.
    """
    from pytest_vft.submission.job import conclude, follow  # noqa: PLC0415 - openai takes 0.6 s to import

    server = _server_of(provider, base_url, config, timeout)
    job: Job | None = None
    events: list[Event] = []
    for update in follow(server, job_id, lambda job: job.ended):
        on_update(update)
        job = update.job or job
        events += update.events
    assert job is not None  # noqa: S101 - following ends with a job that has ended, or raises
    return conclude(server, job, events)


def cancel_job(
    job_id: str,
    *,
    provider: str | None = None,
    base_url: str | None = None,
    config: Config | StrPath | None = None,
) -> Job:
    """Cancel a job and return it. Raises MissingKeyError without an API key, and ServerError."""
    from pytest_vft.submission.job import cancel  # noqa: PLC0415 - openai takes 0.6 s to import

    return cancel(_server_of(provider, base_url, config, None), job_id)


def _config(config: Config | StrPath | None) -> Config:
    return config if isinstance(config, Config) else load_config(None if config is None else Path(config))


def _server(plan: JobPlan, timeout: float | None) -> Server:
    """Return the server of *plan*. Raises UsageError if the environment names another one by now."""
    base_url, azure_version = plan.endpoint
    credentials = read_credentials(base_url, os.environ, azure_version=azure_version)
    server = connect_to(credentials, **_options(timeout))
    if server.address != plan.request.base_url:
        raise UsageError(f"the plan is for {plan.request.base_url}, not for {server.address}; plan again")
    return server


def _server_of(
    provider: str | None, base_url: str | None, config: Config | StrPath | None, timeout: float | None
) -> Server:
    settings = Settings(config=_config(config), provider_id=provider)
    submission = read_submission(settings, base_url=base_url, timeout=timeout)
    return connect(submission, os.environ, **_options(submission.timeout))


def _options(timeout: float | None) -> dict[str, Any]:
    from pytest_vft.submission.server import RetryPolicy  # noqa: PLC0415 - openai takes 0.6 s to import

    return {"retry_policy": RetryPolicy(deadline=timeout)}
