"""A submission: the plan of a fine-tuning job, and the server that it is sent to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_vft.client import make_client
from pytest_vft.errors import ConfigError, ServerError, SubmissionError, UnfitError, UsageError
from pytest_vft.model import Report, Source
from pytest_vft.reading.object_paths import is_object
from pytest_vft.reading.remote import Watch
from pytest_vft.runs.job_server import connect_to, credentials_for, is_own, other_server
from pytest_vft.runs.run import run
from pytest_vft.runs.settings import Settings
from pytest_vft.submission.job_api import settings_problem
from pytest_vft.submission.outcome import Job
from pytest_vft.submission.plan import (
    CLOSING_SOON,
    ClosingDate,
    Endpoint,
    JobPlan,
    JobRequest,
    JobSettings,
    describe_file,
    estimate,
)
from pytest_vft.submission.skips import expected_skips
from pytest_vft.text import count

if TYPE_CHECKING:
    from pytest_vft.submission.server import RetryPolicy, Server

_LOCK_WAIT = 0.2  # seconds between two tries to lock a record
_SERVER_KEYS = ("base_url", "timeout")  # keys of [tool.vft.submit] that are not settings of the job


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The settings of the check and of the job, and the address of the server.

    *named_by* is the configuration file that names another address than that of the provider, None if
    the address was given. *timeout* is the number of seconds to wait for the server; None waits without
    a limit.
    """

    settings: Settings
    job: JobSettings
    base_url: str | None = None
    named_by: Path | None = None
    timeout: float | None = None


def read_submission(
    settings: Settings, *, base_url: str | None = None, timeout: float | None = None, **given: object
) -> Submission:
    """Return the submission of [tool.vft.submit], with the settings of the job that are *given* on top.

    Settings that are None are not given. Raises ConfigError or UsageError for an invalid setting.
    """
    config = settings.config
    job = {key: value for key, value in config.submit.items() if key not in _SERVER_KEYS}
    if problem := settings_problem(job):
        raise ConfigError(f"{config.path}: submit: {problem}")
    given = {key: value for key, value in given.items() if value is not None}
    if problem := settings_problem(given):
        raise UsageError(problem)
    configured = None if base_url else config.submit.get("base_url")
    settings = replace(settings, base_url=base_url or configured)
    return Submission(
        settings=settings,
        job=JobSettings(**{**job, **given}),
        base_url=settings.base_url,
        named_by=config.path if configured and not is_own(configured, settings.provider) else None,
        timeout=config.submit.get("timeout") if timeout is None else timeout,
    )


def resume(submission: Submission, saved: Mapping[str, Any], **given: object) -> Submission:
    """Return *submission* with the settings of the plan *saved*, except those that are *given* again.

    The address is not read from the plan, since a file must not decide where the key is sent.
    Raises UsageError for an invalid plan.
    """
    request, settings = saved["request"], submission.settings
    given = {key: value for key, value in given.items() if value is not None}
    job = {key: value for key, value in {**request["settings"], **given}.items() if value is not None}
    if problem := settings_problem(job):
        raise UsageError(f"plan: {problem}")
    planned = request.get("provider")
    if settings.provider_id is None and settings.provider.id != planned:  # else that of the configuration
        settings = replace(settings, provider_id=planned)
    settings = replace(
        settings,
        model_name=settings.model_name or request.get("model"),
    )
    return replace(submission, settings=settings, job=JobSettings(**job))


def plan_path(training_file: str) -> Path:
    """Return the default path of the plan, next to *training_file*."""
    return Path(training_file).with_suffix(".plan.json")


def record_path(plan: Path) -> Path:
    """Return the path of the record of what was created from the plan at *plan*."""
    return plan.with_suffix(".record")


def apply_plan(server: Server, request: JobRequest, record: Path) -> Job:
    """Upload the files of *request* and return its job, which is created unless it exists.

    Another process that applies the plan is waited for, until the deadline of the server. Raises as submit()
    does, and UsageError if the record at *record* cannot be used.
    """
    from pytest_vft.submission.job import submit  # noqa: PLC0415 - openai takes 0.6 s to import
    from pytest_vft.submission.record import open_record  # noqa: PLC0415 - with it

    policy = server.retry_policy
    started = policy.clock()
    notified = False

    def wait() -> None:
        nonlocal notified
        if not notified:
            server.notify(f"{record}: another process applies the plan; waiting for it")
            notified = True
        if policy.deadline is not None and policy.clock() - started > policy.deadline:
            raise ServerError(
                f"{record}: another process still applies the plan after {policy.deadline:,.0f} s; run the "
                "command again later"
            )
        policy.sleep(_LOCK_WAIT)

    with open_record(record, wait) as opened:
        return submit(server, request, opened)


