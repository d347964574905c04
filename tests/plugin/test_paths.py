"""Files outside pytest's root, and names that mean something to pytest or to a shell."""

from __future__ import annotations

import pytest

from .project import ONE_RULE, Project

NAMES = [
    "with space.jsonl",
    "data[1].jsonl",
    "data[.jsonl",
    "übung/データ.jsonl",
    "fine-tuning (2026-11).JSONL",
    "'quoted'.jsonl",
    "50%.jsonl",
    "colon:ed.jsonl",
    "--vft-data.jsonl",
    "..train.jsonl",
]


@pytest.fixture
def root(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose root is below the folder that datasets are written to."""
    root = project.folder / "root"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]")
    monkeypatch.chdir(root)
    return project


@pytest.mark.parametrize("name", NAMES)
def test_name_is_kept_in_ids(project: Project, name: str) -> None:
    project.write(name, grey=[1])

    ids = project.ids(f"--vft-data={name}", ONE_RULE)

    assert ids[-1] == f"{name}::image/unsupported-mode"
    project.run(f"--vft-data={name}", ONE_RULE).assert_outcomes(passed=4, failed=1)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("-")])
def test_copied_id_and_last_failed_work_with_any_name(project: Project, name: str) -> None:
    project.write(name, grey=[1])

    project.run(f"{name}::image/unsupported-mode").assert_outcomes(failed=1)
    project.run(f"--vft-data={name}", "--lf").assert_outcomes(failed=1)


def test_name_with_two_colons_can_be_given_by_option(project: Project) -> None:
    project.write("a::b.jsonl", grey=[1])

    project.run("--vft-data=a::b.jsonl", ONE_RULE).assert_outcomes(passed=4, failed=1)


def test_files_outside_the_root_have_ids_of_their_own(root: Project) -> None:
    first = root.write("one/train.jsonl", grey=[1])
    second = root.write("two/train.jsonl")

    ids = root.ids("--vft-data=../one/train.jsonl", "--vft-data=../two/train.jsonl", ONE_RULE)

    modes = [id_ for id_ in ids if id_.endswith("image/unsupported-mode")]
    assert modes == [f"{path.as_posix()}::image/unsupported-mode" for path in (first, second)]


def test_files_outside_the_root_are_checked_each_for_itself(root: Project) -> None:
    root.write("one/train.jsonl", grey=[1])
    root.write("two/train.jsonl")

    result = root.run("--vft-data=../one/train.jsonl", "--vft-data=../two/train.jsonl", ONE_RULE)

    result.assert_outcomes(passed=9, failed=1)
    result.stdout.fnmatch_lines(["../one/train.jsonl:1: mode is L; *"])


def test_copied_id_of_a_file_outside_the_root_works(root: Project) -> None:
    path = root.write("train.jsonl", grey=[1])

    root.run("--rootdir=.", f"{path}::image/unsupported-mode").assert_outcomes(failed=1)


def test_outside_file_after_a_space_draws_advice(root: Project) -> None:
    root.write("train.jsonl")

    with_space = root.run("--vft-data", "../train.jsonl", ONE_RULE)
    with_sign = root.run("--vft-data=../train.jsonl", ONE_RULE)

    with_space.stdout.fnmatch_lines(["vft: write --vft-data=PATH; *"])
    with_sign.stdout.no_fnmatch_line("vft: write*")


def test_link_is_shown_as_a_link(project: Project) -> None:
    """DVC and git-annex put links where the data belong."""
    project.write("cache/ab12.jsonl", grey=[1])
    (project.folder / "train.jsonl").symlink_to("cache/ab12.jsonl")

    result = project.run("train.jsonl", ONE_RULE)

    result.stdout.fnmatch_lines(["train.jsonl:1: mode is L; *"])
    result.stdout.no_fnmatch_line("*ab12*")


def test_file_and_its_link_are_checked_once(project: Project) -> None:
    project.write("cache/ab12.jsonl")
    (project.folder / "train.jsonl").symlink_to("cache/ab12.jsonl")

    project.run("train.jsonl", "--vft-data=cache/ab12.jsonl", ONE_RULE).assert_outcomes(passed=5)
