"""Plans, preflight answers and jobs as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from typing import Any

from pytest_vft.report.json import harmless_json
from pytest_vft.report.layout import wrapped
from pytest_vft.report.text import NOT_CHECKED, file_lines, size, tokens_and_price, unknown_lines
from pytest_vft.submission.outcome import Event, Job, JobOutcome, numbers
from pytest_vft.submission.plan import FORMAT, Estimate, JobExpectation, JobPlan, JobRequest, RecordedRequest
from pytest_vft.submission.preflight import Preflight
from pytest_vft.text import count, safe

_NOT_ASKED = "that the server accepts the job: the server was not asked"
_LONGEST = 2_000  # characters of one value of a request
_FILE_KEYS = ("path", "split", "bytes", "examples", "images", "distinct_images")


def render_plan(plan: JobPlan) -> str:
    """Return *plan* as text, with each request that would be sent."""
    request, report = plan.request, plan.report
    lines = [f"plan: a fine-tuning job of {safe(request.model)} at {safe(request.base_url, 200)}"]
    for file in report.files:
        lines += [f"  {line}" for line in file_lines(file)]
    lines += [f"  sha256 {file.sha256}  {safe(file.path, None)}" for file in request.files]
    warned = sum(rule.tally.failed > 0 for rule in report.rules)
    warnings = f", {warned} with warnings ('vft check' shows them)" if warned else ""
    lines.append(f"checks passed: {count(len(report.rules), 'rule')}{warnings}")
    lines += ["would send:", *_requests(plan.requests), *_estimate(plan.estimate)]
    for reason, number in plan.skips.items():
        lines.append(f"expected to be left out: {count(number, 'image')}: {safe(reason)}")
    for closing in plan.closings:
        if closing.days < 0:
            note = f"since {closing.date}; this server may"
        else:
            note = f"after {closing.date} (in {count(closing.days, 'day')})"
        lines += wrapped(f"warning: {closing.what} takes no jobs {note}")
    for note in _not_proved(plan):
        lines += wrapped(f"not proved: {note}")
    return "\n".join(lines) + "\n"


def _not_proved(plan: JobPlan) -> list[str]:
    unknown = [line.removeprefix("not checked: ") for line in unknown_lines(plan.report)]
    return [_NOT_ASKED, NOT_CHECKED, *unknown]


def _requests(requests: Sequence[RecordedRequest]) -> Iterator[str]:
    for (method, url), same in groupby(requests, lambda request: (request.method, request.url)):
        first, *others = same
        is_json = first.headers.get("content-type") == "application/json"
        times = f"  {count(len(others) + 1, 'time')}" if others else ""
        sent = sum(request.bytes for request in (first, *others))
        whole = f"  {size(sent)}" if sent and not is_json else ""
        yield f"  {method:<4} {safe(url, None)}{times}{whole}"
        if method == "POST":
            yield from (f"         {name}: {safe(value, 200)}" for name, value in first.headers.items())
        if is_json and first.body is not None:
            text = json.dumps(first.body, indent=2)
            yield from (f"         {safe(line, _LONGEST)}" for line in text.split("\n"))
        elif first.body is not None:
            yield from (f"         {safe(name)} = {safe(value, 200)}" for name, value in first.body.items())


def _estimate(estimate: Estimate | None) -> Iterator[str]:
    if estimate is None:
        yield "tokens: not known"
        return
    default = " (the default)" if estimate.assumed else ""
    price, read = estimate.cost.price, estimate.cost.price_date
    price_of = f" (price of {read})" if read else ""
    tokens = tokens_and_price(*estimate.tokens, price)
    yield f"{count(estimate.epochs, 'epoch')}{default}: {tokens}{price_of}"
    if estimate.low_detail != estimate.tokens:
        yield f"  with detail low: {tokens_and_price(*estimate.low_detail, price)}"


def render_plan_json(plan: JobPlan) -> str:
    """Return *plan* as JSON, format vft-plan/1, the format in which a plan is saved."""
    estimate = plan.estimate
    data = {
        "format": FORMAT,
        "dry_run": True,
        "server_validated": False,
        "tool": {"name": "pytest-vft", "version": version("pytest-vft")},
        "plan": plan.request.digest,
        "request": asdict(plan.request),
        "files": [{key: getattr(file, key) for key in _FILE_KEYS} for file in plan.report.files],
        "checks_passed": [rule.id for rule in plan.report.rules if not rule.tally.failed],
        "warnings": [rule.id for rule in plan.report.rules if rule.tally.failed],
        "estimate": estimate and _estimate_data(estimate),
        "expected_skips": plan.skips,
        "closings": [{**asdict(closing), "date": closing.date.isoformat()} for closing in plan.closings],
        "not_proved": _not_proved(plan),
        "requests": [asdict(request) for request in plan.requests],
    }
    return harmless_json(data)


def _estimate_data(estimate: Estimate) -> dict[str, Any]:
    cost = estimate.cost
    return {
        "epochs": estimate.epochs,
        "epochs_assumed": estimate.assumed,
        "tokens": estimate.tokens,
        "dollars": [estimate.dollars(number) for number in estimate.tokens],
        "low_detail_tokens": estimate.low_detail,
        "low_detail_dollars": [estimate.dollars(number) for number in estimate.low_detail],
        "price_per_million": cost.price,
        "price_date": cost.price_date and cost.price_date.isoformat(),
    }


def render_preflight(found: Preflight) -> str:
    """Return the answers of the server as text."""
    lines = [f"preflight: asked {safe(found.address, 200)}; nothing was changed"]
    lines += [f"refused: {refusal}" for refusal in found.refusals]
    if found.ok:
        lines.append(f"model {safe(found.model)}: known to the server; the key may list jobs and files")
    closing = found.closing
    if closing is not None and closing.days >= 0:
        lines.append(f"{closing.what}: shuts down on {closing.date} (in {count(closing.days, 'day')})")
    for path, id_ in found.uploaded.items():
        lines.append(f"{safe(path, None)}: already uploaded as {safe(id_)}, which will be used")
    for job in found.jobs:
        lines.append(f"job {safe(job.id)} was created from this plan: {safe(job.status)}")
    if found.ok:
        lines += wrapped("not proved: that the server creates the job; only 'vft submit apply' can tell")
    return "\n".join(lines) + "\n"


def render_preflight_json(found: Preflight) -> str:
    """Return the answers of the server as JSON, format vft-preflight/1."""
    closing = found.closing
    data = {
        "format": "vft-preflight/1",
        "ok": found.ok,
        "address": found.address,
        "model": found.model,
        "refusals": found.refusals,
        "shutdown_date": closing and closing.date.isoformat(),
        "uploaded": found.uploaded,
        "jobs": [{"id": job.id, "status": job.status} for job in found.jobs],
    }
    return harmless_json(data)


def render_event(event: Event) -> str:
    """Return *event* as one line."""
    time = datetime.fromtimestamp(event.at, UTC).strftime("%H:%M:%S")
    level = "" if event.level == "info" else f"{safe(event.level)}: "
    return f"  {time}  {level}{safe(event.message, 300)}"


def render_metrics(values: Mapping[str, Any]) -> str:
    """Return the numbers of *values*, data of an event or metrics, as one short line; "" without any."""
    return ", ".join(f"{safe(name)} {value:.4g}" for name, value in numbers(values).items())


def render_outcome(outcome: JobOutcome, expected: JobExpectation, safety: Mapping[str, str]) -> str:
    """Return *outcome* beside what was *expected*; *safety* describes the safety categories."""
    job = outcome.job
    lines = []
    for reason in dict.fromkeys([*outcome.skips, *expected.skips]):
        images = count(outcome.skips.get(reason, 0), "image")
        lines.append(f"left out: {images}: {safe(reason)} (expected {expected.skips.get(reason, 0):,})")
    if outcome.checks:
        lines += ["safety checks:", *_safety(outcome, safety)]
    if job.error is not None:
        code, message = job.error
        lines += wrapped(f"error {safe(code)}: {safe(message, 500)}")
    for checkpoint in outcome.checkpoints:
        step = "" if checkpoint.step is None else f" at step {checkpoint.step:,}"
        metrics = render_metrics(checkpoint.metrics)
        shown = f" ({metrics})" if metrics else ""
        lines.append(f"checkpoint{step}: {safe(checkpoint.model, 200)}{shown}")
    if job.trained_tokens is not None:
        low, high = expected.tokens or (0, 0)
        shown = f" (expected {low:,} to {high:,})" if expected.tokens else ""
        lines.append(f"trained tokens: {job.trained_tokens:,}{shown}")
    if job.trained_model is not None:
        lines.append(f"model: {safe(job.trained_model, 200)}")
    state = "blocked by the safety checks" if outcome.blocked else safe(job.status)
    lines.append(f"{'PASSED' if outcome.ok else 'FAILED'}  {safe(job.id)}: {state}")
    return "\n".join(lines) + "\n"


def _safety(outcome: JobOutcome, safety: Mapping[str, str]) -> Iterator[str]:
    width = max(len(safe(check.category)) for check in outcome.checks)
    for check in outcome.checks:
        flagged = "FLAGGED" if check.flagged else "passed"
        meaning = safety.get(check.category, "no description known") if check.flagged else ""
        line = f"  {safe(check.category):<{width}}  {flagged:<7}  {safe(check.enforcement):<12}  {meaning}"
        yield line.rstrip()


def render_outcome_json(outcome: JobOutcome, expected: JobExpectation) -> str:
    """Return *outcome* as JSON, format vft-job/1."""
    job = outcome.job
    data = {
        "format": "vft-job/1",
        "ok": outcome.ok,
        "job": {
            "id": job.id,
            "status": job.status,
            "model": job.model,
            "fine_tuned_model": job.trained_model,
            "trained_tokens": job.trained_tokens,
            "error": job.error and {"code": job.error[0], "message": job.error[1]},
        },
        "expected_tokens": expected.tokens,
        "skips": outcome.skips,
        "expected_skips": expected.skips,
        "blocked": outcome.blocked,
        "safety_checks": [asdict(check) for check in outcome.checks],
        "checkpoints": [asdict(checkpoint) for checkpoint in outcome.checkpoints],
    }
    return harmless_json(data)


def next_commands(job: str, plan: str | None = None) -> str:
    """Return the commands that follow and cancel a job, which continues on the server."""
    more = f" --plan={safe(plan, None)}" if plan else ""
    return (
        f"{safe(job)} continues on the server; to follow the job: vft submit follow {safe(job)}{more}; "
        f"to cancel the job: vft submit cancel {safe(job)}"
    )


def describe_job(request: JobRequest) -> str:
    """Return a short description of *request*, for a question."""
    files = " and ".join(f"{safe(file.path, None)} ({size(file.bytes)})" for file in request.files)
    return f"send {files} to {safe(request.base_url, 200)} and create a job for {safe(request.model)}"


def render_job(job: Job) -> str:
    """Return id and status of *job* as one line."""
    return f"{safe(job.id)}: {safe(job.status)}\n"
