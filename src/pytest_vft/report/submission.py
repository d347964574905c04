"""Plans and jobs as text for people, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from typing import Any

from pytest_vft.report.json import harmless_json
from pytest_vft.report.text import NOT_CHECKED, file_lines, size, tokens_and_price, unknown_lines, wrapped
from pytest_vft.submission.outcome import Event, Job, JobOutcome, numbers
from pytest_vft.submission.plan import FORMAT, Estimate, JobExpectation, JobPlan, JobRequest, RecordedRequest
from pytest_vft.submission.preflight import Preflight
from pytest_vft.text import count, safe

_NEVER_PROVED = "that the server accepts it: it was not asked"
_LONGEST = 2_000  # characters of one value of a request


def render_plan(plan: JobPlan) -> str:
    """Return *plan* for human eyes, down to each request that would be sent."""
    request, report = plan.request, plan.report
    lines = [f"plan: a fine-tuning job of {safe(request.model)} at {safe(request.base_url, 200)}"]
    for file in report.files:
        lines += [f"  {line}" for line in file_lines(file)]
    lines += [f"  sha256 {file.sha256}  {safe(file.path, None)}" for file in request.files]
    warned = sum(rule.tally.failed > 0 for rule in report.rules)
    warnings = f", {warned} with warnings ('vft check' shows them)" if warned else ""
    lines.append(f"checks passed: {count(len(report.rules), 'rule')}{warnings}")
    lines += ["would send:", *_requests(plan.requests), *_estimate(plan.estimate), *_skips(plan.skips)]
    for note in closing_notes(plan):
        lines += wrapped(f"warning: {note}")
    for note in not_proved(plan):
        lines += wrapped(f"not proved: {note}")
    return "\n".join(lines) + "\n"


def closing_notes(plan: JobPlan) -> list[str]:
    """Return what takes no more jobs soon, or, at an address that is not the provider's own, already."""
    notes = []
    for closing in plan.closings:
        if closing.days < 0:
            notes.append(f"{closing.what} takes no jobs since {closing.date}; this server may")
        else:
            notes.append(f"{closing.what} takes no jobs after {closing.date} (in {closing.days:,} days)")
    return notes


def not_proved(plan: JobPlan) -> list[str]:
    """Return what the plan does not prove."""
    unknown = [line.removeprefix("not checked: ") for line in unknown_lines(plan.report)]
    return [_NEVER_PROVED, NOT_CHECKED, *unknown]


def _requests(requests: Sequence[RecordedRequest]) -> Iterator[str]:
    for (method, url), same in groupby(requests, lambda request: (request.method, request.url)):
        first, *others = same
        times = f"  {count(len(others) + 1, 'time')}" if others else ""
        sent = sum(request.bytes for request in (first, *others))
        whole = f"  {size(sent)}" if sent and not _is_json(first) else ""
        yield f"  {method:<4} {safe(url, None)}{times}{whole}"
        if method == "POST":
            yield from (f"         {name}: {safe(value, 200)}" for name, value in first.headers.items())
        yield from _body(first)


def _is_json(request: RecordedRequest) -> bool:
    return request.headers.get("content-type") == "application/json"


def _body(request: RecordedRequest) -> Iterator[str]:
    if request.body is None:
        return
    if _is_json(request):
        text = json.dumps(request.body, indent=2)
        yield from (f"         {safe(line, _LONGEST)}" for line in text.split("\n"))
    else:
        yield from (f"         {safe(name)} = {safe(value, 200)}" for name, value in request.body.items())


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


def _skips(skips: Mapping[str, int]) -> Iterator[str]:
    for reason, number in skips.items():
        yield f"expected to be left out: {count(number, 'image')}: {safe(reason)}"


