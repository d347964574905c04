"""Rules of severity warning: they pass, and pytest shows what they found."""

from __future__ import annotations

import pytest

from .project import ONE_RULE, PAYLOAD, Project

DATA = ("--vft-data=train.jsonl", ONE_RULE)
MODE = "train.jsonl::image/unsupported-mode"


@pytest.fixture(autouse=True)
def configured(project: Project) -> None:
    project.configure('[severity]\n"image/unsupported-mode" = "warning"')


def test_no_finding_draws_no_warning(project: Project) -> None:
    project.write()

    project.run(*DATA, "-W", "error").assert_outcomes(passed=5)


def test_item_passes_with_one_warning_at_the_first_finding(project: Project) -> None:
    project.write(grey=[3, 7, 8])

    result = project.run(*DATA)

    result.assert_outcomes(passed=5, warnings=1)
    result.stdout.fnmatch_lines(
        [
            MODE,
            "  train.jsonl:3: VftWarning: image/unsupported-mode: mode is L; * (and 2 more). *pytest_vft.*",
        ]
    )


def test_what_was_not_checked_is_said_and_is_the_cause_where_it_fails_the_item(project: Project) -> None:
    project.write(grey=[3], remote=[5, 6])
    reason = "2 of 10 images not checked: offline"

    result = project.run(MODE, "--vft-offline")

    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines([f"  train.jsonl:3: VftWarning: *pytest_vft.*. {reason}"])
    result = project.run(MODE, "--vft-offline", "--vft-require-checked")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["2 not checked", reason, "warning: 1 image, first: line 3", "do: *"])
    result.stdout.fnmatch_lines([f"FAILED {MODE}*"])  # pytest 9 shows "2 not checked"


def test_each_file_draws_its_own_warning(project: Project) -> None:
    project.write("a.jsonl", grey=[1])
    project.write("b.jsonl", grey=[2])

    result = project.run("--vft-data=a.jsonl", "--vft-data=b.jsonl", ONE_RULE)

    result.assert_outcomes(passed=10, warnings=2)
    result.stdout.fnmatch_lines(["  a.jsonl:1: VftWarning: *", "  b.jsonl:2: VftWarning: *"])


@pytest.mark.parametrize("workers", [[], ["-n1"]])
def test_five_hundred_findings_are_one_short_warning(project: Project, workers: list[str]) -> None:
    """The source line that pytest prints with a warning would be an image in base64."""
    project.write("sub/train.jsonl", examples=500, grey=range(1, 501))

    result = project.run_apart(*workers, "--vft-data=sub/train.jsonl")

    result.stdout.fnmatch_lines(["  sub/train.jsonl:1: VftWarning: * (and 499 more). *"])
    assert len(result.stdout.str() + result.stderr.str()) < 5_000
    assert PAYLOAD not in result.stdout.str()


def test_no_base64_is_shown_of_a_file_outside_the_root(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(grey=[1])
    (project.folder / "root").mkdir()
    monkeypatch.chdir(project.folder / "root")

    result = project.run_apart("--vft-data=../train.jsonl", ONE_RULE)

    result.stdout.fnmatch_lines(["  ../train.jsonl:1: VftWarning: *"])
    assert PAYLOAD not in result.stdout.str()


def test_no_base64_is_shown_where_pytest_leaves_warnings_to_python(project: Project) -> None:
    project.write(grey=[1])

    result = project.run_apart(*DATA, "-p", "no:warnings", "-s")

    result.assert_outcomes(passed=5)
    result.stderr.fnmatch_lines(["*train.jsonl:1: VftWarning: *"])
    assert PAYLOAD not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize(
    ("workers", "filter_"),
    [
        ([], "error"),
        ([], "error::pytest_vft.VftWarning"),
        ([], "error::UserWarning"),
        (["-n1"], "error::pytest_vft.VftWarning"),
    ],
)
def test_warning_made_an_error_fails_with_its_own_text(
    project: Project, workers: list[str], filter_: str
) -> None:
    project.write(grey=[3, 7])

    result = project.run_apart(*workers, *DATA, "-W", filter_)

    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(
        ["2 images, first: line 3", "train.jsonl:3: *", "train.jsonl:7: *", "do: *"], consecutive=True
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_warning_can_be_silenced(project: Project) -> None:
    project.write(grey=[1])

    project.run(*DATA, "-W", "ignore::pytest_vft.VftWarning").assert_outcomes(passed=5)


def test_warnings_fail_on_request(project: Project) -> None:
    project.write(grey=[1])

    project.run(*DATA, "--vft-fail-on=warning").assert_outcomes(passed=4, failed=1)
    project.run(*DATA, "--vft-fail-on=error").assert_outcomes(passed=5, warnings=1)


def test_report_points_at_the_first_finding(project: Project) -> None:
    project.write(grey=[4])

    recorder = project.pytester.inline_run("-p", "vft", "-W", "default", *DATA)

    assert [call.warning_message.lineno for call in recorder.getcalls("pytest_warning_recorded")] == [4]


class TestAllowedFindings:
    """allow: so many findings are warnings, one more is an error."""

    @pytest.fixture(autouse=True)
    def configured(self, project: Project) -> None:
        project.configure('allow = {"image/unsupported-mode" = 2}')

    @pytest.mark.parametrize(("grey", "warnings"), [([], 0), ([3], 1), ([3, 7], 1)])
    def test_up_to_the_number_pass(self, project: Project, grey: list[int], warnings: int) -> None:
        project.write(grey=grey)

        project.run(*DATA).assert_outcomes(passed=5, warnings=warnings)

    def test_one_more_fails(self, project: Project) -> None:
        project.write(grey=[3, 7, 8])

        project.run(*DATA).assert_outcomes(passed=4, failed=1)

    def test_the_number_is_for_all_files_together(self, project: Project) -> None:
        project.write("a.jsonl", grey=[3, 7])
        project.write("b.jsonl", grey=[1])

        project.run("a.jsonl", "b.jsonl", ONE_RULE).assert_outcomes(passed=8, failed=2)
