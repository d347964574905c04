"""The reports for test viewers and spreadsheets: JUnit and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_vft import Report, build_example, lint
from pytest_vft.catalogue.cases import data_url
from pytest_vft.report.formats import render

GOOD = "png 24x24 rgb"
GREY = "png 24x24 l"

# The elements of the schema that Jenkins publishes: attributes (True: required) and children.
SHAPE: Mapping[str, tuple[Mapping[str, bool], set[str]]] = {
    "testsuites": (
        {"name": False, "time": False, "tests": False, "failures": False, "errors": False},
        {"testsuite"},
    ),
    "testsuite": (
        {"name": True, "tests": True, "failures": True, "errors": True, "skipped": False, "file": False},
        {"properties", "testcase"},
    ),
    "properties": ({}, {"property"}),
    "property": ({"name": True, "value": True}, set()),
    "testcase": (
        {"name": True, "classname": False, "time": False},
        {"failure", "error", "skipped", "system-out"},
    ),
    "failure": ({"type": False, "message": False}, set()),
    "skipped": ({"type": False, "message": False}, set()),
    "system-out": ({}, set()),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def example(number: int, image: str = GOOD, **more: Any) -> dict[str, Any]:
    return {**build_example(f"[{number}] What is it?", f"{number}.", data_url(image)), **more}


def write(lines: Iterable[Any], name: str = "train.jsonl") -> str:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    Path(name).write_text(text, encoding="utf-8")
    return name


def junit(report: Report) -> ET.Element:
    """Return the report as XML, which has the shape that Jenkins and GitLab read."""
    root = ET.fromstring(render(report, "junit"))  # noqa: S314 - written by us
    for element in root.iter():
        attributes, children = SHAPE[element.tag]
        assert element.attrib.keys() <= attributes.keys()
        assert {name for name, required in attributes.items() if required} <= element.attrib.keys()
        assert {child.tag for child in element} <= children
        assert not children or not (element.text or "").strip()
    for suite in root:
        numbers = {"tests": "testcase", "failures": "testcase/failure", "skipped": "testcase/skipped"}
        assert {name: int(suite.attrib[name]) for name in numbers} == {
            name: len(suite.findall(path)) for name, path in numbers.items()
        }
    assert int(root.attrib["tests"]) == len(root.findall("testsuite/testcase"))
    return root


def outcomes(root: ET.Element, rule: str) -> list[tuple[str, str, str]]:
    """Return suite, outcome and message of each test case of *rule*."""
    return [
        (suite.attrib["name"], child.tag, child.get("message") or child.text or "")
        for suite in root
        for case in suite.iter("testcase")
        for child in case
        if case.attrib["name"] == rule
    ]


def table(report: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(report, "csv")), strict=True))


# JUnit


def test_clean_data_are_suites_without_failures() -> None:
    root = junit(lint(write(map(example, range(10)))))

    assert [(suite.attrib["name"], suite.attrib["failures"]) for suite in root] == [
        ("train.jsonl", "0"),
        ("all files", "0"),
    ]
    assert len(root.findall("testsuite/testcase")) > 40


def test_rule_that_fails_is_a_failure_of_its_file() -> None:
    write([*map(example, range(10)), example(10, GREY), example(11, GREY)], "a.jsonl")
    write(map(example, range(20, 30)), "b.jsonl")

    root = junit(lint("a.jsonl", "b.jsonl"))

    assert outcomes(root, "image/unsupported-mode") == [("a.jsonl", "failure", "2 images, first: line 11")]
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.attrib["type"] == "error"
    assert "a.jsonl:12: mode is L; expected RGB or RGBA (/messages/0/content/1)" in (failure.text or "")


def test_rule_on_all_files_has_a_suite_of_its_own() -> None:
    write(map(example, range(10)))
    write([example(3)], "validation.jsonl")

    (found,) = outcomes(junit(lint("train.jsonl", validation="validation.jsonl")), "dataset/split-leak")

    assert found[:2] == ("all files", "failure")


def test_warning_passes_and_is_output() -> None:
    write(["", *map(example, range(10))])

    ((_, outcome, text),) = outcomes(junit(lint("train.jsonl")), "line/blank")
    assert (outcome, text.split("\n")[:2]) == (
        "system-out",
        ["warning: 1 line, first: line 1", "train.jsonl:1: line is blank"],
    )
    ((_, outcome, _),) = outcomes(junit(lint("train.jsonl", fail_on="warning")), "line/blank")
    assert outcome == "failure"


def test_what_was_not_checked_is_counted_by_cause_beside_findings() -> None:
    url, damaged = "https://a.example/a.png", {"url": "data:image/png;base64,iVBORw0KGgo="}
    line = example(4)
    line["messages"][0]["content"][1]["image_url"] = damaged
    write([example(0), example(1, GREY), build_example("[2] Who?", "I.", url), line])
    write([example(5), {**line, "id": 5}], "test.jsonl")
    options: dict[str, Any] = {"test": "test.jsonl", "select": "image/grayscale", "offline": True}

    root = junit(lint("train.jsonl", **options))

    why = "damaged, or in a format that is not decoded"
    reason = f"2 of 4 images not checked: 1 offline; 1 {why}"
    (_, passed, text), other = outcomes(root, "image/grayscale")
    assert (passed, text.split("\n")[0], text.split("\n")[-1]) == (
        "system-out",
        "warning: 1 image, first: line 2",
        reason,
    )
    assert other == ("test.jsonl", "skipped", f"1 of 2 images not checked: {why}")
    root = junit(lint("train.jsonl", **options, require_checked=True))
    failure = root.find(".//failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("not checked", "2 not checked")
    text = failure.text or ""
    assert text.split("\n")[:3] == ["2 not checked", reason, "warning: 1 image, first: line 2"]


def test_what_was_not_checked_is_skipped_with_its_reason() -> None:
    Path("vft.toml").write_text('[ignore]\n"image/unsupported-mode" = "grey is fine"')
    write(
        [
            *map(example, range(9)),
            example(9, GREY),
            build_example("[10] Who?", "I.", "https://a.example/a.png"),
        ]
    )
    Path("packed.jsonl").write_bytes(b"BZh9")

    root = junit(lint("train.jsonl", "packed.jsonl", offline=True))

    assert ("train.jsonl", "skipped", "ignored: grey is fine") in outcomes(root, "image/unsupported-mode")
    assert ("train.jsonl", "skipped", "1 of 11 images not checked: offline") in outcomes(
        root, "image/too-large"
    )
    assert ("packed.jsonl", "skipped", "not read: file/not-jsonl") in outcomes(root, "line/blank")


# CSV


def test_clean_data_are_a_head() -> None:
    assert render(lint(write(map(example, range(10)))), "csv") == (
        '"line","id","question","image","rule","message","severity","file","repair"\n'
    )


def test_finding_is_a_row_with_what_people_know_its_example_by() -> None:
    lines = [example(n) for n in range(10)]
    lines[2] = {**build_example("What\nis it?", "A dog.", [data_url(GOOD), data_url(GREY)]), "id": 77}
    lines[4] = build_example("[5] Où?", "Là.", data_url("gif 24x24 p"))

    rows = table(lint(write(lines), select=["image"]))

    assert [tuple(row.values()) for row in rows] == [
        (
            *("3", "77", "What is it?", "image 2", "image/unsupported-mode"),
            *("mode is L; expected RGB or RGBA", "error", "train.jsonl", "convert-mode"),
        ),
        (
            *("5", "5", "[5] Où?", "image 1", "image/unsupported-format"),
            *("format is GIF; expected JPEG, PNG or WEBP", "error", "train.jsonl", "convert-format"),
        ),
    ]


def test_rows_of_several_files_name_their_files() -> None:
    write([*map(example, range(9)), example(9, GREY)], "a.jsonl")
    write(["\ufeff" + json.dumps(example(20, GREY)), *map(example, range(21, 30))], "b.jsonl")

    rows = table(lint("a.jsonl", "b.jsonl", select=["image"]))

    assert [(row["file"], row["line"], row["id"]) for row in rows] == [
        ("a.jsonl", "10", "9"),
        ("b.jsonl", "1", "20"),
    ]


def test_image_behind_a_url_is_named_by_it() -> None:
    urls = [build_example(f"[{n}] Who?", "I.", f"http://10.0.0.{n}/a.png") for n in range(10)]

    rows = table(lint(write(urls), select=["image/not-public"], offline=True))

    assert [row["image"] for row in rows] == [f"http://10.0.0.{n}/a.png" for n in range(10)]


def test_what_cannot_be_read_as_an_example_has_no_id_and_question() -> None:
    rows = table(lint(write(["{", "[1]", "", '{"messages": 3}']), select=["line", "example", "file"]))

    assert {(row["id"], row["question"], row["image"]) for row in rows} == {("", "", "")}
    assert {row["line"] for row in rows} == {"", "1", "2", "3", "4"}


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\n=1", "＝1"],  # noqa: RUF001 - a wide =
)
def test_cell_is_never_a_formula(text: str) -> None:
    lines = [{**build_example(text, "A dog.", data_url(GREY)), "id": text}, *map(example, range(9))]

    (row,) = table(lint(write(lines, "=x.jsonl"), select=["image"]))

    for cell in (row["id"], row["question"], row["file"]):
        assert not re.match(r"[\s=+\-@＝]", cell)  # noqa: RUF001 - a wide =
    assert row["question"].startswith("'")
    assert row["file"] == "'=x.jsonl"


def test_findings_that_were_not_kept_are_counted_in_a_row() -> None:
    write([example(n, GREY) for n in range(10)])

    rows = table(lint("train.jsonl", select=["image"], max_findings=1))

    assert [(row["line"], row["message"]) for row in rows] == [
        ("1", "mode is L; expected RGB or RGBA"),
        ("", "9 more findings, not kept (--max-findings=0 keeps them)"),
    ]
