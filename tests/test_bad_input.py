"""Content of a file that is not an example is named, and does not hide other findings."""

from __future__ import annotations

import base64
import bz2
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft import Report, UsageError, build_example, lint
from pytest_vft.catalogue.cases import data_url, draw
from pytest_vft.reading.lines import parse_line
from pytest_vft.reading.shards import LongLine, Shard, read_lines

GREY = data_url("png 24x24 l")


def good(number: int, **more: Any) -> bytes:
    return json.dumps(
        build_example(f"What is {number}?", f"It is {number}.", data_url("png 24x24 rgb")) | more
    ).encode()


FAULTY = json.dumps(build_example("What is grey?", "This.", GREY)).encode()
LINES = [good(number) for number in range(12)]


def found(report: Report) -> list[tuple[str, int | None]]:
    return [(finding.rule, finding.line) for finding in report.findings]


def write(folder: Path, content: bytes) -> str:
    path = folder / "train.jsonl"
    path.write_bytes(content)
    return str(path)


def text(said: str) -> bytes:
    return (
        b'{"messages": [{"role": "user", "content": "%s"}, {"role": "assistant", "content": "1"}]}'
        % said.encode()
    )


# What stays silent.


@pytest.mark.parametrize(
    "line",
    [
        good(20) + b"\r",
        text("Two\u2028lines\u2029here\x85and\u000chere".replace("\x0c", "\\f")),
        text("A lone \\r and a NUL \\u0000 are characters"),
        text("A pair \\ud83d\\ude00 of surrogates"),
        b"  " + good(20) + b"  \t",
        good(20).replace(b'"role"', b'"\\u0072ole"'),
    ],
    ids=["CRLF", "separators", "escapes", "surrogates", "white space", "escaped key"],
)
def test_odd_line_is_fine(tmp_path: Path, line: bytes) -> None:
    assert found(lint(write(tmp_path, b"\n".join([*LINES, line]) + b"\n"))) == []


def test_no_newline_at_the_end_is_fine(tmp_path: Path) -> None:
    assert found(lint(write(tmp_path, b"\n".join(LINES)))) == []


# What is found.


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b'{"messages": [', "line/invalid-json"),
        (good(20)[:-1] + b",}", "line/invalid-json"),
        (good(20) + good(21), "line/invalid-json"),
        (b'{"messages": [], "x": NaN}', "line/invalid-json"),
        (b'{"messages": [], "x": -Infinity}', "line/invalid-json"),
        (b"[" * 100_000 + b"]" * 100_000, "line/invalid-json"),
        (b"1" * 5_000, "line/invalid-json"),
        (text("A lone \\ud800 surrogate"), "line/invalid-json"),
        (text("A raw \0 NUL"), "line/invalid-json"),
        (b"\r\r", "line/blank"),
        (b"\xff\xfe{}", "line/not-utf8"),
        (text("A lone surrogate").replace(b"lone", b"\xed\xa0\x80"), "line/not-utf8"),
        (good(20).replace(b'"role": "user"', b'"role": "user", "role": "user"'), "line/duplicate-key"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "example/invalid-shape"),
        (b"[" + good(20) + b"]", "line/not-an-object"),
        (b'"' + base64.b64encode(good(20)) + b'"', "line/not-an-object"),
        (good(20, id=7), "example/unknown-key"),
        (b"{}", "example/invalid-shape"),
    ],
)
def test_bad_line_is_named_and_hides_nothing(tmp_path: Path, line: bytes, rule: str) -> None:
    content = b"\n".join([*LINES[:6], FAULTY, line, *LINES[6:], FAULTY.replace(b"grey", b"gray")]) + b"\n"

    report = lint(write(tmp_path, content))

    assert found(report) == [("image/unsupported-mode", 7), (rule, 8), ("image/unsupported-mode", 15)]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "file/too-few-examples"),
        ("\n".join(["{}"] * 12).encode("utf-16"), "file/not-jsonl"),
        (b"\n".join(LINES).decode().encode("utf-16-le"), "file/not-jsonl"),
        (b"[\n" + b",\n".join(LINES) + b"\n]", "file/json-array"),
        (json.dumps([json.loads(line) for line in LINES]).encode(), "file/json-array"),
        (json.dumps(json.loads(LINES[0]), indent=2).encode(), "file/not-jsonl"),
        (bz2.compress(b"\n".join(LINES)), "file/not-jsonl"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "file/not-jsonl"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "file/git-lfs-pointer"),
        (b"\xef\xbb\xbf" + b"\n".join(LINES), "file/byte-order-mark"),
    ],
)  # fmt: skip
def test_bad_file_is_one_finding(tmp_path: Path, content: bytes, rule: str) -> None:
    assert found(lint(write(tmp_path, content))) == [(rule, None)]


def test_file_that_is_missing_and_folder_without_data_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        lint(tmp_path / "gone.jsonl")
    with pytest.raises(UsageError, match=r"the folder has no .jsonl or .ndjson files"):
        lint(tmp_path)


def test_huge_image_on_one_line_is_too_large_and_no_more(tmp_path: Path) -> None:
    image = draw("jpeg 24x24 rgb")[1].ljust(157_286_400, b"\0")
    before, after = good(20).split(data_url("png 24x24 rgb").encode())
    line = before + b"data:image/jpeg;base64," + base64.b64encode(image) + after

    assert len(line) > 200_000_000
    assert found(lint(write(tmp_path, b"\n".join([line, *LINES])))) == [("image/too-large", 1)]


def test_line_longer_than_a_file_may_be_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    with path.open("wb") as file:
        file.write(b"\n".join(LINES) + b'\n{"messages": "')
        file.seek(600 * 1024 * 1024)  # a hole: it takes no room on the disk
        file.write(b'"}\n' + FAULTY + b"\n")

    report = lint(path)

    assert found(report) == [("file/large", None), ("line/too-long", 13), ("image/unsupported-mode", 14)]
    assert {rule.id for rule in report.rules if rule.tally.unknown} == {
        "line/invalid-json",
        "line/not-an-object",
        "line/not-utf8",
    }


@given(
    st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=8), st.integers(1, 30)
)
@settings(deadline=None)
def test_lines_are_whole_up_to_the_limit(
    tmp_path_factory: pytest.TempPathFactory, written: list[bytes], longest: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "long.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in written))

    read = list(read_lines(Shard(str(path), "train", 0, path.stat().st_size), longest))

    assert read == [
        line + b"\n" if len(line) < longest else LongLine(len(line) + 1, newline=True) for line in written
    ]
    assert [parse_line(line).bytes for line in read] == [len(line) for line in written]


# Whatever stands in a file.

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False), st.text(max_size=5)
)
words = st.sampled_from(
    ["messages", "role", "content", "user", "assistant", "text", "type", "image_url", "url", "weight", GREY]
)
values = st.recursive(
    st.one_of(scalars, words),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(words, st.text(max_size=3)), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
@settings(deadline=None, max_examples=60)
def test_any_value_as_a_line_is_judged_alike_twice(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    line = json.dumps(value).encode()
    content = b"\n".join([*LINES, line, FAULTY])
    path = write(tmp_path_factory.getbasetemp(), content)

    report = lint(path)

    assert ("image/unsupported-mode", 14) in found(report)
    assert list(others(report)) == list(others(lint(path)))


def others(report: Report) -> Iterator[tuple[str, int | None, str, str]]:
    for one in report.findings:
        yield one.rule, one.line, one.pointer, one.message
