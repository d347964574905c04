"""A submission: a dataset and the settings of a job, planned, and the server that takes it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_vft.client import Credentials, make_client, read_credentials
from pytest_vft.errors import ConfigError, SubmissionError, UnfitError, UsageError
from pytest_vft.model import Report, Source
from pytest_vft.reading.remote import Watch
from pytest_vft.runs.lint import run
from pytest_vft.runs.settings import Settings
from pytest_vft.submission.job_api import settings_problem
from pytest_vft.submission.plan import (
    CLOSING_SOON,
    ClosingDate,
    Endpoint,
    JobPlan,
    JobRequest,
    JobSettings,
    describe_file,
    estimate,
    expected_skips,
)
from pytest_vft.text import count

if TYPE_CHECKING:
    from pytest_vft.submission.server import Server

_OURS = ("base_url", "timeout")  # of [tool.vft.submit]; all other keys are settings of the job


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What is asked for: the run that checks the data, the job's settings, the server's address.

    *timeout* is how many seconds are waited for the server, None for ever.
    """

    settings: Settings
    job: JobSettings
    base_url: str | None = None
    timeout: float | None = None


def read_submission(
    settings: Settings, *, base_url: str | None = None, timeout: float | None = None, **given: object
) -> Submission:
    """Return what [tool.vft.submit] says, and on top of it the settings of the job that were *given*.

    Raises ConfigError or UsageError for a setting that the API does not take.
    """
    config = settings.config
    job = {key: value for key, value in config.submit.items() if key not in _OURS}
    problem = settings_problem(job)
    if problem:
        raise ConfigError(f"{config.path}: submit: {problem}")
    given = _known(given)
    problem = settings_problem(given)
    if problem:
        raise UsageError(problem)
    base_url = base_url or config.submit.get("base_url")
    return Submission(
        settings=replace(settings, base_url=base_url),
        job=JobSettings(**{**job, **given}),
        base_url=base_url,
        timeout=config.submit.get("timeout") if timeout is None else timeout,
    )


def resume(submission: Submission, saved: Mapping[str, Any], **given: object) -> Submission:
    """Return *submission* as the plan *saved* has it, except for what was *given* again.

    The address is not taken from the plan: a file must not decide where the key is sent.
    """
    request, settings = saved["request"], submission.settings
    said = {
        key: value for key, value in {**request["settings"], **_known(given)}.items() if value is not None
    }
    problem = settings_problem(said)
    if problem:
        raise UsageError(f"plan: {problem}")
    provider_id = settings.provider_id or request.get("provider")
    model_name = settings.model_name or request.get("model")
    return replace(
        submission,
        settings=replace(settings, provider_id=provider_id, model_name=model_name),
        job=JobSettings(**said),
    )


def _known(given: Mapping[str, object]) -> dict[str, Any]:
    """Return what was said in fact; None stands where nothing was."""
    return {key: value for key, value in given.items() if value is not None}


def plan_path(training_file: str) -> Path:
    """Return where the plan of *training_file* is kept: beside it."""
    return Path(training_file).with_suffix(".plan.json")


