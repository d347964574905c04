"""Datasets of many files: what the text report shows, and what files share."""

from __future__ import annotations

from copy import deepcopy

import pytest

from pytest_vft import Report, build_example, lint, write_jsonl
from pytest_vft.report.layout import Display
from pytest_vft.report.text import render_text


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return the report on 120 files of ten examples, of which the third has a blank line."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(120):
        examples = [
            build_example(f"What is {number} times {other}?", str(number * other)) for other in range(10)
        ]
        write_jsonl(folder / f"{'test' if number > 110 else 'part'}-{number:03}.jsonl", examples)
    faulty = folder / "part-002.jsonl"
    faulty.write_text(faulty.read_text() + "\n")
    return lint(folder, offline=True, cache=False)


def test_totals_and_files_with_findings_are_shown(report: Report) -> None:
    lines = render_text(report, Display(width=300)).splitlines()
    assert lines[1].startswith("111 files  train, 1,110 examples, 0 images, ")
    assert lines[2].startswith("9 files  test, 90 examples, 0 images, ")
    named = [line for line in lines if ".jsonl  " in line]
    assert len(named) == 1
    assert "part-002.jsonl  train, 10 examples" in named[0]


def test_tallies_of_files_add_up_to_those_of_rules(report: Report) -> None:
    for rule in report.rules:
        tallies = [file.tallies[rule.id] for file in report.files if rule.id in file.tallies]
        assert not tallies or sum(tally.checked for tally in tallies) == rule.tally.checked, rule.id
    first, other = report.files[0].tallies, report.files[1].tallies
    assert first == other == dict(first.items())
    assert first.counts is other.counts
    assert deepcopy(report).files == report.files
