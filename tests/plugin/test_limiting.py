"""With --vft-only, arguments limit the datasets; the nearest configuration applies to each file."""

from __future__ import annotations

import json

import pytest

from .project import ONE_RULE, Project
from .test_usage_errors import error_of

CONFIGURED = '[data]\ntrain = ["a/*.jsonl", "b/one.jsonl"]'


@pytest.fixture(autouse=True)
def files(project: Project) -> None:
    for name in ("a/one.jsonl", "a/two.jsonl", "b/one.jsonl", "b/unlisted.jsonl"):
        project.write(name)
    project.pytester.makepyfile(test_ordinary="def test_passes(): pass")


def collected(project: Project, *arguments: str) -> list[str]:
    ids = project.ids("--vft-only", ONE_RULE, *arguments)
    return [id_.partition("::")[0] for id_ in ids if id_.endswith("::image/unsupported-mode")]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], ["a/one.jsonl", "a/two.jsonl", "b/one.jsonl"]),
        (["."], ["a/one.jsonl", "a/two.jsonl", "b/one.jsonl"]),
        (["a"], ["a/one.jsonl", "a/two.jsonl"]),
        (["a/", "test_ordinary.py"], ["a/one.jsonl", "a/two.jsonl"]),
        (["b", "a/two.jsonl"], ["a/two.jsonl", "b/one.jsonl"]),
        (["b/unlisted.jsonl"], ["b/unlisted.jsonl"]),
    ],
)
def test_arguments_limit_the_configured_files(
    project: Project, places: list[str], expected: list[str]
) -> None:
    project.configure(CONFIGURED)

    assert sorted(collected(project, *places)) == sorted(expected)


@pytest.mark.parametrize("place", ["a", "a/two.jsonl"])
def test_arguments_limit_the_files_of_options(project: Project, place: str) -> None:
    assert set(collected(project, "--vft-data=.", place)) <= {"a/one.jsonl", "a/two.jsonl"}
    assert "a/two.jsonl" in collected(project, "--vft-data=.", place)


def test_folder_is_searched_if_nothing_names_files(project: Project) -> None:
    assert collected(project, "b") == ["b/one.jsonl", "b/unlisted.jsonl"]


def test_testpaths_limit_nothing(project: Project) -> None:
    project.pytester.makeini("[pytest]\ntestpaths = test_ordinary.py")
    project.configure(CONFIGURED)

    assert len(collected(project)) == 3


def test_workers_limit_as_well(project: Project) -> None:
    project.configure(CONFIGURED)

    project.run_apart("-n2", "--vft-only", ONE_RULE, "b").assert_outcomes(passed=5)


def test_without_only_a_folder_is_for_pytest(project: Project) -> None:
    ids = project.ids("--vft-data=a/one.jsonl", ONE_RULE, "b", "test_ordinary.py")

    assert ids[0] == "test_ordinary.py::test_passes"
    assert {id_.partition("::")[0] for id_ in ids[1:]} == {"a/one.jsonl"}


def test_argument_without_a_dataset_is_an_error(project: Project) -> None:
    project.configure(CONFIGURED)

    assert error_of(project.run("--vft-only", "test_ordinary.py")) == (
        "vft: no dataset in test_ordinary.py: --vft-only collects only datasets"
    )
    assert error_of(project.run("--vft-only", "c")) == "vft: c: no such file"


# The nearest configuration

WARN = '[severity]\n"image/unsupported-mode" = "warning"'


def test_nearest_configuration_of_each_file_applies(project: Project) -> None:
    project.write("a/two.jsonl", grey=[1])
    project.write("b/one.jsonl", grey=[2])
    (project.folder / "b" / "vft.toml").write_text(WARN)

    result = project.run(
        "--vft-data=a", "--vft-data=b", "--vft-only", ONE_RULE, "--vft-report=json:report.json"
    )

    result.assert_outcomes(passed=19, failed=1, warnings=1)
    result.stdout.fnmatch_lines(["FAILED a/two.jsonl::image/unsupported-mode*"])
    report = json.loads((project.folder / "report.json").read_bytes())
    assert [(one["path"], one["severity"]) for one in report["findings"]] == [
        ("a/two.jsonl", "error"),
        ("b/one.jsonl", "warning"),
    ]


def test_nearest_configurations_apply_in_workers(project: Project) -> None:
    project.write("b/one.jsonl", grey=[2])
    (project.folder / "b" / "vft.toml").write_text(WARN)

    result = project.run_apart("-n2", "--vft-data=.", "--vft-only", ONE_RULE)

    result.assert_outcomes(passed=20, warnings=1)


def test_rule_that_one_configuration_selects_runs_on_its_files(project: Project) -> None:
    (project.folder / "b" / "vft.toml").write_text('select = ["image/unsupported-mode"]')

    ids = project.ids("--vft-data=.", "--vft-only", "-k", "unsupported-format or (split-leak and not near)")

    assert ids == [
        "a/one.jsonl::image/unsupported-format",
        "a/two.jsonl::image/unsupported-format",
        "vft::dataset/split-leak",
    ]


def test_header_says_what_was_taken_from_names(project: Project) -> None:
    project.write("a/test.jsonl")
    (project.folder / "b" / "vft.toml").touch()

    result = project.run("--vft-data=.", "--collect-only")

    result.stdout.fnmatch_lines(
        [
            "vft: provider openai*",
            "vft: split by file name: ./a/test.jsonl (test); *",
            "vft: files have 2 *(none, b/vft.toml)*",
            "vft: *people*faces*children*",
        ]
    )
