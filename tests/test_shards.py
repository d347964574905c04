"""However a file is cut, its lines are the same."""

from __future__ import annotations

from itertools import groupby, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import plan

from pytest_vft.checking.lint import lint_files
from pytest_vft.model import Source
from pytest_vft.reading.shards import Shard, cut_shards, read_lines

contents = st.lists(
    st.sampled_from(
        [b"\n", b"\n\n", b"\r\n", b"\r", b"\x0b\x0c", "\u2028\u0085".encode(), b"\0", b"abc", b"{}"]
    )
    | st.binary(max_size=5),
    max_size=20,
).map(b"".join)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shards") / "train.jsonl"


def cut(path: Path, content: bytes, shard_bytes: int, start: int = 0) -> list[Shard]:
    path.write_bytes(content)
    return cut_shards(str(path), "train", start, len(content), shard_bytes)


@given(content=contents, shard_bytes=st.integers(1, 40), start=st.integers(0, 3))
@settings(deadline=None, max_examples=300)
def test_shards_join_to_the_file(path: Path, content: bytes, shard_bytes: int, start: int) -> None:
    start = min(start, len(content))

    shards = cut(path, content, shard_bytes, start)

    ends = [start, *(shard.end for shard in shards)]
    assert [(shard.start, shard.end) for shard in shards] == list(pairwise(ends))
    assert ends[-1] == len(content)
    assert all(shard.start < shard.end for shard in shards)
    assert all(content[shard.start - 1 : shard.start] == b"\n" for shard in shards[1:])
    assert all(b"\n" not in content[shard.start + shard_bytes - 1 : shard.end - 1] for shard in shards)


@given(content=contents, shard_bytes=st.integers(1, 40))
@settings(deadline=None, max_examples=300)
def test_lines_end_at_newlines_only(path: Path, content: bytes, shard_bytes: int) -> None:
    lines = [
        line.removesuffix(b"\n") for shard in cut(path, content, shard_bytes) for line in read_lines(shard)
    ]

    expected = content.split(b"\n")
    assert lines == (expected[:-1] if expected[-1] == b"" else expected)


def test_empty_file_has_no_shards(path: Path) -> None:
    assert cut(path, b"", 10) == []


def test_file_below_the_size_is_one_shard(path: Path) -> None:
    assert cut(path, b"a\nb\n", 4) == [Shard(str(path), "train", 0, 4)]


def test_line_longer_than_a_shard_stays_whole(path: Path) -> None:
    long = b"x" * (3 * 1024 * 1024)  # longer than any buffer

    shards = cut(path, long + b"\n" + long + b"\nend", 100)

    assert [line for shard in shards for line in read_lines(shard)] == [long + b"\n", long + b"\n", b"end"]
    assert len(shards) == 3


def test_start_is_left_out(path: Path) -> None:
    (shard,) = cut(path, b"\xef\xbb\xbfa\nb", 100, start=3)

    assert list(read_lines(shard)) == [b"a\n", b"b"]


def test_file_that_is_gone_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        cut_shards(str(tmp_path / "gone"), "train", 0, 1_000, 100)
    with pytest.raises(FileNotFoundError):
        list(read_lines(Shard(str(tmp_path / "gone"), "train", 0, 10)))


@pytest.mark.parametrize("kept", [0, 3, 7])
def test_file_that_shrank_ends_early(path: Path, kept: int) -> None:
    shards = cut(path, b"abc\ndef\nghi\n", 4)
    path.write_bytes(b"abc\ndef\nghi\n"[:kept])

    lines = [line.removesuffix(b"\n") for shard in shards for line in read_lines(shard)]

    assert b"".join(lines) == b"abc\ndef\nghi\n"[:kept].replace(b"\n", b"")


# Blank lines

BLANKS = st.sampled_from([b"\n", b"\r\n", b" \n"]).flatmap(
    lambda line: st.sampled_from([1, 2, 3, 7, 64, 300]).map(lambda times: line * times)
)
LINES_AND_BLANKS = st.lists(BLANKS | st.sampled_from([b"{}\n", b"x\n"]), max_size=8).map(b"".join)


@given(content=LINES_AND_BLANKS, end=st.sampled_from([b"", b"{}", b" "]))
@settings(deadline=None)
def test_equal_blank_lines_are_read_as_one(path: Path, content: bytes, end: bytes) -> None:
    path.write_bytes(content + end)

    folded = list(read_lines(Shard(str(path), "train", 0, 2**20), folded=True))
    runs = [(line, len(list(run))) for line, run in groupby((content + end).splitlines(keepends=True))]

    assert folded == [
        text
        for line, times in runs
        for text in ([line * times] if line in (b"\n", b"\r\n") else [line] * times)
    ]


@given(content=LINES_AND_BLANKS, most=st.sampled_from([0, 1, 5, 1_000]))
@settings(deadline=None, max_examples=50)
def test_blank_lines_count_one_by_one(path: Path, content: bytes, most: int) -> None:
    """Shards of a line each have nothing to fold."""
    path.write_bytes(content)
    sources, rules = [Source(str(path))], plan(max_findings=most)

    assert lint_files(sources, rules) == lint_files(sources, rules, shard_bytes=1)


def test_millions_of_blank_lines_are_one_rule(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"{}\n" + b"\n" * 5_000_000 + b"{}\n")

    result = lint_files([Source(str(path))], plan(max_findings=3))

    blank = [placed.found.line for placed in result.findings if placed.found.rule == "line/blank"]
    assert blank == [2, 3, 4]
    assert result.dropped["line/blank"] == 4_999_997
    assert result.files[0].lines == 5_000_002
    assert result.files[0].examples == 2
    assert result.files[0].tallies["line/blank"].failed == 5_000_000
    assert list(result.files[0].bad_lines["line/blank"]) == [(2, 5_000_001)]
    assert {placed.found.rule for placed in result.findings if placed.found.line in range(2, 5_000_002)} == {
        "line/blank"
    }
