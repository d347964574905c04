"""The benchmarks run on tiny data; their figures are not compared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_vft import lint, write_jsonl

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

FAULTS = {
    "example/unknown-key",
    "image/invalid-detail",
    "image/nonstandard-media-type",
    "image/private-metadata",
    "image/rotated-by-exif",
    "image/unsupported-mode",
    "message/empty-content",
}
FOUND = {"faulty": FAULTS, "damaged": {"image/truncated"}}
KINDS = {
    "unique": (10, 10),
    "distinct": (10, 10),
    "exif": (10, 10),
    "png": (10, 10),
    "webp": (10, 10),
    "small": (10, 10),
    "large": (10, 10),
    "few-shot": (70, 16),
    "urls": (10, 10),
    "faulty": (10, 10),
    "damaged": (10, 10),
}
ROWS = [
    "header",
    "header-jobs",
    "full",
    "full-jobs",
    "gzip",
    "zstd",
    "fix",
    "providers",
    "looks",
    "warm",
    "few-shot",
    "growth",
    "memory",
    "memory-large",
    "memory-faulty",
    "page",
    "pytest",
    "xdist",
    "idle",
    "help",
    "start",
    "build",
    "build-jobs",
    "build-memory",
    "convert",
    "convert-jobs",
    "convert-check",
    "score",
]


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.mark.parametrize("kind", KINDS)
def test_data_are_what_they_say(kind: str, tmp_path: Path) -> None:
    import make_data  # noqa: PLC0415 - a script, found by the fixture

    assert list(make_data.KINDS) == list(KINDS)
    write_jsonl(tmp_path / "data.jsonl", make_data.KINDS[kind](10))

    report = lint(tmp_path / "data.jsonl", depth="full", cache=False)

    assert (report.files[0].images, report.files[0].distinct_images) == KINDS[kind]
    assert {one.rule for one in report.findings} == FOUND.get(kind, set())
    assert len(report.findings) == {"faulty": 70, "damaged": 1}.get(kind, 0)
    assert list(make_data.KINDS[kind](2)) == list(make_data.KINDS[kind](2))


def test_every_comparison_runs_and_prints_its_row(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "compare.py", "--examples=10", "--runs=1", f"--data={tmp_path}"],
        capture_output=True,
        text=True,
        check=True,
    )

    head, line, *rows = [row.strip("| ").split(" | ") for row in done.stdout.splitlines()]
    assert len(head) == len(line)
    assert [row[0] for row in rows] == ROWS
    assert {len(row) for row in rows} == {len(head)}


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        ('print(\'{"seconds": 1, "result": 11}\')', "header: not the same work: 1.1, 1.0"),
        ('print(\'{"seconds": 1, "result": 0}\')', r"failed \(0\)"),
        ("print(10 / 0)", r"failed \(1\)(?s:.)*ZeroDivisionError"),
    ],
)
def test_sides_that_did_not_do_the_same_are_not_compared(
    program: str, complaint: str, tmp_path: Path
) -> None:
    import compare  # noqa: PLC0415 - as above

    bench = compare.Bench(tmp_path, tmp_path, "small")
    comparison: Any = compare.COMPARISONS[0]
    other = compare.replace(
        comparison, floor=[(sys.executable, "-c", program, compare.DATA)], examples=10, runs=1
    )

    with pytest.raises(SystemExit, match=complaint):
        compare.compare(other, bench)


def test_every_stage_of_linting_runs(tmp_path: Path) -> None:
    import make_data  # noqa: PLC0415 - as above
    import stages  # noqa: PLC0415 - as above

    write_jsonl(tmp_path / "data.jsonl", make_data.KINDS["small"](10))
    for stage in stages.STAGES:
        stages.work(str(tmp_path / "data.jsonl"), stage)


def test_reading_of_object_storage_is_measured(tmp_path: Path) -> None:
    import make_data  # noqa: PLC0415 - as above

    write_jsonl(tmp_path / "data.jsonl", make_data.KINDS["small"](10))
    command = [
        sys.executable,
        str(BENCHMARKS / "object_storage.py"),
        str(tmp_path / "data.jsonl"),
        "--times=1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [row.split(" | ")[0] for row in done.stdout.splitlines()[2:]] == ["| full", "| header"]


def test_growth_is_measured() -> None:
    command = [sys.executable, str(BENCHMARKS / "scale.py"), "--examples=10", "--files=10", "--keys=5000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [row.split(" | ")[0] for row in done.stdout.splitlines()[2:]]
    assert rows == [
        "| examples in one file",
        "| files of one example",
        "| keys, Counter",
        "| keys, with numpy",
        "| keys, without numpy",
    ]
