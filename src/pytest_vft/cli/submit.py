"""`vft submit`: plan, preflight, create, follow and cancel a fine-tuning job."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from pytest_vft.cli.output import INTERRUPTED, print_text
from pytest_vft.errors import SubmissionError, UsageError
from pytest_vft.report.job import (
    next_commands,
    render_event,
    render_job,
    render_metrics,
    render_outcome,
    render_outcome_json,
    resume_hint,
)
from pytest_vft.report.progress import watching
from pytest_vft.report.submission import (
    describe_job,
    render_plan,
    render_plan_json,
    render_preflight,
    render_preflight_json,
)
from pytest_vft.runs.settings import read_settings
from pytest_vft.runs.sources import find_sources
from pytest_vft.runs.submission import (
    Submission,
    apply_plan,
    base_url_to_give,
    connect,
    make_plan,
    plan_path,
    read_submission,
    record_path,
    resume,
)
from pytest_vft.runs.submit import cancel_job, follow_job
from pytest_vft.submission.job import JobUpdate
from pytest_vft.submission.job_api import job_api
from pytest_vft.submission.plan import (
    JobExpectation,
    JobPlan,
    check_address,
    check_plan,
    read_expectation,
    read_plan,
    validation_paths,
)
from pytest_vft.submission.preflight import preflight
from pytest_vft.submission.server import RetryPolicy, Server
from pytest_vft.text import safe
from pytest_vft.writing import write_text


def submit(arguments: argparse.Namespace) -> int:
    """Run the step that *arguments* name; return the exit code."""
    is_file = arguments.step in ("plan", "preflight", "apply")
    submission = read_submission(
        read_settings(vars(arguments), path=arguments.target if is_file else None),
        base_url=arguments.base_url,
        timeout=arguments.timeout,
        **_job_options(arguments),
    )
    steps = {"plan": _plan, "preflight": _preflight, "apply": _apply, "follow": _follow, "cancel": _cancel}
    try:
        return steps[arguments.step](arguments, submission)
    except SubmissionError as error:
        _say(str(error))
        return 1


def _job_options(arguments: argparse.Namespace) -> dict[str, object]:
    return {name: getattr(arguments, name) for name in ("suffix", "seed", "epochs")}


def _plan(arguments: argparse.Namespace, submission: Submission) -> int:
    plan = _make_plan(arguments, submission)
    path, text = _plan_path(arguments), render_plan_json(plan)
    write_text(path, text, inputs=[file.path for file in plan.request.files])
    if arguments.format == "json":
        print_text(text)
    else:
        saved = f"nothing was sent. saved: {safe(path, None)}"
        print_text(f"{render_plan(plan)}{saved}; next: vft submit preflight, vft submit apply\n")
    return 0


def _preflight(arguments: argparse.Namespace, submission: Submission) -> int:
    path = _plan_path(arguments)
    if path.exists():
        submission = _resume(arguments, submission, read_plan(path))
    server = _connect(submission)
    plan = _make_plan(arguments, submission)
    found = preflight(server, plan.request, date.today())  # noqa: DTZ011 - shutdown dates have no zone
    render = render_preflight_json if arguments.format == "json" else render_preflight
    print_text(render(found))
    return 1 if found.refusals else 0 if found.ok else 2


def _apply(arguments: argparse.Namespace, submission: Submission) -> int:
    path = _plan_path(arguments)
    saved = read_plan(path)
    submission = _resume(arguments, submission, saved)
    server = _connect(submission)
    plan = _make_plan(arguments, submission)
    check_plan(saved, plan.request, path)
    if not _confirmed(arguments, describe_job(plan.request)):
        return 1
    _say("sending files; then the server checks them, and moderating images takes time")
    with _upload_progress() as progress:
        server = replace(server, progress=progress, notify=lambda text: _say(safe(text, None)))
        try:
            job = apply_plan(server, plan.request, record_path(path))
        except KeyboardInterrupt:
            _say("interrupted; the same command looks for what was sent, and sends nothing twice")
            return INTERRUPTED
    arguments.plan = path
    _say(_next_commands(arguments, submission, job.id))
    return _watch(arguments, submission, job.id, plan.expectation)


def _follow(arguments: argparse.Namespace, submission: Submission) -> int:
    saved = read_plan(arguments.plan) if arguments.plan else None
    submission = _resume_job(arguments, submission, saved)
    expected = read_expectation(saved) if saved else JobExpectation()
    return _watch(arguments, submission, arguments.target, expected)


def _cancel(arguments: argparse.Namespace, submission: Submission) -> int:
    saved = read_plan(arguments.plan) if arguments.plan else None
    submission = _resume_job(arguments, submission, saved)
    print_text(render_job(cancel_job(arguments.target, **_server_options(submission))))
    return 0


def _resume(arguments: argparse.Namespace, submission: Submission, saved: Mapping[str, Any]) -> Submission:
    """Return *submission* with the settings of the plan *saved*; options override them."""
    arguments.validation_data = arguments.validation_data or validation_paths(saved)
    return resume(submission, saved, **_job_options(arguments))


def _resume_job(
    arguments: argparse.Namespace, submission: Submission, saved: Mapping[str, Any] | None
) -> Submission:
    """Like _resume(), for a job; None is no plan. Raises UsageError if the job is at another server."""
    if saved is None:
        return submission
    submission = _resume(arguments, submission, saved)
    check_address(saved, _connect(submission).address, arguments.plan)
    return submission


def _make_plan(arguments: argparse.Namespace, submission: Submission) -> JobPlan:
    settings = submission.settings
    validation = arguments.validation_data or [
        source.path for source in find_sources(settings.config) if source.split == "validation"
    ]
    sources = find_sources(settings.config, data=[arguments.target], validation=validation)
    submission = replace(submission, settings=replace(settings, sources=sources))
    with watching() as watch:
        return make_plan(submission, os.environ, watch=watch)


def _plan_path(arguments: argparse.Namespace) -> Path:
    path: Path = arguments.plan or plan_path(arguments.target)
    return path


def _connect(submission: Submission) -> Server:
    return connect(submission, os.environ, retry_policy=RetryPolicy(deadline=submission.timeout))


def _server_options(submission: Submission) -> dict[str, Any]:
    settings = submission.settings
    given = None if submission.named_by else submission.base_url
    return {"provider": settings.provider_id, "base_url": given, "config": settings.config}


def _confirmed(arguments: argparse.Namespace, what: str) -> bool:
    """Return whether the user agrees to *what*. Raises UsageError without --yes and a terminal."""
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("nothing is sent without --yes: there is no terminal to ask on")
    print(f"vft: {what}? It costs money. [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _watch(
    arguments: argparse.Namespace, submission: Submission, job_id: str, expected: JobExpectation
) -> int:
    """Show updates of a job until it ends, and its outcome; return the exit code."""
    status = ""

    def show(update: JobUpdate) -> None:
        nonlocal status
        if update.trouble is not None:
            _say(f"no news: {update.trouble}")
        for event in update.events:
            metrics = render_metrics(event.data)
            if not (metrics and show_status(metrics)):
                _say(render_event(event))
        if update.job is not None and update.job.status != status:
            status = update.job.status
            _say(f"{safe(update.job.id)}: {safe(status)}")
            if not (update.job.under_way or update.job.ended):
                _say(resume_hint(update.job, RetryPolicy().patience))

    try:
        with _status_line() as show_status:
            options = _server_options(submission)
            outcome = follow_job(job_id, **options, timeout=submission.timeout, on_update=show)
    except KeyboardInterrupt:
        _say(_next_commands(arguments, submission, job_id))
        return INTERRUPTED
    if arguments.format == "json":
        print_text(render_outcome_json(outcome, expected))
    else:
        print_text(render_outcome(outcome, expected, job_api().safety))
    return 0 if outcome.ok else 1


def _next_commands(arguments: argparse.Namespace, submission: Submission, job_id: str) -> str:
    plan = str(arguments.plan) if arguments.plan else None
    base_url = base_url_to_give(submission, os.environ)
    return next_commands(job_id, plan=plan, provider=arguments.provider, base_url=base_url)


def _say(text: str) -> None:
    print(f"vft: {text}", file=sys.stderr)


@contextmanager
def _upload_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that shows a bar per file on a terminal, and does nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _name, _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415 - 40 ms, for a terminal only
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn  # noqa: PLC0415 - as above

    tasks: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(safe(name), total=total)
            bars.update(tasks[name], completed=done)

        yield show


@contextmanager
def _status_line() -> Iterator[Callable[[str], bool]]:
    """Yield a function that shows a text on the last line of a terminal and returns True, elsewhere False."""
    if not sys.stderr.isatty():
        yield lambda _text: False
        return
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    with Console(stderr=True).status("waiting for the job") as status:

        def show(text: str) -> bool:
            status.update(Text(text))
            return True

        yield show
