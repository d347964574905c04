"""--vft-report: files written at the end, by the one process that the user started."""

from __future__ import annotations

import json

import pytest
from github_runner import read_log

from pytest_vft.cli import main
from pytest_vft.options import FORMATS

from .project import ONE_RULE, Project

DATA = ("--vft-data=train.jsonl", ONE_RULE)
REPORT = "--vft-report=json:out/report.json"


def read(project: Project) -> dict[str, object]:
    report: dict[str, object] = json.loads((project.folder / "out" / "report.json").read_bytes())
    return report


def test_report_of_clean_data_is_written(project: Project) -> None:
    project.write()

    assert project.run(*DATA, REPORT).ret == pytest.ExitCode.OK
    assert read(project)["ok"] is True


@pytest.mark.parametrize("more", [[], ["-p", "no:terminal"], ["-n1", "-p", "no:terminal"], ["--no-summary"]])
def test_report_is_written_however_pytest_runs(project: Project, more: list[str]) -> None:
    project.write(grey=[3])

    run = project.run_apart if "-n1" in more else project.run

    assert run(*DATA, REPORT, *more).ret == pytest.ExitCode.TESTS_FAILED
    assert read(project)["ok"] is False


def test_report_is_the_same_from_workers(project: Project) -> None:
    project.write(grey=[3], remote=[1])
    project.run(*DATA, REPORT)
    alone = read(project)

    project.run_apart(*DATA, REPORT, "-n2")

    assert read(project) == alone


def test_several_reports_can_be_written(project: Project) -> None:
    project.write(grey=[3])

    project.run(*DATA, REPORT, "--vft-report=text:report.txt")

    assert read(project)["ok"] is False
    assert "train.jsonl:3  mode is L" in (project.folder / "report.txt").read_text()


def test_every_format_is_written_by_the_controller(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    project.write(grey=[3])
    run = ["check", "train.jsonl", ONE_RULE.replace("--vft-", "--")]

    project.run_apart(*DATA, *(f"--vft-report={name}:{name}.out" for name in FORMATS), "-n1")

    for name in FORMATS:
        assert main([*run, f"--report={name}:{name}.expected"]) == 1
        written, expected = project.folder / f"{name}.out", project.folder / f"{name}.expected"
        if name == "html":  # a folder
            written, expected = written / "index.html", expected / "index.html"
        assert written.read_text() == expected.read_text()


def test_annotations_can_be_printed_by_pytest(project: Project) -> None:
    project.write(grey=[3])

    result = project.run_apart(*DATA, "--vft-report=github:/dev/stdout")

    (annotation,) = read_log(result.stdout.str())
    assert annotation.properties == {"file": "train.jsonl", "line": "3", "title": "image/unsupported-mode"}


def test_report_does_not_replace_the_data(project: Project) -> None:
    project.write()
    data = (project.folder / "train.jsonl").read_bytes()

    result = project.run(*DATA, "--vft-report=json:train.jsonl")

    assert "vft: train.jsonl: this file is checked; write to another file" in result.stderr.str()
    assert main(["check", "train.jsonl", "--report=json:./train.jsonl"]) == 2
    assert main(["submit", "plan", "train.jsonl", "--plan=train.jsonl"]) == 2
    assert (project.folder / "train.jsonl").read_bytes() == data


def test_no_report_is_written_of_data_that_were_not_read(project: Project) -> None:
    project.write()

    project.run(*DATA, REPORT, "--collect-only")

    assert not (project.folder / "out").exists()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("jsn:report.json", "unknown report format 'jsn' (did you mean 'json'?)*"),
        ("report.json", "unknown report format 'report.json'*"),
        ("json", "report 'json': expected FORMAT:FILE, as in json:report.json"),
        ("json:", "report 'json:': expected FORMAT:FILE, as in json:report.json"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(project: Project, value: str, words: str) -> None:
    project.write(grey=[3])

    result = project.run(*DATA, f"--vft-report={value}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: vft: {words}"])
    result.stdout.no_fnmatch_line("*mode is L*")


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("folder", []),
        ("train.jsonl/report.json", []),
        ("folder", ["-n1"]),
        ("folder", ["-p", "no:terminal"]),
    ],
)
def test_what_cannot_be_written_is_said_last(project: Project, path: str, more: list[str]) -> None:
    project.write(grey=[3])
    (project.folder / "folder").mkdir()

    run = project.run_apart if "-n1" in more else project.run

    result = run(*DATA, f"--vft-report=json:{path}", *more)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: vft: {path}*: *"])
    for output in (result.stdout, result.stderr):
        output.no_fnmatch_line("*INTERNALERROR*")
        output.no_fnmatch_line("*Traceback*")
    if "no:terminal" not in more:
        result.stdout.fnmatch_lines(["train.jsonl:3: mode is L*", "*1 failed*"])
