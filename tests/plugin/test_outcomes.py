"""Any fail outdoes any unknown, that any pass, and that not applicable."""

from __future__ import annotations

import bz2
import os
import sys

import pytest

from pytest_vft import build_example, write_jsonl
from pytest_vft.catalogue.load import shipped_rules

from .project import ONE_RULE, Project

DATA = ("--vft-data=train.jsonl", ONE_RULE)
MODE = "train.jsonl::image/unsupported-mode"


def test_nothing_to_judge_is_not_applicable(project: Project) -> None:
    write_jsonl(project.folder / "train.jsonl", [build_example("One?", "1")])

    result = project.run(MODE, "-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED [[]1[]] train.jsonl:1: not applicable"])


def test_pass_outdoes_not_applicable(project: Project) -> None:
    """image/unreachable judges fetched images only."""
    project.write()

    project.run("train.jsonl::image/unreachable").assert_outcomes(skipped=1)
    project.run(MODE).assert_outcomes(passed=1)


def test_unknown_outdoes_pass(project: Project) -> None:
    project.write(remote=[2, 5])

    result = project.run(MODE, "-rs")

    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED [[]1[]] train.jsonl:1: 2 of 10 images not checked: offline"])


def test_fail_outdoes_unknown(project: Project) -> None:
    project.write(remote=[2, 5], grey=[3])

    project.run(MODE).assert_outcomes(failed=1)


def test_skips_of_one_file_and_reason_fold(project: Project) -> None:
    project.write(remote=range(1, 11))

    result = project.run("--vft-data=train.jsonl", "-k", "unsupported or truncated or too-large", "-rs")

    result.stdout.fnmatch_lines(["SKIPPED [[]4[]] train.jsonl:1: 10 of 10 images not checked: offline"])


def test_unknown_fails_when_all_must_be_checked(project: Project) -> None:
    project.write(remote=[2, 5])

    result = project.run(*DATA, "--vft-require-checked")

    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["2 not checked", "2 of 10 images not checked: offline"])


def test_one_unchecked_file_does_not_fail_another(project: Project) -> None:
    project.write("a.jsonl", remote=[2])
    project.write("b.jsonl", grey=[1])
    project.configure('[severity]\n"image/unsupported-mode" = "warning"')

    result = project.run("a.jsonl", "b.jsonl", ONE_RULE, "--vft-require-checked")

    result.assert_outcomes(passed=9, failed=1, warnings=1)
    result.stdout.fnmatch_lines(["FAILED a.jsonl::image/unsupported-mode*"])


def test_all_is_checked_where_nothing_is_remote(project: Project) -> None:
    project.write()

    assert project.run("--vft-data=train.jsonl", "--vft-require-checked").ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    "ignored",
    [
        'ignore = {"image/unsupported-mode" = "our trainer converts"}',
        'ignore = {"image/*" = "our trainer converts"}',
        '[per-file-ignores]\n"data/*.jsonl" = {"image/unsupported-mode" = "our trainer converts"}',
    ],
)
def test_ignored_rule_is_skipped_with_its_reason(project: Project, ignored: str) -> None:
    project.write("data/train.jsonl", grey=[1])
    project.configure(ignored)

    result = project.run("--vft-data=data", ONE_RULE, "-rs")

    result.assert_outcomes(passed=4, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED [[]1[]] data/train.jsonl:1: ignored: our trainer converts"])


def test_rule_ignored_in_one_file_fails_in_another(project: Project) -> None:
    project.write("old.jsonl", grey=[1])
    project.write("new.jsonl", grey=[1])
    project.configure('[per-file-ignores]\n"old.jsonl" = {image = "of last year"}')

    result = project.run("old.jsonl", "new.jsonl", ONE_RULE)

    result.assert_outcomes(passed=8, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["FAILED new.jsonl::*"])


def test_rule_on_all_files_can_be_ignored(project: Project) -> None:
    project.write("a.jsonl", about="squares")
    project.write("b.jsonl", about="squares")
    options = ("--vft-data=a.jsonl", "--vft-validation-data=b.jsonl", "-k", "leak and not near", "-rs")

    result = project.run(*options, "--vft-ignore=dataset/split-leak")

    assert result.parseoutcomes().keys() == {"skipped", "deselected"}
    assert result.parseoutcomes()["skipped"] == 1
    result.stdout.fnmatch_lines(["SKIPPED * ignored: on request"])


@pytest.fixture
def compressed(project: Project) -> Project:
    path = project.write()
    path.write_bytes(bz2.compress(path.read_bytes()))
    return project


def test_file_that_is_not_read_fails_once(compressed: Project) -> None:
    result = compressed.run("--vft-data=train.jsonl", "-rs")

    outcomes = result.parseoutcomes()
    assert outcomes["failed"] == 1
    assert "passed" not in outcomes
    dataset = sum(rule.scope == "dataset" and not rule.off for rule in shipped_rules().values())
    reason = f"SKIPPED [[]{outcomes['skipped'] - dataset}[]] train.jsonl:1: not read: file/not-jsonl"
    result.stdout.fnmatch_lines(["*: is bzip2, not JSON Lines", reason])


@pytest.mark.parametrize(
    "choice",
    [["-k", "image or line"], ["--deselect=train.jsonl::file"], ["--vft-select=image", "-k", "image"]],
)
def test_skips_do_not_need_the_item_that_fails(compressed: Project, choice: list[str]) -> None:
    result = compressed.run("--vft-data=train.jsonl", "-rs", *choice)

    assert result.parseoutcomes().keys() <= {"skipped", "deselected"}
    result.stdout.fnmatch_lines(["SKIPPED * train.jsonl:1: not read: file/not-jsonl"])


def test_skips_do_not_depend_on_the_order(compressed: Project) -> None:
    compressed.pytester.makeconftest("def pytest_collection_modifyitems(items): items.reverse()")

    result = compressed.run(*DATA, "-v")

    result.assert_outcomes(failed=1, skipped=4)
    result.stdout.fnmatch_lines(["*unsupported-mode SKIPPED *", "*not-jsonl FAILED *"])


def test_other_files_are_read_all_the_same(compressed: Project) -> None:
    compressed.write("other.jsonl")

    compressed.run("train.jsonl", "other.jsonl", ONE_RULE).assert_outcomes(passed=5, failed=1, skipped=4)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="everybody may read here")
def test_unreadable_file_fails_once(project: Project) -> None:
    project.write().chmod(0)

    result = project.run(*DATA, "-rs")

    result.assert_outcomes(failed=1, skipped=2)
    result.stdout.fnmatch_lines(["cannot be read: Permission denied", "*not read: file/unreadable"])


def test_file_that_has_gone_since_collection_fails_once(project: Project) -> None:
    project.write()
    project.pytester.makepyfile("import os\ndef test_removes_it(): os.remove('train.jsonl')")

    result = project.run(*DATA)

    result.assert_outcomes(passed=1, failed=1, skipped=4)
    result.stdout.fnmatch_lines(["train.jsonl: cannot be read: No such file or directory"])
