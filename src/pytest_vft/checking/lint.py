"""A whole run: files to shards, shards to counts and findings, all of it folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.compile import Verdicts
from pytest_vft.checking.dataset import recurring
from pytest_vft.checking.shard import Counted, Found, Linter, Plan, cap, merge
from pytest_vft.facts.file import FileFacts
from pytest_vft.model import SCOPES, SPLITS, Cost, FileResult, Source, Tally, Verdict
from pytest_vft.reading.album import Album
from pytest_vft.reading.files import BYTE_ORDER_MARK, Opened, open_file
from pytest_vft.reading.shards import SHARD_BYTES, cut_shards


class Placed(NamedTuple):
    """A finding with its file; its line is None for a finding on all of it."""

    path: str
    found: Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What a run over all files came to.

    *dropped* counts the findings that were not kept, *links* the images behind web addresses.
    """

    files: tuple[FileResult, ...]
    dataset: Mapping[str, Tally]
    findings: tuple[Placed, ...]
    dropped: Mapping[str, int]
    cost: Cost | None
    links: int


class _File(NamedTuple):
    source: Source
    opened: Opened
    counted: Counted
    stopped_by: str | None


def lint_files(
    sources: Sequence[Source], plan: Plan, *, shard_bytes: int = SHARD_BYTES, album: Album | None = None
) -> Linted:
    """Lint *sources* by *plan*; files that cannot be read are findings, not errors.

    Pictures that are in *album* already are not measured again. The result depends neither on it nor
    on *shard_bytes*.
    """
    linter = Linter(plan, album)
    ordered = sorted(sources, key=lambda source: SPLITS.index(source.split))
    files = [_lint_file(source, linter, plan, shard_bytes) for source in ordered]
    order = {source.path: number for number, source in enumerate(sources)}
    tallies, findings, dropped = _lint_dataset(files, linter, plan, order)
    for file in files:
        findings += [Placed(file.source.path, found) for found in file.counted.found]
        dropped += file.counted.dropped
    findings.sort(key=_reading_order(order))
    results = sorted((_result(file, plan) for file in files), key=lambda result: order[result.path])
    return Linted(
        files=tuple(results),
        dataset=tallies,
        findings=tuple(findings),
        dropped=dropped,
        cost=_cost([file.counted for file in files if file.source.split == "train"], plan),
        links=sum(file.counted.links for file in files),
    )


def _cost(trained: Sequence[Counted], plan: Plan) -> Cost | None:
    """Return the tokens of the files of the training split, without a price."""
    at_least = sum(file.tokens_at_least for file in trained)
    at_most = sum(file.tokens_at_most for file in trained)
    if not at_most:
        return None
    low_at_least, low_at_most = at_least, at_most
    low = plan.image_tokens.low_detail
    if low is not None:
        images = sum(file.images for file in trained) * low
        low_at_least += images - sum(file.image_tokens_at_least for file in trained)
        low_at_most += images - sum(file.image_tokens_at_most for file in trained)
    return Cost(
        tokens_at_least=at_least,
        tokens_at_most=at_most,
        price=None,
        price_date=None,
        low_detail_at_least=low_at_least,
        low_detail_at_most=low_at_most,
    )


def _lint_file(source: Source, linter: Linter, plan: Plan, shard_bytes: int) -> _File:
    opened = open_file(source.path)
    counted = Counted()
    if opened.container == "JSONL":
        start = len(BYTE_ORDER_MARK) if opened.byte_order_mark else 0
        try:
            shards = cut_shards(source.path, source.split, start, opened.bytes, shard_bytes)
            counted = reduce(
                lambda first, second: merge(first, second, plan.max_findings),
                map(linter.lint, shards),
                counted,
            )
        except OSError as error:  # it was readable a moment ago
            opened = Opened(opened.bytes, "unreadable", False, error.strerror or type(error).__name__)
    facts = _facts(source, opened, counted, skipping=any(rule.skips for rule in plan.rules))
    verdicts = linter.check("file", facts)
    counted.counts["file"] = Counter([verdicts])
    counted.found = [*linter.explain("file", verdicts, facts, source.path), *counted.found]
    return _File(source, opened, counted, _stopped_by(plan.rules_of("file"), verdicts, opened))


