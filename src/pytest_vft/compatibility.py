"""Records of a comparison of providers: who takes a dataset, and why not the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple

from pytest_vft.model import Cost, Depth, Effect, FileResult
from pytest_vft.text import count

CompatibilityVerdict = Literal["takes", "loses", "refuses", "unknown"]


class Reason(NamedTuple):
    """Why a provider does not simply take a dataset.

    *effect* is what it means to the provider: "unknown" if that could not be checked, and "note" if it may
    matter and does not change the verdict. *rule* is None for the
    data format and for closing dates; *number* is that of subjects, such as images; *path* and *line* are the
    first place. *message* says what is wrong in plain words.
    """

    rule: str | None
    effect: Effect
    number: int
    message: str
    path: str | None = None
    line: int | None = None


class AfterConversion(NamedTuple):
    """The verdict of a provider on a dataset after its conversion by *command*.

    *left* are the reasons why the provider does not simply take it then. If it is *sampled*, only the first
    examples, and the first ones with a fault, were converted.
    """

    command: str
    verdict: CompatibilityVerdict
    left: tuple[str, ...] = ()
    sampled: bool = False


class LoaderResult(NamedTuple):
    """What the provider's own reader said about a dataset; *images* is the number of images it opened.

    *images* is None for a reader that opens none. *unopened* counts the images that it was not given: those
    behind URLs, and files outside the folders of images. *problem* is the message of a reader that does not
    take everything. *reader* names the package and, if that is installed, its version.
    """

    reader: str
    images: int | None = None
    unopened: int = 0
    problem: str | None = None
    installed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Compatibility:
    """The verdict of one provider on a dataset, and its reasons, the gravest first.

    *closes* and *closes_newcomers* are the first days without new jobs, for all and for new customers, and
    existing customers can train until at least *open_until*. *cost* is None if nothing is trained on, or if
    tokens are unknown; *not_stated* are rules that are off: the provider does not state them. *after* is None
    if the provider takes the dataset as it is, or if vft cannot convert it.
    """

    id: str
    name: str
    model: str | None
    verdict: CompatibilityVerdict
    reasons: tuple[Reason, ...]
    closes: date | None
    closes_newcomers: date | None
    open_until: date | None
    cost: Cost | None
    not_stated: tuple[str, ...]
    loader: LoaderResult | None = None
    after: AfterConversion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderComparison:
    """The verdicts of several providers on the same files.

    *files* are the files as measured for the first provider that reads them; *urls* is the number of distinct
    web URLs of images; *today* is the date with which closing dates are compared, and *model* the model
    that was given.
    """

    files: tuple[FileResult, ...]
    providers: tuple[Compatibility, ...]
    depth: Depth
    offline: bool
    urls: int
    today: date
    with_loader: bool = False
    model: str | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return one line: pytest and notebooks show it."""
        verdicts = ", ".join(f"{one.id} {one.verdict}" for one in self.providers)
        return f"<ProviderComparison of {count(len(self.files), 'file')}: {verdicts}>"

    def __getitem__(self, provider: str) -> Compatibility:
        """Return the verdict of the provider with the id *provider*. Raises KeyError."""
        by_id: Mapping[str, Compatibility] = {one.id: one for one in self.providers}
        return by_id[provider]
