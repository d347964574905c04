"""Plans and preflight answers as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import groupby
from typing import Any, NamedTuple

from pytest_vft.model import Report
from pytest_vft.report.json import harmless_json
from pytest_vft.report.layout import wrapped
from pytest_vft.report.people import people_line, skipped_words
from pytest_vft.report.text import file_lines, size, tokens_and_price, unknown_lines
from pytest_vft.submission.plan import FORMAT, Estimate, JobPlan, JobRequest, RecordedRequest
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
    rules = _by_result(report)
    empty = f"; {count(len(rules.empty), 'rule')} had nothing to check" if rules.empty else ""
    lines.append(f"checks passed: {count(len(rules.passed), 'rule')}{empty}")
    if rules.warned:
        lines.append(f"with warnings: {count(len(rules.warned), 'rule')} ('vft check' shows them)")
    if rules.unchecked:
        names = ", ".join(rules.unchecked)
        lines += wrapped(f"not checked, or only in part: {count(len(rules.unchecked), 'rule')} ({names})")
    lines += ["would send:", *_requests(plan.requests), *_estimate(plan.estimate)]
    for reason, number in plan.skips.items():
        words = skipped_words(number, plan.predicted_skips.get(reason, 0), "image")
        lines.append(f"expected to be left out: {words}: {safe(reason)}")
    for closing in plan.closings:
        if closing.days < 0:
            note = f"since {closing.date}; this server may"
        else:
            note = f"after {closing.date} (in {count(closing.days, 'day')})"
        lines += wrapped(f"warning: {closing.what} takes no jobs {note}")
    for note in _not_proved(plan):
        lines += wrapped(f"not proved: {note}")
    return "\n".join(lines) + "\n"


class _Rules(NamedTuple):
    """Ids of rules: passed, failed with a warning, not checked on all data, without anything to check."""

    passed: list[str]
    warned: list[str]
    unchecked: list[str]
    empty: list[str]


def _by_result(report: Report) -> _Rules:
    """Return the rules of *report* by result; an ignored rule is one that was not checked.

    A rule that warns and could not judge all data has both results.
    """
    rules = _Rules([], [], [], [])
    for rule in report.rules:
        tally = rule.tally
        if tally.failed:
            rules.warned.append(rule.id)
        if tally.unknown or tally.ignored or rule.reason is not None:
            rules.unchecked.append(rule.id)
        elif not tally.failed:
            (rules.passed if tally.passed else rules.empty).append(rule.id)
    return rules


def _not_proved(plan: JobPlan) -> list[str]:
    unknown = [line.removeprefix("not checked: ") for line in unknown_lines(plan.report)]
    people = people_line(plan.report.faces).removeprefix("not checked: ")
    return [_NOT_ASKED, people, *unknown]


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
    rules = _by_result(plan.report)
    data = {
        "format": FORMAT,
        "dry_run": True,
        "server_validated": False,
        "tool": {"name": "pytest-vft", "version": version("pytest-vft")},
        "plan": plan.request.digest,
        "request": asdict(plan.request),
        "files": [{key: getattr(file, key) for key in _FILE_KEYS} for file in plan.report.files],
        "checks_passed": rules.passed,
        "warnings": rules.warned,
        "not_checked": rules.unchecked,
        "nothing_to_check": rules.empty,
        "estimate": estimate and _estimate_data(estimate),
        "expected_skips": plan.skips,
        "predicted_skips": plan.predicted_skips,
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


def render_preflight(found: Preflight, *, verdict_first: bool = False) -> str:
    """Return the answers of the server as text; refusals and failures are its last lines, or its first."""
    lines = [f"preflight: asked {safe(found.address, 200)}; nothing was changed"]
    if found.model_known:
        lines.append(f"model {safe(found.model)}: known to the server")
    closing = found.closing
    if closing is not None and closing.days >= 0:
        lines.append(f"{closing.what}: shuts down on {closing.date} (in {count(closing.days, 'day')})")
    if found.may_list:
        lines.append("the key may list jobs and files")
    for path, id_ in found.uploaded.items():
        lines.append(f"{safe(path, None)}: already uploaded as {safe(id_)}, which will be used")
    lines += [f"job {safe(job.id)} was created from this plan: {safe(job.status)}" for job in found.jobs]
    if found.ok:
        lines += wrapped("not proved: that the server creates the job; only 'vft submit apply' can tell")
    verdict = [f"refused: {refusal}" for refusal in found.refusals]
    verdict += [f"no answer: {failure}" for failure in found.failures]
    return "\n".join([*verdict, *lines] if verdict_first else [*lines, *verdict]) + "\n"


def render_preflight_json(found: Preflight) -> str:
    """Return the answers of the server as JSON, format vft-preflight/1."""
    closing = found.closing
    data = {
        "format": "vft-preflight/1",
        "ok": found.ok,
        "address": found.address,
        "model": found.model,
        "model_known": found.model_known,
        "refusals": found.refusals,
        "failure": "; ".join(found.failures) or None,
        "shutdown_date": closing and closing.date.isoformat(),
        "uploaded": found.uploaded,
        "jobs": [{"id": job.id, "status": job.status} for job in found.jobs],
    }
    return harmless_json(data)


def describe_job(request: JobRequest) -> str:
    """Return a short description of *request*, for a question."""
    files = " and ".join(f"{safe(file.path, None)} ({size(file.bytes)})" for file in request.files)
    return f"send {files} to {safe(request.base_url, 200)} and create a job for {safe(request.model)}"
