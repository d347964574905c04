"""Ask a server about a plan before uploading anything; all requests are read-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import openai

from pytest_vft.errors import ServerError
from pytest_vft.submission.job import find_jobs
from pytest_vft.submission.outcome import Job
from pytest_vft.submission.plan import ClosingDate, JobRequest
from pytest_vft.submission.server import Server
from pytest_vft.submission.upload import find_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """Answers of a server about a plan: why it would refuse the job, when it shuts the model down.

    *failure* is why the server stopped answering, after the other answers. *may_list* is true if the key
    may list jobs and files. *uploaded* maps the paths of files that the server already has to ids; *jobs*
    are those of the plan.
    """

    address: str
    model: str
    model_known: bool
    may_list: bool
    refusals: tuple[str, ...]
    failure: str | None
    closing: ClosingDate | None
    uploaded: Mapping[str, str]
    jobs: tuple[Job, ...]

    @property
    def ok(self) -> bool:
        """Whether everything was answered and nothing refused; the server may still refuse the job itself."""
        return not self.refusals and self.failure is None


def preflight(server: Server, request: JobRequest, today: date) -> Preflight:
    """Ask the server about *request*. Raises ServerError if the server answers nothing."""
    refusals: list[str] = []
    jobs: list[Job] = []
    uploaded: dict[str, str] = {}
    closing = failure = None
    model_known = may_list = False
    try:
        with server.explained("asking the server"):
            try:
                model = server.data(server.client.models.with_raw_response.retrieve(request.model))
                model_known = True
                closing = _closing(request.model, model.get("shutdown_date"), today)
            except (openai.NotFoundError, openai.PermissionDeniedError) as error:
                refusals.append(f"model {request.model}: {server.words(error)}")
            if closing is not None and closing.days < 0:
                refusals.append(f"model {request.model}: was shut down on {closing.date}")
            try:
                jobs = find_jobs(server, request.digest)
                for file in request.files:
                    id_ = find_file(server, file)
                    if id_ is not None:
                        uploaded[file.path] = id_
                may_list = True
            except (openai.NotFoundError, openai.PermissionDeniedError) as error:
                refusals.append(f"fine-tuning: {server.words(error)}")
    except ServerError as error:
        if not model_known and not refusals:
            raise
        failure = str(error)
    return Preflight(
        address=server.address,
        model=request.model,
        model_known=model_known,
        may_list=may_list,
        refusals=tuple(refusals),
        failure=failure,
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