def render_plan_json(plan: JobPlan) -> str:
    """Return *plan* as JSON, format vft-plan/1, which is also how it is saved."""
    estimate = plan.estimate
    data = {
        "format": FORMAT,
        "dry_run": True,
        "server_validated": False,
        "tool": {"name": "pytest-vft", "version": version("pytest-vft")},
        "plan": plan.request.digest,
        "request": plan.request.as_data(),
        "files": [
            {
                "path": file.path,
                "split": file.split,
                "bytes": file.bytes,
                "examples": file.examples,
                "images": file.images,
                "distinct_images": file.distinct_images,
            }
            for file in plan.report.files
        ],
        "checks_passed": [rule.id for rule in plan.report.rules if not rule.tally.failed],
        "warnings": [rule.id for rule in plan.report.rules if rule.tally.failed],
        "estimate": estimate and _estimate_data(estimate),
        "expected_skips": plan.skips,
        "closings": [
            {"what": closing.what, "date": closing.date.isoformat(), "days": closing.days}
            for closing in plan.closings
        ],
        "not_proved": not_proved(plan),
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
    """Return what the server said."""
    lines = [f"preflight: {safe(found.address, 200)} was asked; nothing was changed"]
    lines += [f"refused: {refusal}" for refusal in found.refusals]
    if found.ok:
        lines.append(f"model {safe(found.model)}: the server knows it; the key may list jobs and files")
    if found.closing is not None and found.closing.days >= 0:
        closing = found.closing
        lines.append(f"{closing.what}: shuts down on {closing.date} (in {closing.days:,} days)")
    for path, id_ in found.uploaded.items():
        lines.append(f"{safe(path, None)}: is uploaded already as {safe(id_)}; it will be used")
    for job in found.jobs:
        lines.append(f"job {safe(job.id)} was made from this plan: {safe(job.status)}")
    if found.ok:
        lines += wrapped("not proved: that it makes the job; a server says so only when it is asked to")
    return "\n".join(lines) + "\n"


def render_preflight_json(found: Preflight) -> str:
    """Return the same as JSON."""
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
    """Return *event* in one line."""
    time = datetime.fromtimestamp(event.at, UTC).strftime("%H:%M:%S")
    level = "" if event.level == "info" else f"{safe(event.level)}: "
    return f"  {time}  {level}{safe(event.message, 300)}"


def render_metrics(event: Event) -> str:
    """Return the numbers of an event in one short line, "" if it has none."""
    return ", ".join(f"{safe(name)} {value:.4g}" for name, value in numbers(event.data).items())


def render_outcome(outcome: JobOutcome, expected: JobExpectation, safety: Mapping[str, str]) -> str:
    """Return what a job came to, against what was *expected*; *safety* explains the categories."""
    job = outcome.job
    lines = []
    for reason in dict.fromkeys([*outcome.skips, *expected.skips]):
        said = count(outcome.skips.get(reason, 0), "image")
        lines.append(f"left out: {said}: {safe(reason)} (expected {expected.skips.get(reason, 0):,})")
    if outcome.checks:
        lines += ["safety checks:", *_safety(outcome, safety)]
    if job.error is not None:
        code, message = job.error
        lines += wrapped(f"error {safe(code)}: {safe(message, 500)}")
    for checkpoint in outcome.checkpoints:
        step = "" if checkpoint.step is None else f" at step {checkpoint.step:,}"
        metrics = ", ".join(f"{safe(name)} {value:.4g}" for name, value in checkpoint.metrics.items())
        lines.append(
            f"checkpoint{step}: {safe(checkpoint.model, 200)}" + (f" ({metrics})" if metrics else "")
        )
    if job.trained_tokens is not None:
        lines.append(f"trained tokens: {job.trained_tokens:,}{_expected_tokens(expected)}")
    if job.trained_model is not None:
        lines.append(f"model: {safe(job.trained_model, 200)}")
    lines.append(_verdict(outcome))
    return "\n".join(lines) + "\n"


def _safety(outcome: JobOutcome, safety: Mapping[str, str]) -> Iterator[str]:
    width = max(len(safe(check.category)) for check in outcome.checks)
    for check in outcome.checks:
        flagged = "FLAGGED" if check.flagged else "passed"
        meaning = safety.get(check.category, "no explanation is known") if check.flagged else ""
        line = f"  {safe(check.category):<{width}}  {flagged:<7}  {safe(check.enforcement):<12}  {meaning}"
        yield line.rstrip()


def _expected_tokens(expected: JobExpectation) -> str:
    if expected.tokens is None:
        return ""
    least, most = expected.tokens
    return f" (expected {least:,} to {most:,})"


def _verdict(outcome: JobOutcome) -> str:
    job = outcome.job
    if outcome.blocked:
        return f"FAILED  {safe(job.id)}: the safety checks block the model"
    word = "PASSED" if outcome.ok else "FAILED"
    return f"{word}  {safe(job.id)}: {safe(job.status)}"


def render_outcome_json(outcome: JobOutcome, expected: JobExpectation) -> str:
    """Return the same as JSON."""
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


def goes_on(job: str, plan: str | None = None) -> str:
    """Return that a job goes on at the server, and what can be done about it."""
    more = f" --plan={safe(plan, None)}" if plan else ""
    return (
        f"{safe(job)} goes on at the server; to follow it: vft submit follow {safe(job)}{more}; "
        f"to stop it: vft submit cancel {safe(job)}"
    )


def describe_job(request: JobRequest) -> str:
    """Return what would be made, in a few words for a question."""
    files = " and ".join(f"{safe(file.path, None)} ({size(file.bytes)})" for file in request.files)
    return f"send {files} to {safe(request.base_url, 200)} and make a job of {safe(request.model)}"


def render_job(job: Job) -> str:
    """Return a job in one line."""
    return f"{safe(job.id)}: {safe(job.status)}\n"
