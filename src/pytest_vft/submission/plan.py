"""The plan of a fine-tuning job; `apply` makes a new plan and stops if it differs from the saved one."""

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
from pytest_vft.regular_files import read_bytes, regular

FORMAT = "vft-plan/1"
CLOSING_SOON = 60  # days

Role = Literal["training_file", "validation_file"]
_ROLES: Mapping[str, Role] = {"train": "training_file", "validation": "validation_file"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """A file of a job; *name* is the name at the server, which includes a hash of the content."""

    role: Role
    path: str
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSettings:
    """Settings of a job; the provider chooses those that are None."""

    suffix: str | None = None
    seed: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """Everything that determines a job."""

    provider: str
    base_url: str
    model: str
    files: tuple[JobFile, ...]
    settings: JobSettings

    @cached_property
    def digest(self) -> str:
        """The sha256 of the request, which is saved as metadata of the job, so that the job can be found."""
        files = [{"role": file.role, "sha256": file.sha256} for file in self.files]
        data = json.dumps({**asdict(self), "files": files}, sort_keys=True)
        return hashlib.sha256(data.encode()).hexdigest()

    def body(self, ids: Mapping[Role, str]) -> dict[str, Any]:
        """Return the body of the request that creates the job; *ids* are the ids of the uploaded files."""
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
    """A request as it would be sent, with the key masked; *bytes* is the size of the whole body.

    *body* is the JSON value or the fields of a form, where a file is represented by its name.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Estimated cost of *epochs* epochs; *assumed* is true if their number is the default."""

    cost: Cost
    epochs: int
    assumed: bool

    @property
    def tokens(self) -> tuple[int, int]:
        """Minimum and maximum of trained tokens."""
        return self.epochs * self.cost.tokens_at_least, self.epochs * self.cost.tokens_at_most

    @property
    def low_detail(self) -> tuple[int, int]:
        """Minimum and maximum of trained tokens if every image had detail low."""
        return self.epochs * self.cost.low_detail_at_least, self.epochs * self.cost.low_detail_at_most

    def dollars(self, tokens: int) -> float | None:
        """Return the price of *tokens* in US dollars, or None if it is unknown."""
        return None if self.cost.price is None else tokens * self.cost.price / 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingDate:
    """The last *date* on which *what*, a provider or a model, accepts jobs, and the days until then."""

    what: str
    date: date
    days: int


class Endpoint(NamedTuple):
    """The address and the API version of Credentials; None is the *default*, that of the provider file.

    *named_by* is the configuration file that names the address, None if a person does.
    """

    base_url: str | None
    azure_version: str | None
    default: str | None
    named_by: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobExpectation:
    """Expected outcome of a job.

    *tokens* are the minimum and maximum of trained tokens in *epochs*; *skips* counts images by skip reason,
    *predicted_skips* those of them that the provider may take.
    """

    tokens: tuple[int, int] | None = None
    epochs: int | None = None
    skips: Mapping[str, int] = field(default_factory=dict)
    predicted_skips: Mapping[str, int] = field(default_factory=dict)

    def tokens_in(self, epochs: int | None) -> tuple[int, int] | None:
        """Return the expected range of trained tokens in *epochs*, or in the expected ones if None."""
        if self.tokens is None or not epochs or not self.epochs:
            return self.tokens
        low, high = self.tokens
        return low * epochs // self.epochs, high * epochs // self.epochs


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """A planned job: the requests that would be sent, and what is known about the job.

    *endpoint* is the server of *request*. *skips* counts the images that the provider is expected to
    skip, by skip reason, and *predicted_skips* those of them that it may take. *own_address* is true if
    the server is the provider's own, whose closing dates apply.
    """

    request: JobRequest
    endpoint: Endpoint
    report: Report
    requests: tuple[RecordedRequest, ...] = field(repr=False)
    estimate: Estimate | None
    skips: Mapping[str, int]
    closings: tuple[ClosingDate, ...]
    own_address: bool
    predicted_skips: Mapping[str, int] = field(default_factory=dict)

    @property
    def expectation(self) -> JobExpectation:
        """The expected outcome of the job."""
        estimate = self.estimate
        return JobExpectation(
            tokens=estimate.tokens if estimate else None,
            epochs=estimate.epochs if estimate else None,
            skips=self.skips,
            predicted_skips=self.predicted_skips,
        )


def describe_file(source: Source) -> JobFile:
    """Return *source* as a file of a job, with the hash of its content. Raises OSError."""
    with open(source.path, "rb", opener=regular) as file:
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
    """Return OpenAI's default number of epochs; other providers may use other defaults.

    Three, more for fewer than 34 examples and fewer for more than 8,333, as in OpenAI's notebook
    https://github.com/openai/openai-cookbook/blob/main/examples/Chat_finetuning_data_prep.ipynb (read
    2026-11-21).
    """
    target, min_examples, max_examples, max_epochs = 3, 100, 25_000, 25
    if examples * target < min_examples:
        return min(max_epochs, min_examples // max(examples, 1))
    if examples * target > max_examples:
        return max(1, max_examples // examples)
    return target


def estimate(report: Report, epochs: int | None) -> Estimate | None:
    """Return the estimate for training on the files of *report*, or None if tokens are unknown."""
    if report.cost is None:
        return None
    examples = sum(file.examples for file in report.files if file.split == "train")
    return Estimate(cost=report.cost, epochs=epochs or default_epochs(examples), assumed=epochs is None)


def read_plan(path: Path) -> Mapping[str, Any]:
    """Return the plan that is saved at *path*. Raises UsageError."""
    try:
        data = json.loads(read_bytes(path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; 'vft submit plan' writes it") from None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or data.get("format") != FORMAT or not _is_request(data.get("request")):
        raise UsageError(f"{path}: is not a plan ({FORMAT}); 'vft submit plan' writes one")
    return data


def _is_request(data: object) -> bool:
    if not isinstance(data, dict) or not isinstance(data.get("settings"), dict):
        return False
    files = data.get("files")
    return isinstance(files, list) and all(
        isinstance(file, dict) and {"role", "path", "sha256"} <= file.keys() for file in files
    )


def check_plan(saved: Mapping[str, Any], request: JobRequest, path: Path) -> None:
    """Raise UsageError, which names the differences, unless *saved*, read from *path*, plans *request*."""
    if saved.get("plan") == request.digest:
        return
    old, new = saved["request"], asdict(request)
    changed = [key for key in new if key != "files" and old.get(key) != new[key]]
    hashes = {file["role"]: file["sha256"] for file in old["files"]}
    changed += [file.path for file in request.files if hashes.pop(file.role, None) != file.sha256]
    changed += map(str, hashes)
    raise UsageError(
        f"{path}: is not the plan of this job: {', '.join(changed) or 'its hash'} changed; plan again"
    )


def check_address(saved: Mapping[str, Any], address: str, path: Path) -> None:
    """Raise UsageError unless *saved*, read from *path*, is a plan for the server of *address*."""
    planned = saved["request"].get("base_url")
    if planned != address:
        raise UsageError(f"{path}: is a plan for {planned}, not for {address}; give its server by --base-url")


def read_expectation(saved: Mapping[str, Any]) -> JobExpectation:
    """Return the expected outcome of the job of the plan *saved*."""
    estimate = saved.get("estimate") or {}
    tokens = estimate.get("tokens")
    return JobExpectation(
        tokens=tuple(tokens) if tokens else None,
        epochs=estimate.get("epochs"),
        skips=saved.get("expected_skips") or {},
        predicted_skips=saved.get("predicted_skips") or {},
    )


def validation_paths(saved: Mapping[str, Any]) -> list[str]:
    """Return a list of the validation file of the plan *saved*; the list may be empty."""
    return [file["path"] for file in saved["request"]["files"] if file["role"] == "validation_file"]
