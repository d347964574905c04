"""State, events and outcome of a job, parsed leniently: any field may be absent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SUCCEEDED = "succeeded"
ENDED_BADLY = ("failed", "cancelled", "canceled")  # Azure uses the last one
_VALIDATING = ("validating_files", "pending")
_PAUSED = ("pausing", "paused")  # undocumented, but answers of the documented /pause
_UNDER_WAY = (*_VALIDATING, "queued", "running")
_CHECKPOINT_KEYS = ("fine_tuned_model_checkpoint", "checkpoint", "snapshot", "model")
_TUNED_MODEL = re.compile(r"\bft:[\w.:-]*\w|\b[\w.-]+\.ft-[\w-]+")
_AMOUNT = re.compile(r"(\d[\d,]*) (?:images?|examples?)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """State of a job; *error* is a pair of code and message, *epochs* and *seed* are those of the server."""

    id: str
    status: str
    model: str | None
    trained_model: str | None
    trained_tokens: int | None
    error: tuple[str, str] | None
    metadata: Mapping[str, Any]
    epochs: int | None = None
    seed: int | None = None

    @property
    def ended(self) -> bool:
        """Whether the job has succeeded, failed or been cancelled."""
        return self.status == SUCCEEDED or self.status in ENDED_BADLY

    @property
    def under_way(self) -> bool:
        """Whether the job proceeds by itself; false for an ended or paused job and for unknown states."""
        return self.status in _UNDER_WAY

    @property
    def paused(self) -> bool:
        """Whether the job waits until somebody resumes it."""
        return self.status in _PAUSED

    @property
    def validated(self) -> bool:
        """Whether the server has finished checking the files."""
        return self.status not in _VALIDATING


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Event of a job; *at* is in seconds since 1970, *data* holds further values."""

    id: str
    at: int
    level: str
    type: str
    message: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model saved during training, with its metrics by name."""

    step: int | None
    model: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyCheck:
    """Result of a trained model in one safety category; *checkpoint* is its name, "" if it is not known."""

    checkpoint: str
    category: str
    flagged: bool
    enforcement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """Outcome of a job; *skips* counts the skipped images that events mention, by skip reason.

    Failed *checks* come first. *unknown* maps what could not be read, events or checkpoints, to the reason.
    """

    job: Job
    skips: Mapping[str, int] = field(default_factory=dict)
    checks: tuple[SafetyCheck, ...] = ()
    blocked: bool = False
    checkpoints: tuple[Checkpoint, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the job has not failed, been cancelled or been blocked."""
        return self.job.status not in ENDED_BADLY and not self.blocked


def read_job(data: Mapping[str, Any]) -> Job:
    """Return the job that the server describes by *data*."""
    error, tokens = data.get("error"), data.get("trained_tokens")
    error = error if isinstance(error, Mapping) else {"message": error}
    code, message = error.get("code"), error.get("message")
    return Job(
        id=str(data.get("id")),
        status=str(data.get("status")).lower(),
        model=_text(data.get("model")),
        trained_model=_text(data.get("fine_tuned_model")),
        trained_tokens=_count(tokens),
        error=(str(code or ""), str(message or "")) if code or message else None,
        metadata=_mapping(data.get("metadata")),
        epochs=next((number for number in map(_count, _epochs(data)) if number is not None), None),
        seed=_whole(data.get("seed")),
    )


def _epochs(data: Mapping[str, Any]) -> Iterator[object]:
    """Yield the numbers of epochs that a job names; each may be "auto"."""
    yield _mapping(data.get("hyperparameters")).get("n_epochs")
    for method in _mapping(data.get("method")).values():
        yield _mapping(_mapping(method).get("hyperparameters")).get("n_epochs")


def read_event(data: Mapping[str, Any]) -> Event:
    """Return the event that the server describes by *data*."""
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
    """Return the checkpoint that the server describes by *data*."""
    step = data.get("step_number")
    return Checkpoint(
        step=step if isinstance(step, int) else None,
        model=str(data.get("fine_tuned_model_checkpoint") or ""),
        metrics=numbers(_mapping(data.get("metrics"))),
    )


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the items of *values* whose values are numbers."""
    return {name: value for name, value in values.items() if type(value) in (int, float)}


def make_outcome(
    job: Job, events: Sequence[Event], checkpoints: Iterable[Checkpoint], skip_reasons: Iterable[str]
) -> JobOutcome:
    """Return the outcome of *job*, with what its *events* say about safety checks and skipped images."""
    moderation = [event for event in events if event.type == "moderation_checks"]
    return JobOutcome(
        job=job,
        skips=count_skips(events, skip_reasons),
        checks=tuple(
            sorted(
                (check for one in moderation for check in _safety_checks(one)), key=lambda c: not c.flagged
            )
        ),
        blocked=any(event.data.get("blocked") is True for event in moderation),
        checkpoints=tuple(checkpoints),
    )


def count_skips(events: Iterable[Event], reasons: Iterable[str]) -> dict[str, int]:
    """Return the number of skipped images for each reason that the messages of *events* contain.

    A message counts as the number of images or examples that it mentions, or as one image.
    """
    counts: Counter[str] = Counter()
    for event in events:
        message = event.message.lower()
        for reason in reasons:
            if reason.lower() in message:
                amount = _AMOUNT.search(message)
                counts[reason] += int(amount[1].replace(",", "")) if amount else 1
    return dict(counts)


def _safety_checks(event: Event) -> Iterator[SafetyCheck]:
    results = event.data.get("results")
    for result in results if isinstance(results, list) else ():
        if isinstance(result, Mapping):
            yield SafetyCheck(
                checkpoint=_checkpoint_name(event),
                category=str(result.get("category")),
                flagged=result.get("flagged") is True,
                enforcement=str(result.get("enforcement") or ""),
            )


def _checkpoint_name(event: Event) -> str:
    """Return the model that *event* is about, which its data or its message names; "" without any."""
    named = next((event.data[key] for key in _CHECKPOINT_KEYS if event.data.get(key)), None)
    in_message = _TUNED_MODEL.search(event.message)
    return str(named) if named else in_message[0] if in_message else ""


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _count(value: object) -> int | None:
    number = _whole(value)
    return number if number is not None and number >= 0 else None


def _text(value: object) -> str | None:
    return str(value) if value else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
