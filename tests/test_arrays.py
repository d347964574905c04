"""JSON arrays: elements are the same values with their lines in any shards, and each fault is a finding."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plans import plan

from pytest_vft import lint
from pytest_vft.catalogue.cases import data_url
from pytest_vft.checking.lint import lint_files
from pytest_vft.cli import main
from pytest_vft.model import Report, Source
from pytest_vft.reading import elements
from pytest_vft.reading.arrays import cut_array, parse_element
from pytest_vft.reading.elements import read_elements
from pytest_vft.reading.files import open_file
from pytest_vft.reading.lines import Line
from pytest_vft.reading.shards import LongLine
from pytest_vft.report.findings import fingerprints
from pytest_vft.report.formats import render
from pytest_vft.report.text import render_text

IMAGE = data_url("png 16x16 rgb")
GREY = data_url("png 16x16 l")

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text()
    | st.sampled_from(['"', "\\", '\\"', "[{,]}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def question(number: int, image: str = IMAGE) -> dict[str, Any]:
    url = {"type": "image_url", "image_url": {"url": image}}
    return {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": f"What is in picture {number}?"}, url]},
            {"role": "assistant", "content": f'Number {number}, a "dog" {{'},
        ]
    }


EXAMPLES = [question(number) for number in range(12)]


def write(folder: Path, content: str | bytes, name: str = "train.json") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, shard_bytes: int, longest: int = 10**6) -> Iterator[tuple[int, Line]]:
    """Yield the line and the value of each element, read in shards."""
    shards, starts, *_ = cut_array(str(path), "train", open_file(str(path)), shard_bytes)
    them = [element for shard in shards for element in read_elements(shard, longest)]
    assert len(them) == len(starts)
    for line, element in zip(starts, them, strict=True):
        yield line, parse_element(element)


def places(text: str) -> Iterator[tuple[int, Any]]:
    """Yield the line and the value of each element of *text*, an array, by Python's decoder."""
    at = text.index("[") + 1
    while True:
        while text[at] in " \t\r\n,":
            at += 1
        if text[at] == "]":
            return
        value, end = json.JSONDecoder().raw_decode(text, at)
        yield text.count("\n", 0, at) + 1, value
        at = end


def found(report: Report) -> list[tuple[str, int | None, str]]:
    return [(one.rule, one.line, one.pointer) for one in report.findings if one.rule != "file/json-array"]


@settings(deadline=None)
@given(
    st.lists(json_values, max_size=6),
    st.none() | st.integers(0, 3),
    st.sampled_from([",", ", ", " ,\n", ",\r\n\n"]),
    st.sampled_from(["", "\n", " \r\n\t"]),
    st.integers(1, 200),
    st.integers(1, 40),
    st.booleans(),
)
@example(["\\" * 9], None, ",", "", 1, 1, True)
def test_any_array_is_read_to_the_same_values_with_their_lines_in_any_shards(  # noqa: PLR0913, PLR0917 - all drawn
    tmp_path_factory: pytest.TempPathFactory,
    values: list[Any],
    indent: int | None,
    comma: str,
    around: str,
    shard_bytes: int,
    buffer: int,
    ascii_only: bool,  # noqa: FBT001 - drawn
) -> None:
    text = (
        around + json.dumps(values, indent=indent, separators=(comma, ": "), ensure_ascii=ascii_only) + around
    )
    path = write(tmp_path_factory.mktemp("array"), text)

    with patch.object(elements, "_BUFFER", buffer):
        them = list(read(path, shard_bytes))

    assert [(line, element.value) for line, element in them] == list(places(text))
    assert all(element.syntax == "JSON" for _, element in them)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\n \r\n"])
def test_sound_arrays_are_silent(tmp_path: Path, indent: int | None, mark: bytes) -> None:
    path = write(tmp_path, mark + json.dumps(EXAMPLES, indent=indent).encode() + b"\n")

    report = lint(path, ignore=["file/json-array", "file/byte-order-mark"])

    assert report.findings == ()
    (file,) = report.files
    assert (file.examples, file.images, file.distinct_images, file.questions) == (12, 12, 1, 12)
    assert file.lines == path.read_bytes().count(b"\n")


def test_a_provider_of_json_lines_says_that_it_does_not_read_an_array(tmp_path: Path) -> None:
    report = lint(write(tmp_path, json.dumps(EXAMPLES)))

    (finding,) = report.findings
    assert (finding.rule, finding.severity, finding.line) == ("file/json-array", "error", None)
    assert finding.advice.startswith("Write one example a line")
    assert not report.ok


