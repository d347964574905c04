"""Ask a server about a plan before uploading anything; all requests are read-only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

import openai

from pytest_vft.errors import ServerError
from pytest_vft.submission.job import find_jobs
from pytest_vft.submission.outcome import Job
from pytest_vft.submission.plan import ClosingDate, JobFile, JobRequest
from pytest_vft.submission.server import Server, never_sent
from pytest_vft.submission.upload import find_file

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """Answers of a server about a plan: why it would refuse the job, when it shuts the model down.

    *failures* are why questions have no answer. *may_list* is true if the key may list jobs and files.
    *uploaded* maps the paths of files that the server already has to ids; *jobs* are those of the plan.
    """

    address: str
    model: str
    model_known: bool
    may_list: bool
    refusals: tuple[str, ...]
    failures: tuple[str, ...]
    closing: ClosingDate | None
    uploaded: Mapping[str, str]
    jobs: tuple[Job, ...]

    @property
    def ok(self) -> bool:
        """Whether everything was answered and nothing refused; the server may still refuse the job itself."""
        return not self.refusals and not self.failures


@dataclass(frozen=True, slots=True, kw_only=True)
class _Questions:
    """Questions to *server*, with the refusals and the failures among the answers."""

    server: Server
    subjects: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def answer(self, subject: str, ask: Callable[[], T]) -> T | None:
        """Return what *ask* returns, None if the server refuses or fails.

        Raises ServerError for a wrong key, and for the first question if the server cannot be reached.
        """
        first = not self.subjects
        self.subjects.append(subject)
        try:
            return ask()
        except openai.AuthenticationError as error:
            raise ServerError(self.server.words(error)) from None
        except (openai.NotFoundError, openai.PermissionDeniedError) as error:
            self.refusals.append(f"{subject}: {self.server.words(error)}")
        except openai.APIError as error:
            if first and never_sent(error):
                raise ServerError(f"no answer: {self.server.words(error)}") from None
            self.failures.append(f"{self.server.words(error)} ({subject})")
        except ServerError as error:
            self.failures.append(f"{error} ({subject})")
        return None


def preflight(server: Server, request: JobRequest, today: date) -> Preflight:
    """Ask the server about *request*, each question even if another one has no answer.

    Raises ServerError if the server answers nothing or does not accept the key.
    """
    questions = _Questions(server=server)
    name = f"model {request.model}"
    model = questions.answer(
        name, lambda: server.data(server.client.models.with_raw_response.retrieve(request.model))
    )
    closing = _closing(request.model, (model or {}).get("shutdown_date"), today)
    if closing is not None and closing.days < 0:
        questions.refusals.append(f"{name}: was shut down on {closing.date}")
    jobs = questions.answer("fine-tuning", lambda: find_jobs(server, request.digest))
    uploaded = questions.answer("files", lambda: _uploaded(server, request.files))
    if model is None and jobs is None and uploaded is None and not questions.refusals:
        raise ServerError(f"no answer: {'; '.join(questions.failures)}")
    return Preflight(
        address=server.address,
        model=request.model,
        model_known=model is not None,
        may_list=jobs is not None and uploaded is not None,
        refusals=tuple(questions.refusals),
        failures=tuple(questions.failures),
        closing=closing,
        uploaded=uploaded or {},
        jobs=tuple(jobs or ()),
    )


def _uploaded(server: Server, files: Iterable[JobFile]) -> dict[str, str]:
    """Return the ids of the *files* that the server has, by path."""
    ids = {file.path: find_file(server, file) for file in files}
    return {path: id_ for path, id_ in ids.items() if id_ is not None}


def _closing(model: str, shutdown: object, today: date) -> ClosingDate | None:
    try:
        day = date.fromisoformat(str(shutdown))
    except ValueError:  # not announced
        return None
    return ClosingDate(what=f"model {model}", date=day, days=(day - today).days)
