"""Types that all packages share: sources, findings, tallies, reports."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from typing import Any, Literal, NamedTuple, get_args

from pytest_vft.gaps import Cause
from pytest_vft.line_ranges import LineRanges
from pytest_vft.text import count

Scope = Literal["file", "line", "example", "message", "image", "dataset"]
Split = Literal["train", "validation", "test"]
Severity = Literal["error", "warning"]
Depth = Literal["auto", "header", "full"]
# What the failure of a rule means to a provider; "unknown" if only checking it would tell.
Effect = Literal["refuses", "loses", "unknown", "note", "nothing"]
# Whether faces were looked for; if not: no usable model, images not decoded, or no rule asks.
FaceSearch = Literal[
    "done", "in part", "no model", "unknown model", "unreadable model", "not decoded", "not selected"
]

SCOPES: tuple[Scope, ...] = get_args(Scope)
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
DEPTHS: tuple[Depth, ...] = get_args(Depth)
SPLITS: tuple[Split, ...] = get_args(Split)

_SHOWN_RULES = 3  # in the repr of a report


def render_by_name(function: str, record: object) -> Any:
    """Return what *function* of the package report makes of *record*; it is named "module:function".

    Records are below the reports that show them, and are made in runs that show none: hence by name.
    """
    module, _, name = function.partition(":")
    return getattr(import_module(f"pytest_vft.report.{module}"), name)(record)


class Verdict(enum.IntEnum):
    """Result of a rule on one subject."""

    PASS = 0
    FAIL = 1
    UNKNOWN = 2
    NOT_APPLICABLE = 3


class Source(NamedTuple):
    """A file to check: its path as the user wrote it, its split and its data format with the layout.

    *split_from_name* says that the split is that of the file name, because nothing else states one. *columns*
    are those of a table, whose rows are no examples in any data format.
    """

    path: str
    split: Split = "train"
    data_format: str = "openai"
    split_from_name: bool = False
    layout: Mapping[str, str] = {}
    columns: tuple[str, ...] = ()


class ExamplePlace(NamedTuple):
    """The place of an example: its file, its line, and its index if the file is a JSON array."""

    path: str
    line: int
    element: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A failed verdict and its place.

    *line* counts from 1 and is None for a finding on a whole file; *pointer* is a JSON pointer into the
    example ("" for the whole example) or, for *element* of a JSON array, counted from 0, into the array;
    *image* is the content hash of the image, if there is one; *example* is the content hash of the line or,
    for a rule on the dataset, of the content that recurs. *fix* names its repair, which may be *unsafe*.
    *box* is its place in the image as stored: left, top, width and height in pixels.
    """

    rule: str
    severity: Severity
    path: str
    line: int | None
    pointer: str
    message: str
    advice: str
    image: str | None = None
    skips: str | None = None
    example: str | None = None
    element: int | None = None
    first: ExamplePlace | None = None
    fix: str | None = None
    unsafe: bool = False
    box: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Number of subjects by verdict.

    *ignored* counts failures that the configuration ignores, *known* those that a baseline lists. *left_out*
    counts what could not be judged in files in which the rule is ignored.
    """

    passed: int = 0
    failed: int = 0
    unknown: int = 0
    not_applicable: int = 0
    ignored: int = 0
    known: int = 0
    left_out: int = 0

    @property
    def checked(self) -> int:
        """Number of subjects that the rule could judge."""
        return self.passed + self.failed + self.ignored + self.known

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})


class FileResult(NamedTuple):
    """Totals of one file.

    *examples* counts the lines that are not blank, *questions* those with a target turn, and *answered* those
    with an answer; *stopped_by* is the rule whose failure left the lines unread, or None; *unchecked_media*
    counts videos and audios, and *image_roots* are further roots; *compression* is "gzip", "Zstandard" or
    None, *bytes* the size of the text, and *is_sample* says that not all was read. *tallies* and *bad_lines*,
    the lines that fail a rule, are keyed by rule id; so are *severities* other than the run's, and *gaps*,
    the numbers of unknown verdicts by cause.
    """

    path: str
    split: Split
    bytes: int
    lines: int
    examples: int
    questions: int
    answered: int
    images: int
    distinct_images: int
    stopped_by: str | None
    tallies: Mapping[str, Tally]
    bad_lines: Mapping[str, LineRanges] = {}
    severities: Mapping[str, Severity] = {}
    gaps: Mapping[str, Mapping[Cause, int]] = {}
    data_format: str = "openai"
    layout: Mapping[str, str] = {}
    unchecked_media: int = 0
    image_roots: tuple[str, ...] = ()
    compression: str | None = None
    is_sample: bool = False


class RuleResult(NamedTuple):
    """Result of one rule in the whole run.

    *subject* is the noun for what the rule judges; *severity* is that after `severity` and `allow`. *gaps*
    counts unknown verdicts by cause; if *excused*, those on images whose pixels the depth leaves out fail
    nothing. *allowed* findings are tolerated; *reason* is why the rule is ignored. Others are its texts.
    """

    id: str
    subject: str
    severity: Severity
    tally: Tally
    truncated: int
    gaps: Mapping[Cause, int] = {}
    excused: bool = False
    allowed: int | None = None
    reason: str | None = None
    summary: str = ""
    why: str = ""
    advice: str = ""
    source: str = ""

    @property
    def has_gaps(self) -> bool:
        """Whether the rule left something unjudged that the depth of the run includes."""
        return self.tally.unknown > (self.gaps.get("header_only", 0) if self.excused else 0)


class UnsettledUrl(NamedTuple):
    """A URL that was not settled: the URL without secrets, why, and the paths and lines that contain it."""

    url: str
    cause: str
    places: tuple[tuple[str, int], ...]


class Cost(NamedTuple):
    """Estimated tokens and price of one epoch on all examples of the training split.

    *price* is in US dollars per million training tokens, as of *price_date*; both are None if unknown.
    *low_detail_at_least* and *low_detail_at_most* are the tokens if each image had detail low.
    """

    tokens_at_least: int
    tokens_at_most: int
    price: float | None
    price_date: date | None
    low_detail_at_least: int
    low_detail_at_most: int


class BaselineUse(NamedTuple):
    """A baseline in a run; *gone* maps file, rule and fingerprint to the number of findings that are gone."""

    path: str
    gone: Mapping[tuple[str, str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Result of one run; the input of every report format.

    *by_data_format* says that nothing but the data format states a provider; *model* is None if the provider
    accepts any model and none was named; *urls* is the number of distinct web URLs of images, *unsettled* are
    those without a conclusive answer, unless the run is offline; *known* are the findings that *baselines*
    list, which fail nothing; *cost* is None if there is nothing to train on, or if tokens are unknown.
    """

    provider: str
    provider_name: str
    closes: str | None
    model: str | None
    depth: Depth
    offline: bool
    fail_on: Severity
    require_checked: bool
    files: tuple[FileResult, ...]
    rules: tuple[RuleResult, ...]
    findings: tuple[Finding, ...]
    dataset: Mapping[str, Tally] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    urls: int = 0
    unsettled: tuple[UnsettledUrl, ...] = ()
    cost: Cost | None = None
    by_data_format: bool = False
    known: tuple[Finding, ...] = ()
    baselines: tuple[BaselineUse, ...] = ()
    faces: FaceSearch = "no model"

    def __repr__(self) -> str:
        """Return one line: pytest and notebooks show it, and a report may be megabytes long."""
        failing = [rule.id for rule in self.failing]
        more = ", ..." if len(failing) > _SHOWN_RULES else ""
        rules = f" ({', '.join(failing[:_SHOWN_RULES])}{more})" if failing else ""
        return (
            f"<Report of {count(len(self.files), 'file')} for provider {self.provider}: "
            f"{len(failing)} of {count(len(self.rules), 'rule')} failing{rules}, "
            f"{count(len(self.findings), 'finding')}>"
        )

    def _repr_html_(self) -> str:
        """Return the report as HTML, which notebooks show: the verdict, bars, rules and first findings."""
        html: str = render_by_name("html.notebook:report_fragment", self)
        return html

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data, with the keys of the format json."""
        data: dict[str, Any] = render_by_name("json:as_data", self)
        return data

    @property
    def sampled(self) -> int:
        """Number of examples that were read, if not all were; else 0."""
        return any(one.is_sample for one in self.files) and sum(file.examples for file in self.files)

    @property
    def failing(self) -> tuple[RuleResult, ...]:
        """The rules that fail the run."""
        return tuple(rule for rule in self.rules if self.fails(rule))

    @property
    def ok(self) -> bool:
        """Whether no rule fails the run."""
        return not self.failing

    def fails(self, rule: RuleResult) -> bool:
        """Return whether *rule* fails the run, according to `fail_on` and `require_checked`."""
        return self.fails_by_findings(rule) or (self.require_checked and rule.has_gaps)

    def fails_by_findings(self, rule: RuleResult) -> bool:
        """Return whether the findings of *rule* fail the run, according to `fail_on`."""
        return rule.tally.failed > 0 and (rule.severity == "error" or self.fail_on == "warning")
