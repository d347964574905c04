"""Ask a server about a plan before uploading anything; all requests are read-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import openai

from pytest_vft.submission.job import find_jobs
from pytest_vft.submission.outcome import Job
from pytest_vft.submission.plan import ClosingDate, JobRequest
from pytest_vft.submission.server import Server
from pytest_vft.submission.upload import find_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """Answers of a server about a plan: why it would refuse the job, when it shuts the model down.

    *uploaded* maps the paths of files that the server already has to ids; *jobs* are those of the plan.
    """

    address: str
    model: str
    refusals: tuple[str, ...]
    closing: ClosingDate | None
    uploaded: Mapping[str, str]
    jobs: tuple[Job, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was refused; the server may still refuse the job itself."""
        return not self.refusals


def preflight(server: Server, request: JobRequest, today: date) -> Preflight:
    """Ask the server about *request*. Raises ServerError if the server does not answer."""
    refusals: list[str] = []
    jobs: list[Job] = []
    uploaded: dict[str, str] = {}
    closing = None
    with server.explained("asking the server"):
        try:
            model = server.data(server.client.models.retrieve(request.model))
            closing = _closing(request.model, model.get("shutdown_date"), today)
        except (openai.NotFoundError, openai.PermissionDeniedError) as error:
            refusals.append(f"model {request.model}: {server.words(error)}")
        try:
            jobs = find_jobs(server, request.digest)
            ids = {file.path: find_file(server, file) for file in request.files}
            uploaded = {path: id_ for path, id_ in ids.items() if id_ is not None}
        except (openai.NotFoundError, openai.PermissionDeniedError) as error:
            refusals.append(f"fine-tuning: {server.words(error)}")
    if closing is not None and closing.days < 0:
        refusals.append(f"model {request.model}: was shut down on {closing.date}")
    return Preflight(
        address=server.address,
        model=request.model,
        refusals=tuple(refusals),
        closing=closing,
        uploaded=uploaded,
        jobs=tuple(jobs),
    )


def _closing(model: str, shutdown: object, today: date) -> ClosingDate | None:
    try:
        day = date.fromisoformat(str(shutdown))
    except ValueError:  # not announced
        return None
    return ClosingDate(what=f"model {model}", date=day, days=(day - today).days)