def make_plan(
    submission: Submission,
    environ: Mapping[str, str],
    *,
    report: Report | None = None,
    today: date | None = None,
    watch: Watch | None = None,
) -> JobPlan:
    """Lint the data and return the plan; no key is needed and nothing is sent.

    *report* is that of a check of the same data, if it was checked already; else *watch* is called with
    the progress of a new check.
    Raises UnfitError for data with errors, SubmissionError for a provider or model that accepts no new
    jobs, and UsageError for invalid settings.
    """
    import httpx2  # noqa: PLC0415 - it and openai take 0.6 s to import

    from pytest_vft.submission.job import submit  # noqa: PLC0415 - as above
    from pytest_vft.submission.record import Record  # noqa: PLC0415 - as above
    from pytest_vft.submission.requests import Recorder  # noqa: PLC0415 - as above
    from pytest_vft.submission.server import Server  # noqa: PLC0415 - as above

    settings = submission.settings
    sources = _job_sources(settings.sources)
    settings = replace(settings, base_url=other_server(settings, submission.base_url, environ))
    offline = replace(settings.network, offline=True)  # a plan does not depend on the state of URLs
    if settings.provider.job_api is None:  # _endpoint() says how to upload data, if they have no errors
        _check_fit(report or run(replace(settings, network=offline), watch=watch))
    endpoint = _endpoint(submission)
    credentials = credentials_for(endpoint, environ, key_wanted=False)
    if credentials.base_url != endpoint.default:
        endpoint = endpoint._replace(base_url=credentials.base_url)
    model = settings.model
    if model is None:
        raise UsageError(f"no model: {settings.provider.name} does not have a default; give --model=NAME")
    before = _stamps(sources)
    report = report or run(replace(settings, network=offline), watch=watch)
    _check_fit(report)
    provider = settings.provider
    closings = _closings(settings, today or date.today())  # noqa: DTZ011 - closing dates have no zone
    recorder = Recorder()
    with httpx2.Client(transport=recorder) as http:
        server = Server(client=make_client(credentials, http_client=http), credentials=credentials)
        own_address = endpoint.default in (None, server.address)
        for closing in closings if own_address else ():
            if closing.days < 0:
                raise SubmissionError(
                    f"{closing.what} has not accepted new jobs since {closing.date}; change provider or model"
                )
        request = JobRequest(
            provider=provider.id,
            base_url=server.address,
            model=model,
            files=tuple(map(describe_file, sources)),
            settings=submission.job,
        )
        submit(server, request, Record())
    sizes = {file.path: file.bytes for file in report.files}
    if _stamps(sources) != before or any(sizes[file.path] != file.bytes for file in request.files):
        raise SubmissionError(f"{sources[0].path}: changed during planning; plan again")
    predicting = {id_ for id_, rule in settings.bound.items() if rule.effect == "unknown"}
    return JobPlan(
        request=request,
        endpoint=endpoint._replace(azure_version=credentials.azure_version),
        report=report,
        requests=tuple(recorder.requests),
        estimate=estimate(report, submission.job.epochs),
        skips=expected_skips(report, settings.bound),
        closings=tuple(closing for closing in closings if closing.days <= CLOSING_SOON),
        own_address=own_address,
        predicted_skips=expected_skips(report, predicting),
    )


def connect(
    submission: Submission, environ: Mapping[str, str], retry_policy: RetryPolicy | None = None
) -> Server:
    """Return the server of *submission*.

    Raises MissingKeyError without an API key, UsageError for an invalid address.
    """
    return connect_to(credentials_for(_endpoint(submission), environ), retry_policy)


def base_url_to_give(submission: Submission, environ: Mapping[str, str]) -> str | None:
    """Return the address that another command needs as --base-url, None for the provider's own address."""
    base_url = credentials_for(_endpoint(submission), environ).base_url
    return None if base_url is None or is_own(base_url, submission.settings.provider) else base_url


def _endpoint(submission: Submission) -> Endpoint:
    service = submission.settings.provider.jobs([source.path for source in submission.settings.sources])
    return Endpoint(submission.base_url, service.version, service.base_url, submission.named_by)


def _job_sources(sources: tuple[Source, ...]) -> list[Source]:
    """Return the training file and the validation file, if any. Raises UsageError for other numbers."""
    train = [source for source in sources if source.split == "train"]
    validation = [source for source in sources if source.split == "validation"]
    for path in (source.path for source in sources if is_object(source.path)):
        raise UsageError(f"{path}: is in object storage; a job uploads a file, so copy it to a folder first")
    if len(train) != 1:
        raise UsageError(
            f"a job needs exactly one training file; found {f'{len(train):,}' if train else 'none'}"
        )
    if len(validation) > 1:
        raise UsageError(f"a job takes at most one validation file; found {len(validation):,}")
    return train + validation


def _stamps(sources: list[Source]) -> list[tuple[int, int]]:
    """Return size and modification time of each file; missing files are findings of the check."""
    stats = [os.stat(source.path) for source in sources if os.path.exists(source.path)]  # noqa: PTH110, PTH116 - paths are kept as the user wrote them
    return [(stat.st_size, stat.st_mtime_ns) for stat in stats]


def _check_fit(report: Report) -> None:
    found = [rule for rule in report.rules if rule.tally.failed or rule.tally.known]
    errors = [rule.id for rule in found if rule.severity == "error"]  # known ones are errors to a provider
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