def _facts(source: Source, opened: Opened, counted: Counted, *, skipping: bool) -> FileFacts:
    read = opened.container == "JSONL"
    return {
        "split": source.split,
        "bytes": opened.bytes,
        "readable": opened.error is None,
        "read_error": opened.error,
        "container": opened.container,
        "byte_order_mark": opened.byte_order_mark,
        "examples": counted.examples if read else None,
        "image_examples": counted.image_examples if read else None,
        "images": counted.images if read else None,
        "skipped_examples": counted.skipped if read and skipping else None,
    }


def _stopped_by(rules: Sequence[Rule], verdicts: Verdicts, opened: Opened) -> str | None:
    if opened.container == "JSONL":
        return None
    failed = [r.id for r, verdict in zip(rules, verdicts, strict=True) if r.stops and verdict == Verdict.FAIL]
    return failed[0] if failed else f"it is {opened.container}"


def _result(file: _File, plan: Plan) -> FileResult:
    ignored = plan.ignored.get(file.source.path, frozenset())
    tallies: dict[str, Tally] = {}
    for scope in SCOPES:
        if scope != "dataset":
            counts = file.counted.counts.get(scope, Counter())
            tallies.update(_tallies(plan.rules_of(scope), counts, ignored))
    return FileResult(
        path=file.source.path,
        split=file.source.split,
        bytes=file.opened.bytes,
        lines=file.counted.lines,
        examples=file.counted.examples,
        answered=file.counted.answered,
        images=file.counted.images,
        distinct_images=len(file.counted.pictures),
        stopped_by=file.stopped_by,
        tallies=tallies,
    )


def _lint_dataset(
    files: Sequence[_File], linter: Linter, plan: Plan, order: Mapping[str, int]
) -> tuple[Mapping[str, Tally], list[Placed], Counter[str]]:
    rules = plan.rules_of("dataset")
    findings: list[Placed] = []
    tallies = {rule.id: Tally() for rule in rules}
    if not rules:
        return tallies, findings, Counter()
    for number, place, facts, key in recurring([(file.source, file.counted) for file in files]):
        path = place.source.path
        verdicts = linter.check("dataset", facts)
        found = linter.explain("dataset", verdicts, facts, path)
        findings += [
            Placed(path, one._replace(line=place.line, pointer=place.pointer, example=f"{key:032x}"))
            for one in found
        ]
        counted = _tallies(rules, Counter({verdicts: number}), plan.ignored.get(path, frozenset()))
        for rule in rules:
            if rule.subject in (facts["of"], "dataset"):
                tallies[rule.id] += counted[rule.id]
    findings.sort(key=_reading_order(order))
    kept, dropped = cap(findings, lambda placed: placed.found.rule, plan.max_findings)
    return tallies, kept, dropped


def _reading_order(files: Mapping[str, int]) -> Callable[[Placed], tuple[int, int]]:
    """Return the key that sorts findings as a reader of *files*, by their numbers, meets them."""
    return lambda placed: (files[placed.path], placed.found.line or 0)


def _tallies(rules: Sequence[Rule], counts: Counter[Verdicts], ignored: frozenset[str]) -> dict[str, Tally]:
    """Return what *counts*, of tuples with a verdict for each of *rules*, say of each rule."""
    tallies = {}
    for position, rule in enumerate(rules):
        by_verdict: Counter[int] = Counter()
        for verdicts, number in counts.items():
            by_verdict[verdicts[position]] += number
        failed = by_verdict[Verdict.FAIL]
        tallies[rule.id] = Tally(
            passed=by_verdict[Verdict.PASS],
            failed=0 if rule.id in ignored else failed,
            unknown=by_verdict[Verdict.UNKNOWN],
            not_applicable=by_verdict[Verdict.NOT_APPLICABLE],
            ignored=failed if rule.id in ignored else 0,
        )
    return tallies
