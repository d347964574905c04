"""A whole run: files to shards, shards to counts and findings, all of it folded."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.compile import Verdicts
from pytest_vft.checking.dataset import recurring
from pytest_vft.checking.executors import ShardResult, Workers, lint_shards
from pytest_vft.checking.merging import Fetch, FileTotals, count_files
from pytest_vft.checking.shard import LintPlan, ShardLinter
from pytest_vft.checking.totals import ShardFinding, ShardTotals
from pytest_vft.facts.file import FileFacts
from pytest_vft.model import SCOPES, SPLITS, Cost, FileResult, Source, Tally, Verdict
from pytest_vft.reading.files import OpenedFile
from pytest_vft.reading.remote import ReadProgress
from pytest_vft.reading.shards import SHARD_BYTES, Shard


class PlacedFinding(NamedTuple):
    """A finding with its file; its line is None for a finding on all of it."""

    path: str
    found: ShardFinding


@dataclass(frozen=True, slots=True, kw_only=True)
class LintResult:
    """What a run over all files came to; *dropped* counts the findings that were not kept."""

    files: tuple[FileResult, ...]
    dataset: Mapping[str, Tally]
    findings: tuple[PlacedFinding, ...]
    dropped: Mapping[str, int]
    cost: Cost | None


def lint_files(  # noqa: PLR0913 - all by keyword, each with a default
    sources: Sequence[Source],
    plan: LintPlan,
    *,
    workers: Workers = lambda _: None,
    fetch: Fetch | None = None,
    remember: Callable[[ShardTotals], None] | None = None,
    watch: Callable[[ReadProgress], None] | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> LintResult:
    """Lint *sources* by *plan*; files that cannot be read are findings, not errors.

    Shards of about *shard_bytes* are linted by *workers*, by default in this process; the result depends
    on neither. *fetch* is called once for the URLs of images, if there are any; *remember*, with
    what a shard comes to, and *watch* after each shard. Raises LintError when a worker dies.
    """
    store = plan.image_store()

    def lint(shards: Sequence[Shard], plan: LintPlan) -> Iterator[ShardResult]:
        done, total = 0, sum(shard.end - shard.start for shard in shards)
        for shard, outcome in zip(shards, lint_shards(shards, plan, store, workers), strict=True):
            if remember and isinstance(outcome, ShardTotals):
                remember(outcome)
            done += shard.end - shard.start
            if watch:
                watch(ReadProgress(done, total))
            yield outcome

    ordered = sorted(sources, key=lambda source: SPLITS.index(source.split))
    with warnings.catch_warnings(action="ignore"):  # for all threads, which is why threads leave it alone
        files = count_files(ordered, plan, lint, fetch, shard_bytes)
    judge = ShardLinter(plan, store)
    for file in files:
        _judge_file(file, judge, plan)
    order = {source.path: number for number, source in enumerate(sources)}
    tallies, findings, dropped = _lint_dataset(files, judge, plan, order)
    for file in files:
        findings += [PlacedFinding(file.source.path, found) for found in file.counted.found]
        dropped += file.counted.dropped
    findings.sort(key=_reading_order(order))
    results = sorted((_result(file, plan) for file in files), key=lambda result: order[result.path])
    return LintResult(
        files=tuple(results),
        dataset=tallies,
        findings=tuple(findings),
        dropped=dropped,
        cost=_cost([file.counted for file in files if file.source.split == "train"], plan),
    )


def _cost(trained: Sequence[ShardTotals], plan: LintPlan) -> Cost | None:
    """Return the tokens of the files of the training split, without a price."""
    at_least = sum(file.tokens_at_least for file in trained)
    at_most = sum(file.tokens_at_most for file in trained)
    if not at_most or plan.image_tokens is None:
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


def _judge_file(file: FileTotals, judge: ShardLinter, plan: LintPlan) -> None:
    """Add what the rules on whole files say of *file*."""
    facts = _facts(file, skipping=any(rule.skips for rule in plan.rules))
    verdicts = judge.check("file", facts)
    file.counted.counts["file"] = Counter([verdicts])
    file.counted.found = [*judge.explain("file", verdicts, facts, file.source.path), *file.counted.found]
    file.stopped_by = _stopped_by(plan.rules_of("file"), verdicts, file.opened)


def _facts(file: FileTotals, *, skipping: bool) -> FileFacts:
    opened, counted = file.opened, file.counted
    read = opened.container == "JSONL"
    return {
        "split": file.source.split,
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


def _stopped_by(rules: Sequence[Rule], verdicts: Verdicts, opened: OpenedFile) -> str | None:
    if opened.container == "JSONL":
        return None
    failed = [r.id for r, verdict in zip(rules, verdicts, strict=True) if r.stops and verdict == Verdict.FAIL]
    return failed[0] if failed else f"it is {opened.container}"


def _result(file: FileTotals, plan: LintPlan) -> FileResult:
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
        distinct_images=len(file.counted.distinct_images),
        stopped_by=file.stopped_by,
        tallies=tallies,
    )


def _lint_dataset(
    files: Sequence[FileTotals], judge: ShardLinter, plan: LintPlan, order: Mapping[str, int]
) -> tuple[Mapping[str, Tally], list[PlacedFinding], Counter[str]]:
    rules = plan.rules_of("dataset")
    findings: list[PlacedFinding] = []
    tallies = {rule.id: Tally() for rule in rules}
    if not rules:
        return tallies, findings, Counter()
    for number, place, facts, key in recurring([(file.source, file.counted) for file in files]):
        path = place.source.path
        verdicts = judge.check("dataset", facts)
        found = judge.explain("dataset", verdicts, facts, path)
        findings += [
            PlacedFinding(path, one._replace(line=place.line, pointer=place.pointer, example=f"{key:032x}"))
            for one in found
        ]
        more = _tallies(rules, Counter({verdicts: number}), plan.ignored.get(path, frozenset()))
        for rule in rules:
            if rule.subject in (facts["of"], "dataset"):
                tallies[rule.id] += more[rule.id]
    counted, kept = ShardTotals(), []
    for placed in sorted(findings, key=_reading_order(order)):
        if counted.admit(placed.found.rule, plan.max_findings):
            counted.keep(placed.found)
            kept.append(placed)
    return tallies, kept, counted.dropped


def _reading_order(files: Mapping[str, int]) -> Callable[[PlacedFinding], tuple[int, int]]:
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