def make_plan(
    submission: Submission,
    environ: Mapping[str, str],
    *,
    report: Report | None = None,
    today: date | None = None,
    watch: Watch | None = None,
) -> JobPlan:
    """Lint the data, and record what would be sent; no key is needed and nothing is sent.

    *report* is that of a lint of exactly this data, if there is one already; *watch* sees how far a new
    one is.
    Raises UnfitError for data with errors, SubmissionError for what takes no more jobs, UsageError.
    """
    import httpx2  # noqa: PLC0415 - it and openai take 0.6 s to import

    from pytest_vft.submission.job import submit  # noqa: PLC0415 - as above
    from pytest_vft.submission.requests import Recorder  # noqa: PLC0415 - as above
    from pytest_vft.submission.server import Server  # noqa: PLC0415 - as above

    settings = submission.settings
    sources = _job_sources(settings.sources)
    credentials = _credentials(submission, environ, key_wanted=False)
    model = settings.model
    if model is None:
        raise UsageError(f"no model: {settings.provider.name} has none by default; give --model=NAME")
    before = _stamps(sources)
    offline = replace(settings.network, offline=True)  # what stands behind URLs is not proved by a plan
    report = report or run(replace(settings, network=offline), watch=watch)
    _check_fit(report)
    provider = settings.provider
    closings = _closings(settings, today or date.today())  # noqa: DTZ011 - closing dates have no zone
    recorder = Recorder()
    with httpx2.Client(transport=recorder) as http:
        server = Server(client=make_client(credentials, http_client=http), credentials=credentials)
        own_address = provider.jobs().base_url in (None, server.address)
        _check_open(closings, own_address=own_address)
        request = JobRequest(
            provider=provider.id,
            base_url=server.address,
            model=model,
            files=tuple(map(describe_file, sources)),
            settings=submission.job,
        )
        submit(server, request)
    sizes = {file.path: file.bytes for file in report.files}
    if _stamps(sources) != before or any(sizes[file.path] != file.bytes for file in request.files):
        raise SubmissionError(f"{sources[0].path}: changed while it was planned; plan again")
    return JobPlan(
        request=request,
        endpoint=Endpoint(credentials.base_url, credentials.azure_version),
        report=report,
        requests=tuple(recorder.requests),
        estimate=estimate(report, submission.job.epochs),
        skips=expected_skips(report),
        closings=tuple(closing for closing in closings if closing.days <= CLOSING_SOON),
        own_address=own_address,
    )


def connect(submission: Submission, environ: Mapping[str, str], **options: Any) -> Server:
    """Return the server that the job is for; *options* are those of Server. Raises UsageError."""
    return connect_to(_credentials(submission, environ, key_wanted=True), **options)


def connect_to(credentials: Credentials, **options: Any) -> Server:
    """Return the server that *credentials* are for; *options* are those of Server."""
    from pytest_vft.submission.server import Server  # noqa: PLC0415 - openai takes 0.6 s to import

    return Server(client=make_client(credentials, timeout=60.0), credentials=credentials, **options)


def _credentials(submission: Submission, environ: Mapping[str, str], *, key_wanted: bool) -> Credentials:
    version = submission.settings.provider.jobs().version
    return read_credentials(submission.base_url, environ, azure_version=version, key_wanted=key_wanted)


def _job_sources(sources: tuple[Source, ...]) -> list[Source]:
    """Return the training and the validation file of *sources*, in this order."""
    train = [source for source in sources if source.split == "train"]
    validation = [source for source in sources if source.split == "validation"]
    if len(train) != 1:
        raise UsageError(
            f"a job has one training file, here {'are' if train else 'is'} {len(train) or 'none'}"
        )
    if len(validation) > 1:
        raise UsageError(f"a job has at most one validation file, here are {len(validation)}")
    return train + validation


def _stamps(sources: list[Source]) -> list[tuple[int, int]]:
    """Return what changes when a file does; nothing for one that is not there, which the lint says."""
    stats = [os.stat(source.path) for source in sources if os.path.exists(source.path)]  # noqa: PTH110, PTH116 - paths are kept as the user wrote them
    return [(stat.st_size, stat.st_mtime_ns) for stat in stats]


def _check_fit(report: Report) -> None:
    errors = [rule.id for rule in report.rules if rule.tally.failed and rule.severity == "error"]
    if errors:
        more = f" and {len(errors) - 1:,} more" if len(errors) > 1 else ""
        raise UnfitError(
            f"not planned: {count(len(errors), 'rule')} with errors ({errors[0]}{more}); see 'vft check'"
        )


def _closings(settings: Settings, today: date) -> list[ClosingDate]:
    provider = settings.provider
    dates = {
        provider.name: provider.closes,
        f"model {settings.model}": provider.describe(settings.model).closes,
    }
    return [
        ClosingDate(what=what, date=day, days=(day - today).days)
        for what, day in dates.items()
        if day is not None
    ]


def _check_open(closings: list[ClosingDate], *, own_address: bool) -> None:
    for closing in closings:
        if closing.days < 0 and own_address:
            raise SubmissionError(
                f"{closing.what} takes no jobs since {closing.date}; see 'provider' and 'model'"
            )
