"""A submission step as a pytest item: train.jsonl::submit/plan."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pytest_vft.errors import SubmissionError, UnfitError, VftError
from pytest_vft.items.nodes import RuleItem
from pytest_vft.items.request import SUBMIT
from pytest_vft.report.job import next_commands, render_outcome
from pytest_vft.report.submission import (
    render_plan,
    render_plan_json,
    render_preflight,
)
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.submission import (
    Submission,
    apply_plan,
    base_url_to_give,
    connect,
    make_plan,
    plan_path,
    record_path,
)
from pytest_vft.submission.job import conclude, follow
from pytest_vft.submission.outcome import Event, Job
from pytest_vft.submission.plan import JobPlan, check_plan, read_plan
from pytest_vft.submission.preflight import preflight
from pytest_vft.submission.server import RetryPolicy
from pytest_vft.text import Safe, safe
from pytest_vft.writing import write_text

_TIMEOUT = 3_600.0  # seconds for the server to check the files; the configuration may set another value


class SubmissionItem(RuleItem):
    """The submission step of this name for one training file; it skips if the data has errors."""

    def __init__(self, *, submission: Submission, **more: Any) -> None:
        super().__init__(**more)
        self._submission = submission

    def runtest(self) -> None:
        """Run the step; its output is shown at the end of the session."""
        steps: dict[str, Callable[[Submission], str]] = {
            f"{SUBMIT}/plan": self._plan_step,
            f"{SUBMIT}/preflight": self._preflight_step,
            f"{SUBMIT}/apply": self._apply_step,
        }
        try:
            text = steps[self.name](self._of_this_file())
        except UnfitError as error:
            pytest.skip(str(error))
        self.add_report_section("call", SUBMIT, text)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any, **__: Any) -> Any:
        """Return the text of an error, or a traceback without local variables, which may hold the key."""
        if isinstance(excinfo.value, VftError):
            return super().repr_failure(excinfo)
        return "".join(traceback.format_exception(excinfo.value))

    def _of_this_file(self) -> Submission:
        """Return the submission of this file, with the validation file if there is one."""
        settings = self._submission.settings
        sources = [one for one in settings.sources if one == self.source or one.split == "validation"]
        return replace(self._submission, settings=replace(settings, sources=tuple(sources)))

    def _plan(self, submission: Submission) -> JobPlan:
        assert self.source is not None  # noqa: S101 - a step is for one file
        same = _files(submission.settings) == _files(self._lint.settings_of(self.source))
        return make_plan(submission, os.environ, report=self._lint.report(self.source) if same else None)

    def _plan_step(self, submission: Submission) -> str:
        plan = self._plan(submission)
        path = plan_path(self.shown_path)
        write_text(path, render_plan_json(plan))
        return f"{render_plan(plan)}nothing was sent. saved: {safe(path, None)}"

    def _preflight_step(self, submission: Submission) -> str:
        server = connect(submission, os.environ)
        found = preflight(server, self._plan(submission).request, date.today())  # noqa: DTZ011 - dates have no zone
        if not found.ok:
            raise SubmissionError(Safe(render_preflight(found, verdict_first=True)))
        return render_preflight(found)

    def _apply_step(self, submission: Submission) -> str:
        path = plan_path(self.shown_path)
        saved = read_plan(path)
        policy = RetryPolicy(deadline=_TIMEOUT if submission.timeout is None else submission.timeout)
        server = connect(submission, os.environ, retry_policy=policy)
        plan = self._plan(submission)
        check_plan(saved, plan.request, path)
        job: Job | None = apply_plan(server, plan.request, record_path(path))
        events: list[Event] = []
        for update in follow(server, str(job and job.id), lambda job: job.validated):
            job = update.job or job
            events += update.events
        assert job is not None  # noqa: S101 - submit() returned it
        outcome = conclude(server, job, events)
        text = render_outcome(outcome, plan.expectation, server.api.safety, verdict_first=True)
        if not outcome.ok:
            raise SubmissionError(Safe(text))
        return (
            text
            if job.ended
            else text
            + next_commands(
                job.id,
                plan=str(path),
                provider=submission.settings.provider_id,
                base_url=base_url_to_give(submission, os.environ),
            )
        )


def _files(settings: Settings) -> set[tuple[str, str]]:
    """Return the paths and splits of the files of *settings*."""
    return {(source.path, source.split) for source in settings.sources}
