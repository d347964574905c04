"""Results of all files of a run, from their totals: verdicts on files and the dataset, counts, findings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, cast

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.compile import Verdicts
from pytest_vft.checking.dataset import recurring
from pytest_vft.checking.judge import FAIL, RuleJudge, Subject
from pytest_vft.checking.looks import UNKNOWN
from pytest_vft.checking.measuring import compared_kinds, needs_pixels
from pytest_vft.checking.merging import NOTHING, FileTotals
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.recurrences import judge_dataset, keep_recurrences, line_of
from pytest_vft.checking.tallies import TallyMaker, gaps_by_rule
from pytest_vft.checking.totals import ShardFinding, ShardTotals
from pytest_vft.facts.file import FileFacts
from pytest_vft.facts.first_keys import key_facts, missing_columns
from pytest_vft.facts.table import table_facts
from pytest_vft.facts.tokens import ImageTokens
from pytest_vft.gaps import Cause, Gaps
from pytest_vft.line_ranges import LineRanges, union
from pytest_vft.model import Cost, FileResult, Source, Split, Tally
from pytest_vft.reading.files import BYTE_ORDER_MARK


class PlacedFinding(NamedTuple):
    """A finding with the path of its file."""

    path: str
    found: ShardFinding


class _Judged(NamedTuple):
    """The verdicts of the rules of scope file on a file, and their findings."""

    verdicts: Verdicts
    findings: tuple[ShardFinding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LintResult:
    """The result for all files.

    By rule, *tallies* are those of all files together, *dropped* counts findings that were not kept, and
    *folders* are the common folders of paths that fail. *gaps* counts unknown verdicts by cause and rule.
    *urls* is the number of distinct web URLs of images, and *unsettled* maps those that were fetched without
    a result to their paths and lines.
    """

    files: tuple[FileResult, ...]
    tallies: Mapping[str, Tally]
    dataset: Mapping[str, Tally]
    findings: tuple[PlacedFinding, ...]
    dropped: Mapping[str, int]
    gaps: Gaps
    folders: Mapping[str, str]
    cost: Cost | None
    urls: int
    unsettled: Mapping[str, Sequence[tuple[str, int]]]


# Facts of a file that do not count its examples.
_OF_A_SAMPLE = {
    "split",
    "bytes",
    "readable",
    "read_error",
    "container",
    "compression",
    "columns",
    "build_options",
    "byte_order_mark",
    "formatting",
}


def judge_files(
    sources: Sequence[Source], files: Sequence[FileTotals], plan: LintPlan, *, keep: bool = False
) -> LintResult:
    """Return the result for *files*, the measured *sources*, by the rules of *plan* on files and the dataset.

    Unless the totals are to *keep*, a file has none any more once its result is made.
    """
    judge = RuleJudge(plan)
    skipping = [rule for rules in judge.rules.values() for rule in rules if rule.skips and plan.counts_skips]
    in_order = sorted(files, key=lambda file: file.number)
    shared: dict[_Judged, _Judged] = {}  # few files differ
    own = [
        shared.setdefault(judged, judged)
        for judged in (_judge_file(file, judge, skipping) for file in in_order)
    ]
    subjects = recurring(files)
    gaps = _summed(file.gaps for file in files)
    any_sample = any(file.is_sample for file in files)
    uncompared: dict[str, Counter[Cause]] = {}
    if kinds := compared_kinds(plan.rules, sources):
        from pytest_vft.checking.alike import compare_images  # noqa: PLC0415 - for several splits, or if asked

        alike = compare_images(files, kinds, decoded=plan.full)
        subjects = chain(subjects, alike.subjects)
        undecoded = _undecoded(files)
        for kind in kinds:
            more: Mapping[Cause, int] = {
                "partly_compared": alike.partly[kind],
                "uncompared": alike.uncompared,
            }
            uncompared[kind] = undecoded + Counter(more)
    tallies, recurrences = judge_dataset(files, judge, subjects)
    for rule in judge.rules["dataset"] if not any_sample else ():
        if rule.subject == "linked image":
            gaps["unfetched", rule.id] = tallies[rule.id].unknown
        elif not plan.full and needs_pixels(rule):
            gaps["header_only", rule.id] = tallies[rule.id].unknown
        elif "similar" in rule.tested and tallies[rule.id].unknown:
            gaps.update(
                {(cause, rule.id): number for cause, number in uncompared.get(rule.subject, {}).items()}
            )
    again, dropped = keep_recurrences(recurrences, plan.max_findings)
    for file in files:
        dropped.update(file.totals.dropped)
    trained = [file.totals for file in files if file.source.split == "train"]
    cost = _cost(trained, plan.image_tokens) if plan.image_tokens and not any_sample else None
    del trained
    folders = _folders(files)
    urls = len({url for file in files for url in file.totals.urls})
    unsettled = _unsettled(in_order)
    maker = TallyMaker(judge.rules)
    results: list[FileResult] = []
    findings: list[PlacedFinding] = []
    for file, judged in zip(in_order, own, strict=True):
        found = [*again.get(file.number, ()), *judged.findings, *file.totals.findings]
        found.sort(key=line_of)
        findings += [PlacedFinding(file.source.path, file.located(one)) for one in found]
        results.append(_result(file, judged.verdicts, maker))
        if not keep:
            file.totals = NOTHING
    return LintResult(
        files=tuple(results),
        tallies=maker.sums(),
        dataset=tallies,
        findings=tuple(findings),
        dropped=dropped,
        gaps=gaps,
        folders=folders,
        cost=cost,
        urls=urls,
        unsettled=unsettled,
    )


def _summed(counters: Iterable[Gaps]) -> Counter[tuple[Cause, str]]:
    total: Counter[tuple[Cause, str]] = Counter()
    for counter in filter(None, counters):
        total.update(counter)
    return total


def _undecoded(files: Sequence[FileTotals]) -> Counter[Cause]:
    """Return the numbers of images of each split without a fingerprint in any of its *files*, by cause."""
    causes: dict[Split, dict[int, Cause]] = {}
    for file in files:
        for key, cause in file.totals.looks.unknown().items():
            causes.setdefault(file.source.split, {}).setdefault(key, cause)
    for file in files if causes else ():
        unknown = causes.get(file.source.split, {})
        for _, key, state in file.totals.looks.states() if unknown else ():
            if state < UNKNOWN:
                unknown.pop(key, None)
    return Counter(cause for unknown in causes.values() for cause in unknown.values())


def _folders(files: Sequence[FileTotals]) -> Mapping[str, str]:
    totals = ShardTotals()
    for file in files:
        for rule, folder in file.totals.folders.items():
            totals.see_folder(rule, folder)
    return totals.folders


def _unsettled(files: Sequence[FileTotals]) -> Mapping[str, Sequence[tuple[str, int]]]:
    """Return the paths and lines of each URL in *files* that was fetched without a result."""
    places: defaultdict[str, dict[tuple[str, int], None]] = defaultdict(dict)
    for file in files:
        for entry, url in file.totals.unsettled:
            places[url][file.source.path, file.line(entry)] = None
    return {url: tuple(lines) for url, lines in places.items()}


def _cost(trained: Sequence[ShardTotals], image_tokens: ImageTokens) -> Cost | None:
    """Return the tokens of *trained*, without a price; None if no example could be read."""
    at_least = sum(file.tokens_at_least for file in trained)
    at_most = sum(file.tokens_at_most for file in trained)
    if not at_least:  # what only looks like examples, such as requests, has no text that is surely trained on
        return None
    low_at_least, low_at_most = at_least, at_most
    if image_tokens.low_detail is not None:
        images = sum(file.images for file in trained) * image_tokens.low_detail
        low_at_least += images - sum(file.image_tokens_at_least for file in trained)
        low_at_most += images - sum(file.image_tokens_at_most for file in trained)
    return Cost(at_least, at_most, None, None, low_at_least, low_at_most)


def _judge_file(file: FileTotals, judge: RuleJudge, skipping: Sequence[Rule]) -> _Judged:
    """Return the verdicts of the rules of scope file on *file*, with their findings.

    If the file is not read, the reason is set. See _facts() for *skipping*.
    """
    facts = _facts(file, skipping)
    verdicts = judge.checks_for(file.source.data_format)["file"](facts)
    found = judge.findings(verdicts, Subject("file", facts), file.ignored)
    if not file.is_read:
        by_rule = zip(judge.rules["file"], verdicts, strict=True)
        failed = (rule.id for rule, verdict in by_rule if rule.stops and verdict == FAIL)
        file.stopped_by = next(failed, f"it is {file.opened.container}")
    return _Judged(verdicts, tuple(found))


def _facts(file: FileTotals, skipping: Sequence[Rule]) -> FileFacts:
    """Return the facts of *file*, which skips the examples that fail one of the rules *skipping*."""
    opened, totals = file.opened, file.totals
    read = file.is_read
    skipped, at_most = skipped_lines(totals.bad_lines, skipping)
    facts: FileFacts = {
        "split": file.source.split,
        "bytes": file.bytes,
        "readable": opened.error is None,
        "read_error": opened.error,
        "container": opened.container,
        "compression": opened.compression.name if opened.compression else "none",
        **table_facts(file.source.columns),
        "byte_order_mark": opened.byte_order_mark,
        "examples": totals.examples if read else None,
        "image_examples": totals.image_examples if read else None,
        "images": totals.images if read else None,
        "skipped_examples": skipped if read and skipping else None,
        "predicted_skips": f", up to {at_most:,} if people are counted" if at_most > skipped else "",
        "pictured_examples": totals.pictured,
        "imageless_examples": totals.imageless if totals.image_examples else 0,
        "systemless_examples": totals.systemless if totals.with_system else 0,
        "missing_columns": missing_columns(totals.first_keys, file.source.layout),
        "formatting": file.source.layout.get("formatting", ""),
        **key_facts(totals.first_keys, len(BYTE_ORDER_MARK) if opened.byte_order_mark else 0),
    }
    if file.is_sample:  # what counts all examples is not known
        known = _OF_A_SAMPLE - ({"bytes"} if opened.compression else set())
        return cast("FileFacts", {name: value if name in known else None for name, value in facts.items()})
    return facts


def skipped_lines(bad_lines: Mapping[str, LineRanges], rules: Iterable[Rule]) -> tuple[int, int]:
    """Return how many lines with images the provider skips for sure, and how many at most.

    *rules* have skip reasons; those whose effect is unknown only predict what the provider does.
    """
    if not bad_lines:
        return 0, 0
    failed = [(rule.effect, bad_lines[rule.id]) for rule in rules if rule.id in bad_lines]
    sure = union(ranges for effect, ranges in failed if effect != "unknown")
    return len(sure), len(union(ranges for _, ranges in failed))


def _result(file: FileTotals, own: Verdicts, maker: TallyMaker) -> FileResult:
    return FileResult(
        path=file.source.path,
        split=file.source.split,
        bytes=file.bytes,
        lines=file.lines,
        examples=file.totals.examples,
        questions=len(file.totals.turns),
        answered=file.totals.answered,
        images=file.totals.images,
        distinct_images=len(file.totals.image_keys),
        stopped_by=file.stopped_by,
        tallies=maker.add(file.totals.counts, own, file.ignored),
        bad_lines=file.bad_lines(),
        data_format=file.source.data_format,
        layout=file.source.layout,
        unchecked_media=file.totals.unchecked_media,
        image_roots=file.image_roots,
        compression=file.opened.compression.name if file.opened.compression else None,
        is_sample=file.is_sample,
        gaps=gaps_by_rule(file.gaps),
    )
