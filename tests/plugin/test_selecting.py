"""Pytest's own ways of choosing items work on ours, and decide what is linted."""

from __future__ import annotations

import json

import pytest

from .project import ONE_RULE, Project

DATA = ("--vft-data=train.jsonl", ONE_RULE)


def test_collecting_reads_no_data(project: Project) -> None:
    project.write()
    project.count_lints()

    result = project.run_apart("--collect-only", *DATA)

    result.stdout.fnmatch_lines(["*<RuleItem image/unsupported-mode>*"])
    assert project.lints == 0


def test_all_items_share_one_lint(project: Project) -> None:
    project.write("train.jsonl")
    project.write("held-out.jsonl")
    project.count_lints()

    result = project.run_apart("--vft-data=train.jsonl", "--vft-validation-data=held-out.jsonl")

    assert result.ret == pytest.ExitCode.OK
    assert project.lints == 1


@pytest.mark.parametrize(
    "choice",
    [
        ["-k", "unsupported-mode"],
        ["-k", "image/unsupported-mode and not file"],
        ["--deselect=train.jsonl::file"],
        [
            f"--deselect=train.jsonl::file/{name}"
            for name in ("git-lfs-pointer", "no-data-format", "not-jsonl", "unreadable")
        ],
    ],
)
def test_keywords_and_deselection_leave_the_rest(project: Project, choice: list[str]) -> None:
    project.write(grey=[1])

    project.run(*DATA, *choice).assert_outcomes(failed=1, deselected=4)


def test_only_what_is_left_is_linted(project: Project) -> None:
    project.write("train.jsonl")
    project.write("held-out.jsonl")

    project.run(
        "--vft-data=train.jsonl",
        "--vft-validation-data=held-out.jsonl",
        "--vft-report=json:report.json",
        "--deselect=held-out.jsonl",
        "-k",
        "unsupported-mode",
    )

    report = json.loads((project.folder / "report.json").read_bytes())
    assert [file["path"] for file in report["files"]] == ["train.jsonl"]
    assert [rule["id"] for rule in report["rules"] if rule["id"].startswith("image/")] == [
        "image/unsupported-mode"
    ]


@pytest.mark.parametrize(("marker", "passed"), [("vft", 5), ("not vft", 1)])
def test_items_carry_our_marker(project: Project, marker: str, passed: int) -> None:
    project.write()
    project.pytester.makepyfile("def test_passes(): pass")

    project.run(*DATA, "-m", marker).assert_outcomes(passed=passed, deselected=6 - passed)


def test_first_failure_stops_the_run(project: Project) -> None:
    project.write("a.jsonl", grey=[1])
    project.write("b.jsonl", grey=[1])

    result = project.run("-x", "--vft-data=a.jsonl", "--vft-data=b.jsonl", ONE_RULE)

    result.assert_outcomes(passed=4, failed=1)


def test_last_failed_are_run_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """In and outside the root, on all files, and beside a test that failed as well."""
    project.write("root/train.jsonl", grey=[1], about="squares")
    project.write("elsewhere/train.jsonl", grey=[2], about="squares")
    project.write("elsewhere/clean.jsonl")
    root = project.folder / "root"
    (root / "pytest.ini").write_text("[pytest]")
    (root / "test_ordinary.py").write_text("def test_fails(): assert 0\ndef test_passes(): pass")
    monkeypatch.chdir(root)
    run = (
        "--vft-data=train.jsonl",
        "--vft-validation-data=../elsewhere/train.jsonl",
        "--vft-data=../elsewhere/clean.jsonl",
        "--vft-select=image/unsupported-mode,dataset/split-leak",
    )

    first = project.run(*run)
    again = project.run(*run, "--lf")

    first.assert_outcomes(passed=14, failed=4)
    again.assert_outcomes(failed=4)


def test_failed_are_run_first(project: Project) -> None:
    project.write(grey=[1])
    project.run(*DATA)

    result = project.run(*DATA, "--ff", "-v")

    result.stdout.re_match_lines([r"train\.jsonl::image/unsupported-mode FAILED", r"train\.jsonl::file/"])


def test_stepwise_starts_where_it_stopped(project: Project) -> None:
    project.write(grey=[1])
    project.run(*DATA, "--sw")

    project.run(*DATA, "--sw").assert_outcomes(failed=1, deselected=4)
