"""A shard that has not changed is only read, and the report is the same."""

from __future__ import annotations

import json
import pickle
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import plan

from pytest_vft.catalogue.cases import data_url
from pytest_vft.checking import memory, shard
from pytest_vft.checking.memory import pack, unpack
from pytest_vft.checking.shard import ShardLinter
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.lines import Line, parse_line
from pytest_vft.reading.shards import Shard
from pytest_vft.runs.lint import lint


def example(*urls: str, question: str = "What is this?", answer: str = "A dog.") -> str:
    content: list[Any] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    messages = [
        {"role": "user", "content": "And that?"},
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": [*content, {"type": "text", "text": question}]},
        {"role": "assistant", "content": answer},
    ]
    return json.dumps({"messages": messages})


GREY, GREEN = data_url("jpeg 16x16 l"), data_url("png 16x16 rgb")
LINES = [
    example(GREEN),
    example(GREY, GREEN, question="\x1b[31m", answer="Où?"),
    example("data:image/png;base64,!!!!"),
    example("https://example.com/1.jpg"),
    '{"messages": []',
    "",
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(memory, "_SMALLEST_SHARD", 1)
    write()
    return tmp_path


def write(*more: str) -> None:
    lines = [example(GREEN, question=f"What is {number}?") for number in range(20)]
    Path("train.jsonl").write_text("\n".join([*lines, *more]) + "\n", encoding="utf-8")


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    """Return a list that grows by each line that is parsed."""
    lines: list[Line] = []

    def parse(*given: Any) -> Line:
        lines.append(parse_line(*given))
        return lines[-1]

    monkeypatch.setattr(shard, "parse_line", parse)
    return lines


@given(st.lists(st.sampled_from(LINES), max_size=8), st.integers(0, 3))
@settings(deadline=None, max_examples=50)
def test_result_of_a_shard_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], most: int
) -> None:
    path = tmp_path_factory.mktemp("memory") / "train.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    counted = ShardLinter(plan(max_findings=most), ImageStore(full=True)).lint(
        Shard(str(path), "train", 0, path.stat().st_size)
    )
    counted.urls = counted.linked = {}  # with URLs it would not be remembered
    counted.pack()

    packed = pack(counted)

    assert packed is not None
    assert unpack(packed) == counted


@pytest.mark.parametrize("packed", [b"", b"{}", b"[]", b"[[],[],{},[],{}]", b'[[1],["A"],{},[],{}]', b"\xff"])
def test_anything_else_is_no_result(packed: bytes) -> None:
    assert unpack(packed) is None


def test_second_run_parses_nothing_and_says_the_same(parsed: list[Line]) -> None:
    write(*(line for line in LINES if "https:" not in line))

    first = lint("train.jsonl")
    number = len(parsed)
    second = lint("train.jsonl")

    assert number == 20 + len(LINES) - 1
    assert len(parsed) == number
    assert second == first
    assert not first.ok


def test_workers_get_only_what_is_new() -> None:
    submitted = []

    class Workers(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            submitted.extend(Path(one.shard.path).name for one in pickle.loads(args[-1]))  # noqa: S301 - as a worker does
            return super().submit(fn, *args, **kwargs)

    text = Path("train.jsonl").read_text(encoding="utf-8")
    Path("more.jsonl").write_text(text.replace("What is", "What was"), encoding="utf-8")
    with Workers(2) as workers:
        lint("train.jsonl", executor=workers)
        both = lint("train.jsonl", "more.jsonl", executor=workers)

    assert submitted == ["train.jsonl", "more.jsonl"]
    assert both == lint("train.jsonl", "more.jsonl", cache=False)


def test_broken_file_is_set_aside_with_a_note(here: Path) -> None:
    lint("train.jsonl")
    path = here / ".vft_cache" / "shards.sqlite"
    path.write_bytes(b"no database" * 1000)

    (note,) = lint("train.jsonl").notes

    assert "shards.sqlite is renamed to shards.broken" in note
    assert not lint("train.jsonl").notes


def test_changed_byte_far_behind_is_noticed(parsed: list[Line], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_HEAD", 64)
    lint("train.jsonl")
    parsed.clear()
    text = Path("train.jsonl").read_text(encoding="utf-8")
    Path("train.jsonl").write_text(text.replace("What is 19?", "What is 18?"), encoding="utf-8")

    report = lint("train.jsonl")

    assert len(parsed) == 20
    assert "dataset/duplicate-example" in {finding.rule for finding in report.findings}


@pytest.mark.parametrize(
    "toml",
    [
        "max_findings = 7",
        "[params]\n'image/too-small' = {min_side = 99}",
        "[severity]\n'image/too-small' = 'error'",
        "[ignore]\n'image/too-small' = 'a reason'",
        "[data]\nvalidation = 'train.jsonl'",
        "provider = 'azure'\nmodel = 'gpt-4.1-2025-04-14'",
    ],
)
def test_other_settings_are_another_run(parsed: list[Line], toml: str) -> None:
    Path("vft.toml").write_text("", encoding="utf-8")
    lint("train.jsonl")
    parsed.clear()
    Path("vft.toml").write_text(toml, encoding="utf-8")

    lint("train.jsonl")
    assert len(parsed) == 20
    lint("train.jsonl")
    assert len(parsed) == 20


def test_shards_with_urls_are_not_cache_row(parsed: list[Line]) -> None:
    write(example("https://example.com/1.jpg"))

    lint("train.jsonl", offline=True)
    lint("train.jsonl", offline=True)

    assert len(parsed) == 2 * 21


def test_small_shards_are_not_worth_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(here)

    lint("train.jsonl")

    assert not (here / ".vft_cache" / "shards.sqlite").exists()


def test_row_that_was_changed_is_not_believed(parsed: list[Line]) -> None:
    expected = lint("train.jsonl")
    path = Path(".vft_cache/shards.sqlite")
    with closing(sqlite3.connect(path)) as table, table:
        ((value,),) = table.execute("SELECT value FROM shards").fetchall()
        for place in range(0, len(value), 61):
            changed = bytearray(value)
            changed[place] ^= 1
            table.execute("UPDATE shards SET value = ?", (bytes(changed),))
            table.commit()
            parsed.clear()
            assert lint("train.jsonl") == expected
            assert parsed
            table.execute("UPDATE shards SET value = 'text'")


def test_oldest_results_make_room(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_MOST_BYTES", 6_000)
    for number in range(9):
        write(example(GREEN, question=f"What is number {number}?"))
        lint("train.jsonl")

    with closing(sqlite3.connect(here / ".vft_cache" / "shards.sqlite")) as table:
        sizes = [size for (size,) in table.execute("SELECT length(value) FROM shards ORDER BY rowid")]

    assert len(sizes) >= 2
    assert sum(sizes) <= 6_000
    assert 6_000 - sum(sizes) < max(sizes)
