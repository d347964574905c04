"""What a fine-tuning job would be: its files, its settings, and what it is expected to take.

A plan is saved as JSON, format vft-plan/1. It is bound to its files by their sha256: `apply` plans
anew and goes on only when both say the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pytest_vft.errors import UsageError
from pytest_vft.model import Cost, Report, Source

FORMAT = "vft-plan/1"
CLOSING_SOON = 60  # days

Role = Literal["training_file", "validation_file"]
_ROLES: Mapping[str, Role] = {"train": "training_file", "validation": "validation_file"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """A file of a job; *name* is the one that it is uploaded under: it tells the content."""

    role: Role
    path: str
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """What a user may say of a job; None, or nothing, leaves it to the provider."""

    suffix: str | None = None
    seed: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """A job to be made: everything that decides what it will be."""

    provider: str
    base_url: str
    model: str
    files: tuple[JobFile, ...]
    settings: JobSettings

    @cached_property
    def digest(self) -> str:
        """The sha256 of it all, which the job carries, so that it can be found again."""
        data = self.as_data()
        data["files"] = [{"role": file.role, "sha256": file.sha256} for file in self.files]
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "provider": self.provider,
            "base_url": self.base_url,
            "model": self.model,
            "files": [asdict(file) for file in self.files],
            "settings": asdict(self.settings),
        }

    def body(self, ids: Mapping[Role, str]) -> dict[str, Any]:
        """Return the body of the request that makes the job; *ids* are those of its uploaded files."""
        settings = self.settings
        hyperparameters = _given(
            n_epochs=settings.epochs,
            batch_size=settings.batch_size,
            learning_rate_multiplier=settings.learning_rate_multiplier,
        )
        supervised = {"supervised": {"hyperparameters": hyperparameters}} if hyperparameters else {}
        return {
            "model": self.model,
            **{str(role): id_ for role, id_ in ids.items()},
            **_given(suffix=settings.suffix, seed=settings.seed),
            "method": {"type": "supervised", **supervised},
            "metadata": {**settings.metadata, "vft_plan": self.digest, "vft_sha256": self.files[0].sha256},
        }


def _given(**settings: object) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """A request as it would be sent, its key masked; *bytes* is the size of its whole body.

    *body* is the JSON value, or the fields of a form, a file standing as its name.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What training is expected to take: *cost* an epoch, over all *epochs*.

    *assumed* says that the number of epochs is the default, not one that was asked for.
    """

    cost: Cost
    epochs: int
    assumed: bool

    @property
    def tokens(self) -> tuple[int, int]:
        """The least and the most tokens trained."""
        return self.epochs * self.cost.tokens_at_least, self.epochs * self.cost.tokens_at_most

    @property
    def low_detail(self) -> tuple[int, int]:
        """The same if every image said detail low."""
        return self.epochs * self.cost.low_detail_at_least, self.epochs * self.cost.low_detail_at_most

    def dollars(self, tokens: int) -> float | None:
        """Return the price of *tokens* in US dollars, None if there is none."""
        return None if self.cost.price is None else tokens * self.cost.price / 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingDate:
    """What takes no more jobs after *date*, and how many days are left."""

    what: str
    date: date
    days: int


class Endpoint(NamedTuple):
    """Where a client connects; see Credentials."""

    base_url: str | None
    azure_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobExpectation:
    """What a job is held against at its end; *tokens* are the least and the most, if known."""

    tokens: tuple[int, int] | None = None
    skips: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """What would be sent, and what is known and not known of it.

    *endpoint* is the server of *request*. *skips* counts the images that the provider is expected to
    leave out, by skip reason; *own_address* says that the server is the provider's own, so that its
    closing dates hold.
    """

    request: JobRequest
    endpoint: Endpoint
    report: Report
    requests: tuple[RecordedRequest, ...] = field(repr=False)
    estimate: Estimate | None
    skips: Mapping[str, int]
    closings: tuple[ClosingDate, ...]
    own_address: bool

    @property
    def expectation(self) -> JobExpectation:
        """What the job is held against at its end."""
        return JobExpectation(tokens=self.estimate.tokens if self.estimate else None, skips=self.skips)


def describe_file(source: Source) -> JobFile:
    """Return *source* as a file of a job; its content is hashed as it streams. Raises OSError."""
    with open(source.path, "rb") as file:  # noqa: PTH123 - the path is kept as the user wrote it
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = os.fstat(file.fileno()).st_size
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", Path(source.path).stem)[:60]
    return JobFile(
        role=_ROLES[source.split],
        path=source.path,
        name=f"{stem}-{sha256[:12]}.jsonl",
        bytes=size,
        sha256=sha256,
    )


def default_epochs(examples: int) -> int:
    """Return how many epochs are trained when none are asked for.

    About three, more for less than 34 examples and fewer for more than 8,333; from OpenAI's notebook
    https://github.com/openai/openai-cookbook/blob/main/examples/Chat_finetuning_data_prep.ipynb (read
    2026-11-21). Other providers may choose otherwise.
    """
    target, least_examples, most_examples, most_epochs = 3, 100, 25_000, 25
    if examples * target < least_examples:
        return min(most_epochs, least_examples // max(examples, 1))
    if examples * target > most_examples:
        return max(1, most_examples // examples)
    return target


def estimate(report: Report, epochs: int | None) -> Estimate | None:
    """Return what training on the files of *report* takes, None when its tokens are not known."""
    if report.cost is None:
        return None
    examples = sum(file.examples for file in report.files if file.split == "train")
    return Estimate(cost=report.cost, epochs=epochs or default_epochs(examples), assumed=epochs is None)


def expected_skips(report: Report) -> dict[str, int]:
    """Return how many subjects failed a rule that leads to each skip reason."""
    reasons = {finding.rule: finding.skips for finding in report.findings if finding.skips}
    skips: dict[str, int] = {}
    for rule in report.rules:
        if rule.id in reasons:
            reason = str(reasons[rule.id])
            skips[reason] = skips.get(reason, 0) + rule.tally.failed
    return skips


def read_plan(path: Path) -> Mapping[str, Any]:
    """Return the saved plan at *path*. Raises UsageError, which says how to get one."""
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; 'vft submit plan' writes it") from None
    except ValueError:
        data = None
    if not isinstance(data, dict) or data.get("format") != FORMAT or not _is_request(data.get("request")):
        raise UsageError(f"{path}: is no plan ({FORMAT}); 'vft submit plan' writes one")
    return data


def _is_request(data: object) -> bool:
    if not isinstance(data, dict) or not isinstance(data.get("settings"), dict):
        return False
    files = data.get("files")
    return isinstance(files, list) and all(
        isinstance(file, dict) and {"role", "path", "sha256"} <= file.keys() for file in files
    )


def check_plan(saved: Mapping[str, Any], request: JobRequest, path: Path) -> None:
    """Raise UsageError, which says what differs, unless *saved*, read from *path*, plans *request*."""
    if saved.get("plan") == request.digest:
        return
    old = saved["request"]
    new = request.as_data()
    differing = [key for key in new if key != "files" and old.get(key) != new[key]]
    differing += _changed_files(old["files"], new["files"])
    raise UsageError(
        f"{path}: is not the plan of this job: {', '.join(differing) or 'its hash'} changed; plan again"
    )


def _changed_files(old: Any, new: list[dict[str, Any]]) -> list[str]:
    hashes = {file["role"]: file["sha256"] for file in old}
    changed = [file["path"] for file in new if hashes.pop(file["role"], None) != file["sha256"]]
    return changed + [str(role) for role in hashes]


def read_expectation(saved: Mapping[str, Any]) -> JobExpectation:
    """Return what the job of the plan *saved* is held against."""
    tokens = (saved.get("estimate") or {}).get("tokens")
    return JobExpectation(tokens=tuple(tokens) if tokens else None, skips=saved.get("expected_skips") or {})


def validation_paths(saved: Mapping[str, Any]) -> list[str]:
    """Return the validation file of the plan *saved*, in a list that may be empty."""
    return [file["path"] for file in saved["request"]["files"] if file["role"] == "validation_file"]
