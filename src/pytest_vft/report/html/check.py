"""The page about a check: verdict, files, rules, and the examples that fail each rule."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from pytest_vft.line_ranges import LineRanges, union
from pytest_vft.model import FileResult, Report
from pytest_vft.reading.files import ARRAY, open_file
from pytest_vft.report.html.album import Album
from pytest_vft.report.html.bars import BarPart, bar
from pytest_vft.report.html.cards import Card, CardMaker, example_cards, galleries
from pytest_vft.report.html.page import Page
from pytest_vft.report.layout import Display
from pytest_vft.report.people import people_line
from pytest_vft.report.text import data_format, text_examples, text_size, unknown_lines
from pytest_vft.report.unsettled import cause_and_lines, unsettled_lines
from pytest_vft.report.verdict import bad_lines, verdict
from pytest_vft.text import count

_MOST_FILES = 500
_MOST_NOTES = 100


class FileRow(NamedTuple):
    """A file with its totals; *stopped_by* is why it was not read."""

    path: str
    details: str
    stopped_by: str | None
    bar: tuple[BarPart, ...]


def check_page(report: Report, display: Display) -> Page:
    """Return the page about *report*. Examples are read again from the files that were checked."""
    album = Album(enabled=display.images)
    word, _, sentence = verdict(report).partition("  ")
    sample = " (a sample)" if report.sampled else ""
    maker = CardMaker(album)
    found = galleries(report, maker)
    good = list(_good_cards(report, display.good_examples, maker))
    names = [file.path for file in report.files]
    return Page(
        "check.html",
        {
            "title": f"{word}{sample}: {', '.join(names[:2])}{' ...' if len(names) > 2 else ''}",  # noqa: PLR2004 - a title is short
            "word": word,
            "sentence": sentence.replace("[*] ", ""),  # a mark of the report for terminals
            "ok": report.ok,
            "provider": report.provider_name,
            "files": [file_row(report, file) for file in report.files[:_MOST_FILES]],
            "more_files": len(report.files[_MOST_FILES:]),
            "splits": list(dict.fromkeys(file.split for file in report.files)),
            "galleries": found,
            "good_cards": good,
            "not_checked": list(islice(not_checked(report), _MOST_NOTES)),
            "notes": report.notes[:_MOST_NOTES],
            "settings": list(_settings(report)),
            "rules": report.rules,
        },
        album.thumbnails,
        len(found),
    )


def file_row(report: Report, file: FileResult) -> FileRow:
    """Return *file* of *report* with a bar of its lines."""
    bad = bad_lines(report, file, "error")
    failed = {rule.id for rule in report.rules if rule.tally.failed}
    any_bad = len(union(ranges for rule, ranges in file.bad_lines.items() if rule in failed))
    warned = max(any_bad - bad, 0)
    images = count(file.images, "image")
    if file.distinct_images < file.images:
        images += f" ({file.distinct_images:,} distinct)"
    details = f"{data_format(file)}{file.split}, {text_examples(file)}, {images}, {text_size(file)}"
    good = max(file.lines - any_bad, 0)
    return FileRow(file.path, details, file.stopped_by, bar(good=good, warned=warned, bad=bad))


def _good_cards(report: Report, number: int, maker: CardMaker) -> Iterator[Card]:
    """Yield cards of *number* examples without findings, spread over each file."""
    for file in report.files:
        bad = union(file.bad_lines.values())
        wanted = _spread(file, bad, number)
        for card in example_cards(file, dict.fromkeys(wanted, ()), maker):
            if not any(first <= card.sides[0].example.line <= last for first, last in bad):
                yield card


def _spread(file: FileResult, bad: LineRanges, number: int) -> Sequence[int]:
    """Return the numbers of *number* entries of *file* at equal distances, lines in *bad* left out."""
    if open_file(file.path).container == ARRAY:  # whose lines are not its entries
        good, total = [(1, file.examples)], file.examples
    else:
        good, total = list(_between(bad, file.lines)), file.lines - len(bad)
    chosen: list[int] = []
    targets = deque(dict.fromkeys(total * n // number for n in range(number)) if total > 0 else ())
    before = 0
    for first, last in good:
        while targets and first + targets[0] - before <= last:
            chosen.append(first + targets.popleft() - before)
        before += last - first + 1
    return chosen


def _between(bad: LineRanges, lines: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of *lines* lines that are not in *bad*."""
    start = 1
    for first, last in bad:
        if start < first:
            yield start, first - 1
        start = last + 1
    if start <= lines:
        yield start, lines


def not_checked(report: Report) -> Iterator[str]:
    """Yield what *report* does not say anything about, and why."""
    for group in unsettled_lines(report):
        yield f"{group.path}: {cause_and_lines(group)}"
    yield from (line.removeprefix("not checked: ") for line in unknown_lines(report))
    for rule in report.rules:
        if rule.reason is not None:
            yield f"{rule.id} is ignored: {rule.reason}"
    yield people_line(report.faces).removeprefix("not checked: ")


def _settings(report: Report) -> Iterator[tuple[str, Any]]:
    yield "provider", report.provider_name + (" (from the data format)" if report.by_data_format else "")
    if report.closes:
        yield "fine-tuning closes", report.closes
    if report.model:
        yield "model", report.model
    yield "depth", report.depth
    if report.urls:
        yield "network", "offline" if report.offline else "on"
    yield "fails on", report.fail_on