def test_findings_are_at_the_line_and_index_of_their_element(tmp_path: Path) -> None:
    examples = [*EXAMPLES[:3], question(3, GREY), *EXAMPLES[4:], {"messages": []}, question(5)]
    pretty = write(tmp_path, json.dumps(examples, indent=1), "pretty.json")
    one_line = write(tmp_path, json.dumps(examples), "one-line.json")
    lines = [line for line, _ in places(pretty.read_text())]

    assert found(lint(pretty)) == [
        ("image/unsupported-mode", lines[3], "/3/messages/0/content/1"),
        ("example/invalid-shape", lines[12], "/12/messages"),
        ("dataset/duplicate-example", lines[13], "/13"),
    ]
    assert [(rule, pointer) for rule, _, pointer in found(lint(one_line))] == [
        (rule, pointer) for rule, _, pointer in found(lint(pretty))
    ]
    assert {line for _, line, _ in found(lint(one_line))} == {1}


FIRST, SECOND, THIRD = (json.dumps(question(number)) for number in range(3))
BROKEN = "line/invalid-json"


@pytest.mark.parametrize(
    ("content", "findings", "examples"),
    [
        (f"[{FIRST},\n{SECOND},\n]", [(BROKEN, 2, "/1", "a comma after the last element")], 2),
        (f"[{FIRST}\n{SECOND}]", [(BROKEN, 1, "/0", "no comma after the element")], 2),
        (f"[{FIRST}, ,\n{SECOND}]", [(BROKEN, 1, "/0", "a second comma after the element")], 2),
        (f"[\n{FIRST},\n{SECOND}\n", [(BROKEN, 3, "/1", "no closing bracket after the array")], 2),
        (f"[\n{FIRST},\n{SECOND},", [(BROKEN, 3, "/1", "no closing bracket after the array")], 2),
        (f"[{FIRST}]\n{SECOND[1:]}", [(BROKEN, 1, "/0", "text after the array, which is not read,")], 1),
        (f"[{FIRST}] [{SECOND}]", [(BROKEN, 1, "/0", "text after the array, which is not read,")], 1),
        (f"\n[,\n{FIRST}]", [(BROKEN, 2, "/0", "a comma before the first element")], 2),
        ("[", [(BROKEN, 1, "/0", "no closing bracket after the array")], 1),
        ("\n[ \n", [(BROKEN, 2, "/0", "no closing bracket after the array")], 1),
        ("[] x", [(BROKEN, 1, "/0", "text after the array, which is not read,")], 1),
        ("[]", [], 0),
        ("\r\n[\r\n]\r\n", [], 0),
        (
            f"[{FIRST},\n{SECOND[:-1]},\n{THIRD}]",
            [
                (
                    BROKEN,
                    2,
                    "/1",
                    "on line 2 of its 2 lines (it has no end, so nothing after it is read) at column 1",
                )
            ],
            2,
        ),
        (f'[{FIRST},\n{{"a": "b}},\n{THIRD}]', [(BROKEN, 2, "/1", "on line 1 of its 2 lines")], 2),
        (f'[{FIRST},\n{{"a": "b}}]', [(BROKEN, 2, "/1", "(it has no end, so nothing after it is read)")], 2),
        (f"[{FIRST},\n{SECOND}}},\n{THIRD}]", [(BROKEN, 2, "/1", ""), (BROKEN, 2, "/2", "")], 4),
        (
            f"[{FIRST},\nNone, {{'a': 1}},\n{THIRD}]",
            [(BROKEN, 2, "/1", "Python's None"), (BROKEN, 2, "/2", "quote")],
            4,
        ),
        (
            f'[{FIRST},\n1, null, "a,]", [2]]',
            [("line/not-an-object", 2, f"/{n}", "not an object") for n in range(1, 5)],
            5,
        ),
        (f"[{FIRST}, [{SECOND}, {THIRD}]]", [("line/not-an-object", 1, "/1", "is a JSON array")], 2),
        ('[{\n"messages": [],\n"a": tru\n}]', [(BROKEN, 1, "/0", "on line 3 of its 4 lines at column 6")], 1),
    ],
)
def test_each_fault_of_an_array_is_a_finding_and_hides_no_element(
    tmp_path: Path, content: str, findings: list[tuple[str, int, str, str]], examples: int
) -> None:
    report = lint(write(tmp_path, content))

    got = [one for one in report.findings if one.rule.startswith("line/")]
    assert [(one.rule, one.line, one.pointer) for one in got] == [one[:3] for one in findings]
    assert all(one[3] in finding.message for one, finding in zip(findings, got, strict=True))
    assert report.files[0].examples == examples
    assert not report.ok


