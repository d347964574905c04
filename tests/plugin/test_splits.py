"""Which files are read, as which split."""

from __future__ import annotations

import json

import pytest

from .project import ONE_RULE, Project

SPLITS = "--vft-select=dataset/split-leak"


def splits(project: Project, *arguments: str) -> dict[str, str]:
    project.run("--vft-report=json:report.json", *arguments)
    report = json.loads((project.folder / "report.json").read_bytes())
    return {file["path"]: file["split"] for file in report["files"]}


def test_clean_dataset_passes(project: Project) -> None:
    project.write()

    result = project.run("--vft-data=train.jsonl")

    assert result.ret == pytest.ExitCode.OK
    assert "failed" not in result.parseoutcomes()
    assert "warnings" not in result.parseoutcomes()


def test_each_option_names_its_split(project: Project) -> None:
    project.write("a.jsonl")
    project.write("b.jsonl")
    project.write("c.ndjson")

    found = splits(
        project, "--vft-data=a.jsonl", "--vft-validation-data=b.jsonl", "--vft-test-data=c.ndjson", ONE_RULE
    )

    assert found == {"a.jsonl": "train", "b.jsonl": "validation", "c.ndjson": "test"}


def test_option_can_be_repeated_and_names_folders_and_globs(project: Project) -> None:
    for name in ("a.jsonl", "folder/b.jsonl", "folder/deep/c.jsonl", "folder/.no.jsonl", "d1.jsonl"):
        project.write(name)

    found = splits(project, "--vft-data=a.jsonl", "--vft-data=folder", "--vft-data=d?.jsonl", ONE_RULE)

    assert list(found) == ["a.jsonl", "folder/b.jsonl", "folder/deep/c.jsonl", "d1.jsonl"]


def test_configured_data_need_no_other_option_than_only(project: Project) -> None:
    project.write("data/train.jsonl")
    project.write("data/held-out.jsonl")
    project.configure('[data]\ntrain = "data/train.jsonl"\nvalidation = ["data/held-*.jsonl"]')

    assert splits(project, "--vft-only") == {"data/train.jsonl": "train", "data/held-out.jsonl": "validation"}


def test_configured_data_wait_until_they_are_asked_for(project: Project) -> None:
    project.write(grey=[1])
    project.configure('[data]\ntrain = "train.jsonl"')

    assert project.run().ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_file_given_by_name_keeps_its_configured_split(project: Project) -> None:
    project.write("a.jsonl")
    project.write("b.jsonl")
    project.configure('[data]\ntrain = "a.jsonl"\nvalidation = "b.jsonl"')

    assert splits(project, "--vft-data=b.jsonl") == {"b.jsonl": "validation"}
    assert splits(project, "b.jsonl") == {"b.jsonl": "validation"}


def test_same_question_in_one_split_is_no_leak(project: Project) -> None:
    project.write("a.jsonl", about="squares")
    project.write("b.jsonl", about="squares")

    result = project.run("--vft-data=a.jsonl", "--vft-data=b.jsonl", SPLITS)

    result.assert_outcomes(passed=9)


def test_same_question_in_two_splits_is_a_leak(project: Project) -> None:
    project.write("a.jsonl", about="squares")
    project.write("b.jsonl", about="squares")

    result = project.run("--vft-data=a.jsonl", "--vft-validation-data=b.jsonl", SPLITS)

    result.assert_outcomes(passed=8, failed=1)
    result.stdout.fnmatch_lines(["FAILED vft::dataset/split-leak*"])


def test_file_in_two_splits_is_refused(project: Project) -> None:
    project.write()

    result = project.run("--vft-data=train.jsonl", "--vft-test-data=train.jsonl")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: vft: train.jsonl: is given as train and as test split"])
