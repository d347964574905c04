"""Jobs, their events and outcomes as text and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pytest_vft.report.json import harmless_json
from pytest_vft.report.layout import wrapped
from pytest_vft.report.people import skipped_words
from pytest_vft.submission.outcome import Event, Job, JobOutcome, SafetyCheck, numbers
from pytest_vft.submission.plan import JobExpectation
from pytest_vft.text import count, safe

_FAR = 2  # trained tokens are far outside the expected range by this factor


def render_event(event: Event) -> str:
    """Return *event* as one line."""
    time = datetime.fromtimestamp(event.at, UTC).strftime("%H:%M:%S")
    level = "" if event.level == "info" else f"{safe(event.level)}: "
    return f"  {time}  {level}{safe(event.message, 300)}"


def render_metrics(values: Mapping[str, Any]) -> str:
    """Return the numbers of *values*, data of an event or metrics, as one short line; "" without any."""
    return ", ".join(f"{safe(name)} {value:.4g}" for name, value in numbers(values).items())


def render_outcome(
    outcome: JobOutcome, expected: JobExpectation, safety: Mapping[str, str], *, verdict_first: bool = False
) -> str:
    """Return *outcome* beside what was *expected*; *safety* describes the safety categories.

    The verdict is the last line, or the first.
    """
    job = outcome.job
    state = "blocked by the safety checks" if outcome.blocked else safe(job.status)
    verdict = f"{'PASSED' if outcome.ok else 'FAILED'}  {safe(job.id)}: {state}"
    lines = list(_outcome_lines(outcome, expected, safety))
    return "\n".join([verdict, *lines] if verdict_first else [*lines, verdict]) + "\n"


def _outcome_lines(outcome: JobOutcome, expected: JobExpectation, safety: Mapping[str, str]) -> Iterator[str]:
    job = outcome.job
    for what, why in outcome.unknown.items():
        yield from wrapped(f"{what}: not known ({why})")
    for reason in dict.fromkeys([*outcome.skips, *expected.skips]):
        images = count(outcome.skips.get(reason, 0), "image")
        number, predicted = (one.get(reason, 0) for one in (expected.skips, expected.predicted_skips))
        range_ = skipped_words(number, predicted, "image") if predicted else f"{number:,}"
        yield f"left out: {images}: {safe(reason)} (expected {range_})"
    if outcome.checks:
        yield "safety checks:"
        yield from _safety(outcome, safety)
    if job.error is not None:
        code, message = job.error
        words = [f"error {safe(code)}".strip(), safe(message, 500)]
        yield from wrapped(": ".join(filter(None, words)))
    for checkpoint in outcome.checkpoints:
        step = "" if checkpoint.step is None else f" at step {checkpoint.step:,}"
        metrics = render_metrics(checkpoint.metrics)
        shown = f" ({metrics})" if metrics else ""
        yield f"checkpoint{step}: {safe(checkpoint.model, 200)}{shown}"
    settings = [count(job.epochs, "epoch")] if job.epochs is not None else []
    settings += [f"seed {job.seed}"] if job.seed is not None else []
    if settings:
        yield f"settings of the job: {', '.join(settings)}"
    if job.trained_tokens is not None:
        tokens = expected.tokens_in(job.epochs)
        shown = f" (expected {tokens[0]:,} to {tokens[1]:,})" if tokens else ""
        yield f"trained tokens: {job.trained_tokens:,}{shown}"
    for warning in _warnings(outcome, expected):
        yield from wrapped(f"warning: {warning}")
    if job.trained_model is not None:
        yield f"model: {safe(job.trained_model, 200)}"


def _warnings(outcome: JobOutcome, expected: JobExpectation) -> list[str]:
    trained, tokens = outcome.job.trained_tokens, expected.tokens_in(outcome.job.epochs)
    if trained is None or tokens is None:
        return []
    low, high = tokens
    if trained * _FAR < low:
        compared, cause = f"fewer than the expected {low:,}", "have left out images or examples"
    elif trained > high * _FAR:
        compared, cause = f"more than the expected {high:,}", "count images or epochs in another way"
    else:
        return []
    return [f"{trained:,} trained tokens are far {compared}: the server may {cause}"]


def _safety(outcome: JobOutcome, safety: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each check, or for several checkpoints only for failed checks, with the checkpoint."""
    checkpoints = list(dict.fromkeys(check.checkpoint for check in outcome.checks))
    several = len(checkpoints) > 1
    shown = [check for check in outcome.checks if check.flagged or not several]
    width = max((len(safe(check.category)) for check in shown), default=0)
    for check in shown:
        flagged = "FLAGGED" if check.flagged else "passed"
        meaning = safety.get(check.category, "no description known") if check.flagged else ""
        line = f"  {safe(check.category):<{width}}  {flagged:<7}  {safe(check.enforcement):<12}  {meaning}"
        yield line.rstrip()
        if check.flagged and check.checkpoint:
            yield f"  {'':<{width}}  of {safe(check.checkpoint, 200)}"
    for checkpoint in checkpoints if several else ():
        yield f"  {_passed([check for check in outcome.checks if check.checkpoint == checkpoint])}"


def _passed(checks: list[SafetyCheck]) -> str:
    passed = sum(not check.flagged for check in checks)
    name = safe(checks[0].checkpoint, 200) or "a checkpoint without a name"
    return f"{passed:,} of {len(checks):,} passed: {name}"


def render_outcome_json(outcome: JobOutcome, expected: JobExpectation) -> str:
    """Return *outcome* as JSON, format vft-job/2."""
    job = outcome.job
    data = {
        "format": "vft-job/2",
        "ok": outcome.ok,
        "job": {
            "id": job.id,
            "status": job.status,
            "model": job.model,
            "fine_tuned_model": job.trained_model,
            "trained_tokens": job.trained_tokens,
            "epochs": job.epochs,
            "seed": job.seed,
            "error": job.error and {"code": job.error[0], "message": job.error[1]},
        },
        "expected_tokens": expected.tokens_in(job.epochs),
        "warnings": _warnings(outcome, expected),
        "skips": outcome.skips,
        "expected_skips": expected.skips,
        "blocked": outcome.blocked,
        "safety_checks": [asdict(check) for check in outcome.checks],
        "unknown": outcome.unknown,
        "checkpoints": [asdict(checkpoint) for checkpoint in outcome.checkpoints],
    }
    return harmless_json(data)


def next_commands(
    job: str, *, plan: str | None = None, provider: str | None = None, base_url: str | None = None
) -> str:
    """Return the commands that follow and cancel a job, which continues on the server.

    *plan*, *provider* and *base_url* are values of the options with these names, None without the option.
    """
    options = {"plan": plan, "provider": provider, "base-url": base_url}
    words = [job, *(f"--{name}={value}" for name, value in options.items() if value is not None)]
    target = " ".join(safe(shlex.quote(word), None) for word in words)
    return (
        f"{safe(job)} continues on the server\n"
        f"  to follow the job: vft submit follow {target}\n"
        f"  to cancel the job: vft submit cancel {target}"
    )


def resume_hint(job: Job, patience: float) -> str:
    """Return what can be done about *job*, which is paused or in an unknown state."""
    id_, state = safe(job.id), safe(job.status)
    if job.paused:
        what = f"{state}; to resume the job: POST /fine_tuning/jobs/{id_}/resume on the server"
    else:
        what = f"{state}, a state that the API does not document"
    return f"{id_} is {what}; vft waits at most {patience:,.0f} s for news"


def render_job(job: Job) -> str:
    """Return id and status of *job* as one line."""
    return f"{safe(job.id)}: {safe(job.status)}\n"
