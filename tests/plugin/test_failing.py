"""The texts of a failing item, and where they appear."""

from __future__ import annotations

import pytest

from pytest_vft import build_example, write_jsonl

from .project import ONE_RULE, PYTEST_9, Project, drawn

DATA = ("--vft-data=train.jsonl", ONE_RULE)


def text_of(result: pytest.RunResult) -> list[str]:
    """Return the lines below the heading of the only failure."""
    lines = result.outlines
    start = next(number for number, line in enumerate(lines) if line.startswith("____"))
    end = next(number for number, line in enumerate(lines) if "short test summary" in line)
    return lines[start + 1 : end]


def test_text_is_all_there_is_to_say(project: Project) -> None:
    project.write(grey=[3, 7])

    assert text_of(project.run(*DATA)) == [
        "2 images, first: line 3",
        "train.jsonl:3: mode is L; expected RGB or RGBA (/messages/0/content/1)",
        "train.jsonl:7: mode is L; expected RGB or RGBA (/messages/0/content/1)",
        "do: Run vft fix. By hand: Use pytest_vft.encode_image(image), which keeps transparency.",
    ]


def test_heading_names_rule_path_and_message(project: Project) -> None:
    project.write("data/train.jsonl", grey=[1])

    result = project.run("--vft-data=data", ONE_RULE)

    result.stdout.re_match_lines(
        [r"_+ image/unsupported-mode in data/train\.jsonl: mode is L; expec[\w ]*… _+$"]
    )


def test_no_traceback_is_shown(project: Project) -> None:
    project.write(grey=[1])

    result = project.run(*DATA, "--tb=long", "-vv", "--showlocals")

    result.stdout.no_fnmatch_line("*Error*")
    result.stdout.no_fnmatch_line("*.py:*")


def test_traceback_is_shown_of_a_fault_of_ours(project: Project) -> None:
    project.write()
    project.pytester.makeconftest(
        """
        import pytest_vft.items.lint

        def broken(*arguments, **options):
            raise ZeroDivisionError("ours")

        pytest_vft.items.lint.run_all = broken
        """
    )

    result = project.run_apart(*DATA)

    result.assert_outcomes(failed=5)
    result.stdout.fnmatch_lines(["E *ZeroDivisionError: ours"])


@pytest.mark.parametrize(
    ("options", "shown"),
    [([], 10), (["--vft-max-shown=3"], 3), (["--vft-max-shown=0"], 14), (["--vft-max-shown=14"], 14)],
)
def test_so_many_findings_are_shown(project: Project, options: list[str], shown: int) -> None:
    project.write(examples=14, grey=range(1, 15))

    _, *findings, advice = text_of(project.run(*DATA, *options))

    rest = [f"... and {14 - shown} more"] if shown < 14 else []
    assert findings[shown:] == rest
    assert all(f"train.jsonl:{line}: mode" in text for line, text in enumerate(findings[:shown], 1))
    assert advice.startswith("do: ")


def test_count_is_of_all_findings_not_of_those_kept(project: Project) -> None:
    project.write(examples=14, grey=range(1, 15))
    project.configure("max_findings = 5")

    headline, *findings, more, _ = text_of(project.run(*DATA))

    assert headline == "14 images, first: line 1"
    assert len(findings) == 5
    assert more == "... and 9 more"


def test_finding_on_a_whole_file_is_its_own_headline(project: Project) -> None:
    project.write(examples=4)

    assert text_of(project.run("--vft-data=train.jsonl", "--vft-select=file")) == [
        "has 4 examples; expected at least …",
        "train.jsonl: has 4 examples; expected at least 10",
        "do: Add examples; clear improvements usually need 50 to 100 good ones.",
    ]


def test_places_in_other_splits_are_named(project: Project) -> None:
    project.write("train.jsonl", about="squares")
    project.write("held-out.jsonl", about="squares", examples=2)

    text = text_of(project.run("--vft-data=train.jsonl", "--vft-test-data=held-out.jsonl", "-k", "leak"))

    assert text[:2] == [
        "2 target turns, first: line 1",
        "held-out.jsonl:1: this question and its images are also in train.jsonl:1 (train, test)",
    ]


@pytest.mark.skipif(not PYTEST_9, reason="pytest 8 shows the id only")
def test_summary_shows_the_headline(project: Project) -> None:
    project.write(grey=[3, 7])

    result = project.run(*DATA)

    result.stdout.fnmatch_lines(["FAILED train.jsonl::image/unsupported-mode - 2 images, first: line 3"])


@pytest.mark.parametrize("examples", [1, 1_100, 10_001])
def test_headline_fits_into_the_summary(project: Project, examples: int) -> None:
    """What `FAILED train.jsonl::image/unsupported-mode - ` leaves of 80 columns is 35."""
    example = build_example("Who?", "I.", drawn("L"))
    write_jsonl(project.folder / "train.jsonl", [build_example("Who?", "I."), *[example] * examples])

    headline, *_ = text_of(project.run(*DATA, "--vft-max-shown=1"))

    assert len(headline) <= 35
    assert f"{examples:,} image" in headline


def test_headline_leaves_out_the_line_when_it_is_too_long(project: Project) -> None:
    """As it is for `10,000 target turns, first: line 12345`."""
    turns = [build_example(f"Is {number} even?", "Perhaps.") for number in range(10_000)]
    other = build_example("Another one?", "Perhaps.")
    write_jsonl(project.folder / "train.jsonl", turns)
    write_jsonl(project.folder / "held-out.jsonl", [*[other] * 10_000, *turns])

    headline, *_ = text_of(
        project.run("--vft-data=train.jsonl", "--vft-validation-data=held-out.jsonl", "-k", "leak")
    )

    assert headline == "10,000 target turns"


@pytest.mark.parametrize("grey", [1, 6])
def test_report_points_at_the_first_finding(project: Project, grey: int) -> None:
    """Where annotations on a pull request go; pytest counts lines from 0."""
    project.write("data/train.jsonl", grey=[grey, 9])

    recorder = project.pytester.inline_run("-p", "vft", "--vft-data=data/train.jsonl", ONE_RULE)

    (failed,) = recorder.getfailures()
    assert failed.location[:2] == ("data/train.jsonl", grey - 1)


def test_report_on_all_files_points_into_the_one_with_the_finding(project: Project) -> None:
    project.write("data/train.jsonl", about="squares")
    project.write("data/held-out.jsonl", about="squares")

    recorder = project.pytester.inline_run(
        "-p", "vft", "--vft-data=data/train.jsonl", "--vft-validation-data=data/held-out.jsonl"
    )

    (failed,) = recorder.getfailures()
    assert failed.location[:2] == ("data/held-out.jsonl", 0)


def test_report_on_a_whole_file_points_at_no_line(project: Project) -> None:
    project.write(examples=4)

    recorder = project.pytester.inline_run("-p", "vft", "--vft-data=train.jsonl", "--vft-select=file")

    (failed,) = recorder.getfailures()
    assert failed.location[:2] == ("train.jsonl", None)


def test_verbose_output_names_the_item_once(project: Project) -> None:
    project.write(grey=[1])

    result = project.run("-vv", *DATA)

    result.stdout.fnmatch_lines(["train.jsonl::image/unsupported-mode FAILED *"])
    result.stdout.no_fnmatch_line("*<-*")


def test_verbose_output_names_the_item_on_all_files_once(project: Project) -> None:
    project.write()

    result = project.run("-vv", "--vft-data=train.jsonl")

    result.stdout.fnmatch_lines(["vft::dataset/split-leak PASSED *"])
    result.stdout.no_fnmatch_line("*<-*")