def test_an_element_with_a_fault_after_it_is_judged_all_the_same(tmp_path: Path) -> None:
    report = lint(write(tmp_path, f"[{json.dumps(question(0, GREY))} {SECOND}]"))

    assert found(report)[1:] == [  # the first says that there are too few examples
        (BROKEN, 1, "/0"),
        ("image/unsupported-mode", 1, "/0/messages/0/content/1"),
    ]


def test_an_element_of_another_encoding_is_named(tmp_path: Path) -> None:
    content = (
        f"[{FIRST},\n".encode() + SECOND.replace("dog", "d\xf6g").encode("latin-1") + f",\n{THIRD}]".encode()
    )

    assert ("line/not-utf8", 2, "/1") in found(lint(write(tmp_path, content)))


def test_long_elements_are_not_held(tmp_path: Path) -> None:
    values = ["a" * 300, {"a": ['"' * 200]}, "b", [1] * 200]
    path = write(tmp_path, json.dumps(values))

    with patch.object(elements, "_BUFFER", 16):
        them = list(read_elements(cut_array(str(path), "train", open_file(str(path)), 10**6).shards[0], 100))

    sizes = [one.raw.bytes if isinstance(one.raw, LongLine) else len(one.raw) for one in them]
    assert sizes == [len(json.dumps(value)) for value in values]
    assert [isinstance(one.raw, LongLine) for one in them] == [True, True, False, True]


def test_elements_on_one_line_are_named_and_not_counted_as_one_line(tmp_path: Path) -> None:
    examples = [question(number, GREY if number in {2, 5, 6, 9} else IMAGE) for number in range(12)]
    one_line = write(tmp_path, json.dumps(examples), "one-line.json")
    pretty = write(tmp_path, json.dumps(examples, indent=1), "pretty.json")
    lines = [line for line, _ in places(pretty.read_text())]

    text = render_text(lint(one_line, select=["image"]))

    assert "(/2/messages/0/content/1); 3 more" in " ".join(text.split())
    assert ": #5-6, #9\n" in text
    assert "\nFAILED  4 findings; [*] 4 can be repaired: " in text
    text = " ".join(render_text(lint(pretty, select=["image"])).split())
    assert f"3 more, same image: {lines[5]}, {lines[6]}, {lines[9]} " in text
    assert " 4 of " in text
    assert "#" not in text


def test_the_report_does_not_depend_on_shards_and_counts_all_bad_lines(tmp_path: Path) -> None:
    examples = [question(number % 9, GREY if number % 4 else IMAGE) for number in range(40)]
    source = Source(str(write(tmp_path, json.dumps(examples, indent=1))))

    whole = lint_files([source], plan(max_findings=3))
    parts = lint_files([source], plan(max_findings=3), shard_bytes=700)

    assert parts == whole
    starts = [line for line, _ in places(Path(source.path).read_text())]
    bad = [line for line, number in zip(starts, range(40), strict=True) if number % 4]
    ranges = whole.files[0].bad_lines["image/unsupported-mode"]
    assert [line for first, last in ranges for line in range(first, last + 1)] == bad
    assert whole.dropped["image/unsupported-mode"] == 27


def test_repeated_content_is_found_between_arrays_and_lines(tmp_path: Path) -> None:
    pretty = write(tmp_path, json.dumps(EXAMPLES, indent=1), "train.json")
    lines = write(tmp_path, json.dumps(EXAMPLES[7]) + "\n", "test.jsonl")

    (finding,) = [one for one in lint(pretty, test=lines).findings if one.rule == "dataset/split-leak"]

    place = list(places(pretty.read_text()))[7][0]
    assert (finding.line, finding.pointer) == (1, "")
    assert f"{pretty}:{place}" in finding.message


def test_fingerprints_do_not_change_when_elements_move(tmp_path: Path) -> None:
    def names(examples: list[Any]) -> list[str]:
        report = lint(write(tmp_path, json.dumps(examples)), select=["image/unsupported-mode"])
        return fingerprints(report.findings, {str(tmp_path / "train.json"): "train.json"})

    before = names([question(1, GREY), question(2, GREY)])

    assert names([question(0), question(1, GREY), question(2, GREY)]) == before
    assert len(set(before)) == 2


