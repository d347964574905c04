"""What a job says of itself, and what it came to; nothing that a server leaves out is missed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SUCCEEDED = "succeeded"
ENDED_BADLY = ("failed", "cancelled", "canceled")  # the last is Azure's
_VALIDATING = ("validating_files", "pending")
_AMOUNT = re.compile(r"(\d[\d,]*) (?:images?|examples?)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as the server last told it; *error* is its code and message."""

    id: str
    status: str
    model: str | None
    trained_model: str | None
    trained_tokens: int | None
    error: tuple[str, str] | None
    metadata: Mapping[str, Any]

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status == SUCCEEDED or self.status in ENDED_BADLY

    @property
    def validated(self) -> bool:
        """Whether the server is done with checking the files, one way or the other."""
        return self.status not in _VALIDATING


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a job; *at* is in seconds since 1970, *data* whatever came with it."""

    id: str
    at: int
    level: str
    type: str
    message: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model saved on the way; *metrics* are numbers by name."""

    step: int | None
    model: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyCheck:
    """How the trained model did in one safety category."""

    category: str
    flagged: bool
    enforcement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """What a job came to; *skips* counts images left out by skip reason, as far as events tell."""

    job: Job
    skips: Mapping[str, int] = field(default_factory=dict)
    checks: tuple[SafetyCheck, ...] = ()
    blocked: bool = False
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong so far."""
        return self.job.status not in ENDED_BADLY and not self.blocked


def read_job(data: Mapping[str, Any]) -> Job:
    """Return the job in *data*, the server's answer."""
    error, tokens = data.get("error"), data.get("trained_tokens")
    code, message = (error.get("code"), error.get("message")) if isinstance(error, Mapping) else (None, None)
    return Job(
        id=str(data.get("id")),
        status=str(data.get("status")),
        model=_text(data.get("model")),
        trained_model=_text(data.get("fine_tuned_model")),
        trained_tokens=tokens if isinstance(tokens, int) else None,
        error=(str(code or ""), str(message or "")) if code or message else None,
        metadata=_mapping(data.get("metadata")),
    )


def read_event(data: Mapping[str, Any]) -> Event:
    """Return the event in *data*, the server's answer."""
    at = data.get("created_at")
    return Event(
        id=str(data.get("id") or f"{at} {data.get('message')}"),
        at=at if isinstance(at, int) else 0,
        level=str(data.get("level") or "info"),
        type=str(data.get("type") or "message"),
        message=str(data.get("message") or ""),
        data=_mapping(data.get("data")),
    )


def read_checkpoint(data: Mapping[str, Any]) -> Checkpoint:
    """Return the checkpoint in *data*, the server's answer."""
    step = data.get("step_number")
    return Checkpoint(
        step=step if isinstance(step, int) else None,
        model=str(data.get("fine_tuned_model_checkpoint") or ""),
        metrics=numbers(_mapping(data.get("metrics"))),
    )


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return those of *values* that are numbers."""
    return {name: value for name, value in values.items() if type(value) in (int, float)}


def make_outcome(
    job: Job, events: Sequence[Event], checkpoints: Iterable[Checkpoint], skip_reasons: Iterable[str]
) -> JobOutcome:
    """Return what *job* came to."""
    moderation = [event for event in events if event.type == "moderation_checks"]
    return JobOutcome(
        job=job,
        skips=count_skips(events, skip_reasons),
        checks=tuple(check for event in moderation for check in _checks(event.data)),
        blocked=any(event.data.get("blocked") is True for event in moderation),
        checkpoints=tuple(checkpoints),
    )


def count_skips(events: Iterable[Event], reasons: Iterable[str]) -> dict[str, int]:
    """Return how many images were left out for each reason, as far as the events tell.

    Their text is free. What names a reason counts as one image, or as many as it says.
    """
    counts: Counter[str] = Counter()
    for event in events:
        message = event.message.lower()
        for reason in reasons:
            if reason.lower() in message:
                amount = _AMOUNT.search(message)
                counts[reason] += int(amount[1].replace(",", "")) if amount else 1
    return dict(counts)


def _checks(data: Mapping[str, Any]) -> Iterator[SafetyCheck]:
    results = data.get("results")
    for result in results if isinstance(results, list) else ():
        if isinstance(result, Mapping):
            yield SafetyCheck(
                category=str(result.get("category")),
                flagged=result.get("flagged") is True,
                enforcement=str(result.get("enforcement") or ""),
            )


def _text(value: object) -> str | None:
    return str(value) if value else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
