"""Several examples of a file: a range, a sample, or those on which rules fail."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pytest_vft.errors import UsageError
from pytest_vft.model import Finding
from pytest_vft.report.example import ExampleView
from pytest_vft.report.reread import entry_number
from pytest_vft.runs.example_file import ExampleFile
from pytest_vft.runs.run import run
from pytest_vft.text import count

_SEED = 0  # so that a sample is the same each time
MOST_FAILING = 100  # examples on which rules fail


class Extent(NamedTuple):
    """Lines *first* to *last*, from 1, or elements of an array, from 0 (*are_elements*)."""

    first: int
    last: int
    are_elements: bool = False


class Choice(NamedTuple):
    """Numbers of entries, with their findings if these are known, and how many other entries are left out."""

    findings: Mapping[int, Sequence[Finding] | None]
    left_out: int = 0


def in_extent(file: ExampleFile, extent: Extent) -> Choice:
    """Return the entries of *file* in *extent*. Raises UsageError if there are none."""
    if extent.are_elements and not file.in_array:
        raise UsageError(f"{file.path}: is not a JSON array; expected FILE:LINE-LINE, as in train.jsonl:1-50")
    chosen: dict[int, None] = {}
    last = 0
    for number, entry in enumerate(file.entries(), 1):
        last = number - 1 if extent.are_elements else entry.line
        if last > extent.last:
            break
        if last >= extent.first:
            chosen[number] = None
    if not chosen:
        noun = "element" if extent.are_elements else "line"
        raise UsageError(f"{file.path}: no {noun} {extent.first:,}; the last {noun} is {last:,}")
    return Choice(chosen)


def failing(file: ExampleFile) -> Choice:
    """Return the first entries of *file* on which a rule of its settings fails; URLs are not fetched."""
    network = replace(file.settings.network, offline=True)
    report = run(replace(file.settings, network=network))
    findings: defaultdict[int, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        if finding.line is not None:
            findings[entry_number(finding.line, finding.element)].append(finding)
    shown = dict(sorted(findings.items())[:MOST_FAILING])
    return Choice(shown, len(findings) - len(shown))


def sampled(file: ExampleFile, choice: Choice | None, number: int) -> Choice:
    """Return *number* entries of *choice*, by default of all entries of *file*, drawn at random."""
    among = list(choice.findings) if choice else range(1, sum(1 for _ in file.entries()) + 1)
    drawn = random.Random(_SEED).sample(among, min(number, len(among)))  # noqa: S311 - not a secret
    known = choice.findings if choice else {}
    return Choice({one: known.get(one) for one in sorted(drawn)})


def views(file: ExampleFile, choice: Choice) -> Iterator[ExampleView]:
    """Yield the entries of *choice*. Raises UsageError for an entry that is too long to be read."""
    last = max(choice.findings, default=0)
    for number, entry in enumerate(file.entries(), 1):
        if number > last:
            return
        if number in choice.findings:
            yield file.view(entry, choice.findings[number])


def left_out_words(choice: Choice) -> str:
    """Return how many entries are left out, "" if none are."""
    return f"{count(choice.left_out, 'more example')} left out" if choice.left_out else ""