def test_unchanged_shards_are_remembered_with_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    padding = "x" * 100_000
    examples = [{**question(number, GREY), "padding": padding} for number in range(12)]
    write(tmp_path, json.dumps(examples, indent=1))

    first = lint("train.json")
    with patch("pytest_vft.checking.shard.parse_element", side_effect=AssertionError):
        second = lint("train.json")
    write(tmp_path, "\n" + json.dumps([question(99), *examples], indent=1))
    moved = lint("train.json")

    assert second == first
    grey = [[one for one in found(report) if one[0] == "image/unsupported-mode"] for report in (first, moved)]
    assert [pointer for _, _, pointer in grey[1]] == [
        pointer.replace(f"/{number}/", f"/{number + 1}/", 1) for number, (_, _, pointer) in enumerate(grey[0])
    ]


def test_elements_are_shown_by_line_and_by_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = [*EXAMPLES, question(12, GREY)]
    write(tmp_path, json.dumps(examples, indent=1), "pretty.json")
    write(tmp_path, json.dumps(examples), "one-line.json")
    write(tmp_path, json.dumps(EXAMPLES[0]), "train.jsonl")
    start = list(places(Path("pretty.json").read_text()))[12][0]

    def show(place: str) -> str:
        main(["show", place])
        output = capsys.readouterr()
        return output.out + output.err

    shown = show(f"pretty.json:{start}")
    assert shown.startswith(f"pretty.json:{start} (#12)  train, 1 image, ")
    assert "/12/messages/0/content/1" in shown
    assert "(image 1)" in shown
    assert show(f"pretty.json:{start + 5}") == show("pretty.json:#12") == shown
    assert show("one-line.json:#12").startswith("one-line.json:1 (#12)  train")
    assert "line 1 has the elements #0 to #12; name one, as in one-line.json:#0" in show("one-line.json:1")
    assert "no element on line 1" in show("pretty.json:1")
    assert "no element on line 9,999" in show("pretty.json:9999")
    assert "no element #13; the array has 13 elements, from #0" in show("pretty.json:#13")
    assert "is not a JSON array; expected FILE:LINE" in show("train.jsonl:#0")
    assert "expected FILE:#INDEX" in show("pretty.json:#x")


def test_records_of_trainers_are_read_in_their_format_with_places_in_the_array(tmp_path: Path) -> None:
    write(tmp_path, base64.b64decode(IMAGE.partition(",")[2]), "1.png")
    records = [
        {
            "conversations": [
                {"from": "human", "value": f"<image>What is {n}?"},
                {"from": "gpt", "value": f"{n}."},
            ]
        }
        for n in range(12)
    ]
    for record in records:
        record["image"] = "1.png"  # type: ignore[assignment]
    records[7]["conversations"][1]["value"] = ""

    report = lint(write(tmp_path, json.dumps(records, indent=2)), ignore=["file/json-array"])

    assert report.files[0].data_format == "sharegpt"
    assert (report.files[0].examples, report.files[0].images) == (12, 12)
    assert [(one.rule, one.pointer) for one in report.findings] == [
        ("message/empty-content", "/7/conversations/1")
    ]


def test_rows_of_a_spreadsheet_name_the_example_of_each_finding(tmp_path: Path) -> None:
    examples = [{"id": f"a{number}", **question(number, GREY)} for number in range(3)]

    rows = render(lint(write(tmp_path, json.dumps(examples)), select=["image/unsupported-mode"]), "csv")

    assert [row.split('","')[1:4] for row in rows.splitlines()[1:]] == [
        [f"a{number}", f"What is in picture {number}?", "image 1"] for number in range(3)
    ]


def test_the_test_split_of_an_evaluation_may_be_an_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, json.dumps([{"id": number, **question(number)} for number in range(12)]), "test.json")
    said = [
        {"id": number, "prediction": f'Number {number}, a "dog" {{' if number else "?"}
        for number in range(12)
    ]
    write(tmp_path, "".join(json.dumps(one) + "\n" for one in said), "predictions.jsonl")

    code = main(["eval", "predictions.jsonl", "--test=test.json", "--min-accuracy=0.99", "--metric=exact"])

    output = capsys.readouterr().out
    assert code == 1, output
    assert "test.json:#0" in output
    assert "vft show test.json:#0 --save DIR" in output
