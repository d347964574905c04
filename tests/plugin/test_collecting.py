"""Datasets beside ordinary tests, and what an argument that names one collects."""

from __future__ import annotations

import pytest

from .project import ONE_RULE, Project

MODE = "train.jsonl::image/unsupported-mode"
LEAK = "vft::dataset/split-leak"
ITEMS = [
    "train.jsonl::file/git-lfs-pointer",
    "train.jsonl::file/no-data-format",
    "train.jsonl::file/not-jsonl",
    "train.jsonl::file/unreadable",
    MODE,
]
ORDINARY = "test_ordinary.py::test_passes"


@pytest.fixture(autouse=True)
def files(project: Project) -> None:
    """Two splits that share their questions, the first with a grey image, and a test."""
    project.write("train.jsonl", grey=[3], about="squares")
    project.write("held-out.jsonl", about="squares")
    project.pytester.makepyfile(test_ordinary="def test_passes(): pass")


def configure(project: Project) -> None:
    project.configure('[data]\ntrain = "train.jsonl"\nvalidation = "held-out.jsonl"')


def test_jsonl_met_in_a_folder_is_left_alone(project: Project) -> None:
    assert project.ids() == [ORDINARY]
    assert project.ids(".") == [ORDINARY]


def test_data_are_checked_beside_ordinary_tests(project: Project) -> None:
    assert project.ids("--vft-data=train.jsonl", ONE_RULE) == [ORDINARY, *ITEMS]


def test_only_drops_all_else(project: Project) -> None:
    assert project.ids("--vft-data=train.jsonl", "--vft-only", ONE_RULE) == ITEMS


def test_only_drops_testpaths(project: Project) -> None:
    project.pytester.makeini("[pytest]\ntestpaths = test_ordinary.py")

    assert project.ids("--vft-data=train.jsonl", ONE_RULE) == [ORDINARY, *ITEMS]
    assert project.ids("--vft-data=train.jsonl", "--vft-only", ONE_RULE) == ITEMS


def test_only_drops_all_else_in_workers(project: Project) -> None:
    result = project.run_apart("-n2", "--vft-data=train.jsonl", "--vft-only", ONE_RULE)

    result.assert_outcomes(passed=4, failed=1)


@pytest.mark.parametrize("more", [[], ["--vft-data=train.jsonl"], ["--vft-only"]])
def test_file_is_an_argument_like_any_other(project: Project, more: list[str]) -> None:
    assert project.ids("train.jsonl", ONE_RULE, *more) == ITEMS
    assert project.ids("./train.jsonl", ONE_RULE, *more) == ITEMS
    assert project.ids(str(project.folder / "train.jsonl"), ONE_RULE, *more) == ITEMS


def test_file_is_shown_as_seen_from_here(project: Project) -> None:
    for argument in ("./train.jsonl", str(project.folder / "train.jsonl")):
        project.run(argument, ONE_RULE).stdout.fnmatch_lines(["train.jsonl:3: mode is L; *"])


@pytest.mark.parametrize("others", [["."], ["test_ordinary.py"], [ORDINARY]])
def test_file_stands_beside_other_arguments(project: Project, others: list[str]) -> None:
    """Since pytest 9 an argument in the folder of another one is dropped."""
    assert project.ids("train.jsonl", *others, ONE_RULE) == [ORDINARY, *ITEMS]
    assert project.ids(MODE, *others, ONE_RULE) == [ORDINARY, MODE]


@pytest.mark.parametrize("more", [[], ["--vft-data=train.jsonl"], ["--vft-validation-data=train.jsonl"]])
def test_copied_id_runs_that_item_alone(project: Project, more: list[str]) -> None:
    assert project.ids(MODE, *more) == [MODE]

    project.run(MODE, *more).assert_outcomes(failed=1)


def test_copied_id_may_name_a_scope(project: Project) -> None:
    ids = project.ids("train.jsonl::image")

    assert MODE in ids
    assert all(id_.startswith("train.jsonl::image/") for id_ in ids)


def test_copied_ids_of_two_files_run_both(project: Project) -> None:
    other = "held-out.jsonl::image/unsupported-mode"

    assert project.ids(MODE, other) == [MODE, other]


def test_whole_file_may_stand_beside_an_item_of_another(project: Project) -> None:
    ids = project.ids("held-out.jsonl", MODE, ONE_RULE)

    assert ids == [*(id_.replace("train", "held-out") for id_ in ITEMS), MODE]


def test_copied_id_of_all_files_runs_on_all_files(project: Project) -> None:
    options = ("--vft-data=train.jsonl", "--vft-validation-data=held-out.jsonl")

    assert project.ids(LEAK, *options) == [LEAK]
    project.run(LEAK, *options).assert_outcomes(failed=1)


def test_copied_id_of_all_files_reads_the_configuration(project: Project) -> None:
    configure(project)

    project.run(LEAK).assert_outcomes(failed=1)


def test_copied_ids_of_one_and_of_all_files_find_what_they_did(project: Project) -> None:
    configure(project)

    assert project.ids(MODE, LEAK) == [MODE, LEAK]
    project.run(MODE, LEAK).assert_outcomes(failed=2)


def test_copied_id_works_in_workers(project: Project) -> None:
    configure(project)

    project.run_apart("-n2", MODE, LEAK).assert_outcomes(failed=2)


def test_folder_that_is_called_vft_is_a_folder(project: Project) -> None:
    (project.folder / "vft").mkdir()
    (project.folder / "vft" / "test_inside.py").write_text("def test_passes(): pass")

    assert project.ids("vft") == ["vft/test_inside.py::test_passes"]
    assert project.ids("vft/test_inside.py::test_passes") == ["vft/test_inside.py::test_passes"]
