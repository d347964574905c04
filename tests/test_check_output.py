"""What `vft check` prints: concise lines, statistics, nothing, and how it exits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_vft import build_example, lint, list_rules, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main
from pytest_vft.errors import UsageError

NO_FACES = "not checked: people, faces, children, CAPTCHAs (install pytest-vft[face])"
GOOD = "png 24x24 rgb"
GREY = "png 24x24 l"
PALETTE = "png 24x24 p"


class Done(NamedTuple):
    code: int
    out: str
    err: str


Check = Callable[..., Done]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    def run(*arguments: str) -> Done:
        code = main(["check", *arguments])
        return Done(code, *capsys.readouterr())

    return run


def write(name: str, images: Mapping[int, str] | None = None, blank: int = 0) -> str:
    """Write ten examples to *name* after *blank* lines; *images* are those of single examples."""
    examples = [
        build_example(f"What is {n}?", f"It is {n}.", data_url((images or {}).get(n, GOOD)))
        for n in range(1, 11)
    ]
    write_jsonl(name, examples)
    Path(name).write_text("\n" * blank + Path(name).read_text())
    return name


# Clean data


@pytest.mark.parametrize("options", [[], ["--format=concise"], ["--statistics"]])
def test_quiet_prints_nothing_of_a_run_that_passes(check: Check, options: list[str]) -> None:
    assert check(write("train.jsonl", blank=1), "--quiet", *options) == (0, "", "")


def test_clean_data_are_a_verdict(check: Check) -> None:
    write("train.jsonl")

    for option in ("--format=concise", "--statistics"):
        expected = rf"{re.escape(NO_FACES)}\nPASSED  \d+ rules fine\n"
        assert re.fullmatch(expected, check("train.jsonl", option).out)


@pytest.mark.parametrize("form", ["csv", "gitlab", "github"])
def test_formats_of_findings_come_with_what_was_not_checked(check: Check, form: str) -> None:
    write_jsonl("train.jsonl", [build_example("What is it?", "It.", "https://a.example/1.png")] * 10)

    done = check("train.jsonl", "--offline", f"--format={form}")

    said = done.out if form == "github" else done.err  # whose log has the text
    for words in (
        "not checked: 10 images: offline (image/",
        "not checked: people, faces, children, CAPTCHAs",
    ):
        assert words in said
    assert form == "github" or not check("train.jsonl", "--offline", f"--format={form}", "--quiet").err


def test_quiet_leaves_reports_for_programs_whole(check: Check) -> None:
    assert json.loads(check(write("train.jsonl"), "--quiet", "--format=json").out)["ok"]


def test_quiet_leaves_files_whole(check: Check) -> None:
    assert check(write("train.jsonl"), "--quiet", "--report=text:report.txt").out == ""
    assert Path("report.txt").read_text().startswith("vft: provider openai")


# Findings


def test_concise_has_a_line_for_each_finding(check: Check) -> None:
    write("train.jsonl", {3: GREY, 7: PALETTE}, blank=1)

    done = check("train.jsonl", "--format=concise", "--quiet")

    assert done == (
        1,
        (
            "train.jsonl:1: warning line/blank [*]: line is blank\n"
            "train.jsonl:4: error image/unsupported-mode [*]: mode is L; expected RGB or RGBA\n"
            "train.jsonl:8: error image/unsupported-mode [*]: mode is P; expected RGB or RGBA\n"
            "FAILED  2 of 11 lines have errors (3 findings); [*] 3 can be repaired: vft fix train.jsonl\n"
        ),
        "",
    )


def test_concise_finding_on_a_whole_file_has_no_line(check: Check) -> None:
    write_jsonl("train.jsonl", [build_example("One?", "1")])

    assert check("train.jsonl", "--format=concise").out == (
        "train.jsonl: error file/too-few-examples: has 1 example; expected at least 10\n"
        f"{NO_FACES}\nFAILED  1 finding\n"
    )


def test_concise_counts_findings_that_were_not_kept(check: Check) -> None:
    write("train.jsonl", dict.fromkeys((2, 3, 9), GREY))

    assert check("train.jsonl", "--format=concise", "--max-findings=1").out == (
        "train.jsonl:2: error image/unsupported-mode [*]: mode is L; expected RGB or RGBA\n"
        "... and 2 more findings, not kept (--max-findings=0 keeps them)\n"
        f"{NO_FACES}\n"
        "FAILED  3 of 10 lines have errors (3 findings)"
        "; [*] at least 1 can be repaired: vft fix train.jsonl\n"
    )


def test_what_was_not_checked_is_said_and_quiet_says_it_if_it_fails_the_run(check: Check) -> None:
    examples = [build_example(f"What is {n}?", f"{n}.", f"https://a.example/{n}.png") for n in range(10)]
    write_jsonl("train.jsonl", examples)
    offline = ("train.jsonl", "--offline", "--format=concise")

    assert check(*offline).out.startswith("not checked: 10 images: offline (image/")
    assert check(*offline, "--quiet").out == ""
    done = check(*offline, "--quiet", "--require-checked")
    assert (done.code, done.out.startswith("not checked: 10 images: offline (image/")) == (1, True)
    assert check("train.jsonl", "--offline", "--quiet", "--require-checked").out.startswith("not checked: ")


def test_quiet_text_is_findings_and_the_verdict(check: Check) -> None:
    write("train.jsonl", {3: GREY}, blank=1)

    lines = check("train.jsonl", "--quiet").out.split("\n")

    assert [line.split(":")[0] for line in lines if line[:1].strip()] == [
        "error image/unsupported-mode [*]",
        "warning line/blank [*]",
        "FAILED  1 of 11 lines has errors (2 findings); [*] 2 can be repaired",
    ]


def test_statistics_count_findings_and_lines_of_each_rule(check: Check) -> None:
    both = build_example("Both?", "Yes.", [data_url(GREY), data_url(PALETTE)])
    write("train.jsonl", {3: GREY, 5: "gif 24x24 p"}, blank=2)
    with Path("train.jsonl").open("a") as file:
        file.write(json.dumps(both) + "\n")

    assert check("train.jsonl", "--statistics", "--max-findings=1") == (
        1,
        (
            "findings    lines  rule\n"
            "       3        2  error image/unsupported-mode\n"
            "       1        1  error image/unsupported-format\n"
            "       2        2  warning line/blank\n"
            f"{NO_FACES}\n"
            "FAILED  3 of 13 lines have errors (6 findings)"
            "; [*] at least 3 can be repaired: vft fix train.jsonl\n"
        ),
        "",
    )


def test_statistics_say_what_the_text_says_of_what_was_not_checked(check: Check) -> None:
    write("train.jsonl", {3: GREY})
    with Path("train.jsonl").open("a") as file:
        file.write(json.dumps(build_example("Where?", "There.", "https://a.example/1.png")) + "\n")
    offline = ("train.jsonl", "--offline")

    def unchecked(*options: str) -> str:
        return check(*offline, *options).out.partition("\nnot checked: ")[2]

    assert unchecked("--statistics").startswith("1 image: offline (")
    assert unchecked("--statistics") == unchecked().replace("help: vft explain RULE\n", "")
    assert "1 image: offline (" in unchecked("--statistics", "--quiet", "--require-checked")
    assert not unchecked("--statistics", "--quiet")


def test_statistics_are_text(check: Check) -> None:
    done = check(write("train.jsonl"), "--statistics", "--format=json")

    assert done == (2, "", "vft: --statistics prints text; expected no --format=json\n")


# Exit codes


def test_exit_code_is_zero_on_request(check: Check) -> None:
    write("train.jsonl", {3: GREY})

    done = check("train.jsonl", "--exit-zero")

    assert (done.code, done.out.split("\n")[-2][:6]) == (0, "FAILED")
    assert check("missing.jsonl", "--exit-zero").code == 2


# All bad lines


@pytest.mark.parametrize("most", [0, 1, 2])
def test_json_has_all_bad_lines_however_many_findings_are_kept(check: Check, most: int) -> None:
    images = dict.fromkeys((1, 2, 5), GREY)
    write("a.jsonl", images, blank=1)
    write("b.jsonl")

    report = json.loads(
        check("a.jsonl", "b.jsonl", "--format=json", "--select=line,image", f"--max-findings={most}").out
    )

    assert [file["bad_lines"] for file in report["files"]] == [
        {"line/blank": [[1, 1]], "image/unsupported-mode": [[2, 3], [6, 6]]},
        {},
    ]
    assert len([one for one in report["findings"] if one["rule"] == "image/unsupported-mode"]) == (most or 3)


def test_bad_lines_do_not_depend_on_the_cache(check: Check) -> None:
    lines = [build_example(f"What {n}? " + "x" * 20_000, f"It is {n}.", data_url(GREY)) for n in range(120)]
    write_jsonl("train.jsonl", lines)

    first, second = (check("train.jsonl", "--format=json").out for _ in range(2))

    assert Path(".vft_cache/shards.sqlite").is_file()
    assert first == second
    assert json.loads(second)["files"][0]["bad_lines"]["image/unsupported-mode"] == [[1, 120]]


def test_lines_of_ignored_rules_are_not_bad() -> None:
    write("train.jsonl", {3: GREY})

    assert lint("train.jsonl", ignore=["image/unsupported-mode"]).files[0].bad_lines == {}


# Rules and limits of a run


def test_rules_are_added_to_those_that_run(check: Check) -> None:
    write("train.jsonl")

    def ids(*options: str) -> set[str]:
        return {
            rule["id"] for rule in json.loads(check("train.jsonl", "--format=json", *options).out)["rules"]
        }

    usual = ids()
    assert ids("--extend-select=image/plain-http") == usual | {"image/plain-http"}
    assert ids("--extend-select=image/*-http,line") == usual | {"image/plain-http"}
    assert ids("--extend-select=image") == usual
    narrow = ids("--select=line/blank")
    assert ids("--select=line/blank", "--extend-select=image/too-large") == narrow | {"image/too-large"}
    assert ids("--extend-select=image/plain-http", "--select=image/too-large") == (
        ids("--select=image/too-large") | {"image/plain-http"}
    )


def test_configuration_adds_rules_too(check: Check) -> None:
    Path("vft.toml").write_text('extend-select = ["image/plain-http"]\n')
    assert {"image/plain-http", "image/redirected"} <= set(list_rules(extend_select="image/redirected"))

    Path("vft.toml").write_text('extend-select = ["image/plan-http"]\n')
    done = check(write("train.jsonl"))
    assert done.code == 2
    assert done.err.endswith(
        "vft.toml: extend-select: no rule 'image/plan-http' (did you mean 'image/plain-http'?); "
        "'vft rules' lists them\n"
    )


def test_number_of_findings_is_that_of_the_option_before_that_of_the_configuration() -> None:
    Path("vft.toml").write_text("max_findings = 1")
    write("train.jsonl", dict.fromkeys((1, 2, 5), GREY))

    def kept(**settings: Any) -> int:
        return len(lint("train.jsonl", select="image", **settings).findings)

    assert (kept(), kept(max_findings=2), kept(max_findings=0)) == (1, 2, 3)
    with pytest.raises(UsageError, match="max_findings is -1; expected at least 0"):
        kept(max_findings=-1)
