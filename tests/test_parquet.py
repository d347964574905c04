"""Parquet files as pyarrow and datasets write them: every format is read, and findings name the row."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forms import FORMS, Example, checked, examples_of, found, images, write
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft import UsageError, lint, show
from pytest_vft.catalogue.cases import draw
from pytest_vft.cli import main
from pytest_vft.facts.table import table_facts
from pytest_vft.reading.parquet import cut_rows, read_rows

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])  # a column of type Image of datasets
# Forms whose values have one type a column, as Parquet needs.
TABLES = [
    *("sharegpt", "llava", "llamafactory", "alpaca", "trl", "trl, strings", "trl completion"),
    *("trl preference", "swift query", "swift preference", "openai-preference"),
    *("axolotl lists", "swift lists"),
]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def in_lists(key: str) -> Callable[[int, Any], Example]:
    """Return a function that makes an example with images in parts, in which all contents are lists."""
    return lambda n, i: {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image", key: i}, {"type": "text", "text": "Which lot?"}],
            },
            {"role": "assistant", "content": [{"type": "text", "text": f"{n}"}]},
        ]
    }


def rows_of(name: str) -> list[Example]:
    if name == "axolotl lists":
        return [in_lists("path")(n, image) for n, image in enumerate(images())]
    if name == "swift lists":
        return [in_lists("image")(n, image) for n, image in enumerate(images())]
    return examples_of(name)


def write_rows(rows: Sequence[Mapping[str, Any]], name: str = "train.parquet", **options: Any) -> str:
    pq.write_table(pa.Table.from_pylist(list(rows)), name, **options)
    return name


def png(number: int) -> bytes:
    return draw(f"png {64 + number}x64 rgb")[1]


def with_images(number: int = 12, **columns: Any) -> pa.Table:
    """Return rows of TRL whose images are inside, with *columns* in place of its own."""
    rows = [FORMS["trl"].example(n, "") for n in range(number)]
    inside = [[{"bytes": png(n), "path": f"{n}.png"}] for n in range(number)]
    return pa.table(
        {
            "messages": [row["messages"] for row in rows],
            "images": pa.array(inside, type=pa.list_(IMAGE)),
            **columns,
        }
    )


@pytest.mark.parametrize("name", TABLES)
def test_sound_rows_are_silent_and_their_format_is_found_out(name: str) -> None:
    rows = rows_of(name)
    write(*rows, name="lines.jsonl")
    expected = lint("lines.jsonl", offline=True, cache=False)

    report = lint(write_rows(rows, row_group_size=5), offline=True, cache=False)

    others = [one for one in found(report) if one[0] != "file/parquet"]  # OpenAI reads JSON Lines only
    assert others == []
    (file,), (lines,) = report.files, expected.files
    assert file.data_format == lines.data_format
    assert (file.lines, file.examples, file.images) == (12, lines.examples, lines.images)
    assert (file.distinct_images, file.answered) == (lines.distinct_images, lines.answered)


def test_images_inside_have_the_keys_of_the_same_images_elsewhere() -> None:
    pq.write_table(with_images(), "train.parquet", row_group_size=5)
    write(*examples_of("trl"), name="validation.jsonl")

    report = lint("train.parquet", "validation.jsonl", offline=True, cache=False, max_tokens=0)

    assert [file.distinct_images for file in report.files] == [12, 12]
    assert {one.rule for one in report.findings} == {"dataset/split-leak"}


def test_faulty_rows_and_images_are_found_at_their_places() -> None:
    table = with_images().to_pylist()
    table[2]["images"][0]["bytes"] = b"no image"
    table[4]["images"][0]["bytes"] = png(4)[:100]
    table[6]["messages"][1]["content"][0]["text"] = " "
    table[8]["messages"][0]["role"] = "usr"
    schema = with_images().schema
    pq.write_table(pa.Table.from_pylist(table, schema=schema), "train.parquet", row_group_size=5)

    assert found(checked("train.parquet")) == [
        ("image/undecodable", 3, "/images/0"),
        ("image/truncated", 5, "/images/0"),
        ("message/empty-content", 7, "/messages/1"),
        ("example/invalid-shape", 9, "/messages/0/role"),
    ]


def test_nulls_are_missing() -> None:
    rows = with_images().to_pylist()
    for row in rows:
        row["tools"] = None
        row["messages"][0]["content"][0]["text"] = None
    rows[3]["images"] = None
    rows[3]["messages"][0]["content"] = [{"type": "text", "text": "Which?"}]
    schema = with_images().schema.append(pa.field("tools", pa.string()))
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), "train.parquet")

    report = checked("train.parquet")

    assert found(report) == []
    assert report.files[0].images == 11


def test_an_image_without_bytes_is_the_file_at_its_path() -> None:
    inside = [[{"bytes": None, "path": path}] for path in images()]
    pq.write_table(with_images(images=pa.array(inside, type=pa.list_(IMAGE))), "train.parquet")

    report = checked("train.parquet")

    assert found(report) == []
    assert report.files[0].distinct_images == 12
    Path("images/7.png").unlink()
    assert found(checked("train.parquet")) == [("image/not-found", 8, "/images/0")]


def test_types_that_json_does_not_have_are_no_fault() -> None:
    columns = {
        "score": pa.array([1.5] * 11 + [float("nan")]),
        "day": pa.array([20_000] * 12, pa.date32()),
        "price": pa.array([None] * 12, pa.decimal128(10, 2)),
        "map": pa.array([[("a", 1)]] * 12, pa.map_(pa.string(), pa.int64())),
        "large": pa.array([2**64 - 1] * 12, pa.uint64()),
    }
    pq.write_table(with_images(**columns), "train.parquet")

    assert found(checked("train.parquet")) == []


@pytest.mark.parametrize("size", [1, 5, 100])
def test_row_groups_change_nothing(size: int) -> None:
    pq.write_table(with_images(30), "train.parquet", row_group_size=size)

    report = checked("train.parquet")

    assert report.ok
    assert (report.files[0].lines, report.files[0].distinct_images) == (30, 30)


def test_shards_hold_each_row_once() -> None:
    pq.write_table(with_images(30), "train.parquet", row_group_size=4)
    whole = [row for shard in cut_rows("train.parquet", "train", 2**30) for row in read_rows(shard)]

    for size in (1, 2_000, 10_000):
        shards = cut_rows("train.parquet", "train", size)
        assert [row for shard in shards for row in read_rows(shard)] == whole
    assert len(whole) == 30
    assert len(cut_rows("train.parquet", "train", 1)) == 8


def test_unchanged_row_groups_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    table = with_images(30, note=["x" * 100_000] * 30)
    pq.write_table(table, "train.parquet", compression="none", use_dictionary=False)
    first = lint("train.parquet", max_tokens=0)

    def fail(_: Any) -> None:
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr("pytest_vft.checking.shard.read_row_batches", fail)
        again = lint("train.parquet", max_tokens=0)
    assert (again.findings, again.files) == (first.findings, first.files)

    rows = table.to_pylist()
    rows[7]["messages"][1]["content"][0]["text"] = ""
    pq.write_table(
        pa.Table.from_pylist(rows, schema=table.schema),
        "train.parquet",
        compression="none",
        use_dictionary=False,
    )
    assert ("message/empty-content", 8, "/messages/1") in found(lint("train.parquet", max_tokens=0))


def test_an_example_is_shown_by_its_row() -> None:
    pq.write_table(with_images(), "train.parquet", row_group_size=5)

    shown = show("train.parquet", 8)

    assert "[image 1] PNG 71x64 RGB, " in shown
    assert "no findings" in shown
    with pytest.raises(UsageError, match=r"train\.parquet: no line 13; the file has 12 lines"):
        show("train.parquet", 13)
    assert main(["show", "train.parquet:8", "--save=saved"]) == 0
    assert Path("saved/train-8-1.png").read_bytes() == png(7)


def test_the_split_is_that_of_the_name() -> None:
    for name in ("train-00000-of-00002.parquet", "test-00000-of-00001.parquet"):
        pq.write_table(with_images(), name)

    report = lint("train-00000-of-00002.parquet", "test-00000-of-00001.parquet", offline=True, cache=False)

    assert [file.split for file in report.files] == ["train", "test"]


def test_a_folder_is_searched_for_json_lines_only() -> None:
    Path("data").mkdir()
    pq.write_table(with_images(), "data/train.parquet")

    assert main(["check", "data"]) == 2
    assert main(["check", "data/*.parquet", "--max-tokens=0"]) == 0


def test_a_table_without_examples_leads_to_build(capsys: pytest.CaptureFixture[str]) -> None:
    inside = pa.array([{"bytes": png(n), "path": None} for n in range(12)], type=IMAGE)
    table = pa.table({"id": range(12), "image": inside, "question": ["One?"] * 12, "answer": ["1"] * 12})
    pq.write_table(table, "train.parquet")

    assert main(["check", "train.parquet"]) == 1
    words = " ".join(capsys.readouterr().out.split())
    assert "is a table (id, image, question, answer), not examples;" in words
    assert "--question=question --answer=answer --image=image --id=id" in words
    (finding,) = checked("train.parquet", provider="trl").findings
    assert finding.rule == "file/no-data-format"


def test_columns_are_guessed_by_name_and_hostile_names_are_shown_safely() -> None:
    assert table_facts(["a\x1b[31m", "Caption", "file_name", *"bcdefgh"]) == {
        "columns": "a\\x1b[31m, Caption, file_name, b, c, d, e, f and 2 more",
        "build_options": "--question=COLUMN --answer=Caption --image=file_name",
    }
    assert table_facts(["question; rm -rf", "answer"])["build_options"].startswith("--question=COLUMN ")


def test_a_table_without_rows_has_no_examples() -> None:
    pq.write_table(with_images().slice(0, 0), "test.parquet")

    report = lint(test="test.parquet", offline=True, cache=False, provider="trl")

    assert [one.rule for one in report.findings] == ["file/empty"]


def damaged() -> dict[str, bytes]:
    buffer = io.BytesIO()
    pq.write_table(with_images(), buffer, compression="snappy", row_group_size=5)
    whole = buffer.getvalue()
    pages = bytearray(whole)
    pages[300:700] = b"\xff" * 400
    footer = bytearray(whole)
    footer[-200:-100] = b"\xff" * 100
    return {
        "whole": whole,
        "half": whole[: len(whole) // 2],
        "start": whole[:4],
        "pages": bytes(pages),
        "footer": bytes(footer),
        "length of the footer": whole[:-8] + b"\xff\xff\xff\x7f" + b"PAR1",
        "encrypted": b"PARE" + whole[4:-4] + b"PARE",
    }


@pytest.mark.parametrize("kind", list(damaged())[1:])
def test_damaged_files_are_findings(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("train.parquet").write_bytes(damaged()[kind])

    report = lint("train.parquet", offline=True, cache=False)

    assert [one.rule for one in report.findings] == ["file/unreadable"]
    assert report.findings[0].message.startswith("cannot be read: ")
    assert main(["show", "train.parquet:1"]) == 2
    assert "train.parquet" in capsys.readouterr().err


def test_processes_change_nothing() -> None:
    table = with_images(30, note=["x" * 400_000] * 30)
    pq.write_table(table, "train.parquet", row_group_size=10, compression="none", use_dictionary=False)
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        report = checked("train.parquet", executor=executor)
        assert (report.files[0].lines, report.files[0].distinct_images) == (30, 30)
        Path("train.parquet").write_bytes(damaged()["pages"])
        (finding,) = lint("train.parquet", offline=True, cache=False, executor=executor).findings
    assert finding.rule == "file/unreadable"


def test_rows_that_are_too_large_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(with_images(), "train.parquet")
    monkeypatch.setattr("pytest_vft.reading.parquet._LARGEST_ROW", 100)

    (finding,) = lint("train.parquet", offline=True, cache=False).findings

    assert finding.message == "cannot be read: its rows have more than 100 bytes"


WHOLE = damaged()["whole"]


@given(st.lists(st.tuples(st.integers(4, len(WHOLE) - 5), st.integers(0, 255)), min_size=1, max_size=20))
# Always the same bytes: pyarrow 26.0.1 once ended the process at random ones, which no Python code prevents.
@settings(max_examples=40, deadline=None, derandomize=True)
def test_changed_bytes_do_not_end_a_run(changes: list[tuple[int, int]]) -> None:
    content = bytearray(WHOLE)
    for place, byte in changes:
        content[place] = byte
    Path("train.parquet").write_bytes(content)

    assert len(lint("train.parquet", offline=True, cache=False).files) == 1


def test_text_that_is_not_utf8_is_a_finding() -> None:
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
    )
    pq.write_table(pa.table({"query": broken, "response": ["1"]}), "train.parquet")

    (finding,) = checked("train.parquet", provider="swift", select="file/unreadable").findings

    assert "utf-8" in finding.message


WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from importlib import util
found = util.find_spec
util.find_spec = lambda name, *rest: None if name == "pyarrow" else found(name, *rest)
from pytest_vft.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", [["check", "train.parquet"], ["show", "train.parquet:1"]])
def test_without_pyarrow_the_extra_is_named(command: list[str]) -> None:
    pq.write_table(with_images(), "train.parquet")

    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYARROW, *command], capture_output=True, text=True, check=False
    )

    assert run.returncode in (1, 2)
    assert 'pip install "pytest-vft[parquet]"' in " ".join((run.stdout + run.stderr).split())
    assert "Traceback" not in run.stderr


def test_standard_input_may_be_parquet() -> None:
    buffer = io.BytesIO()
    pq.write_table(with_images(), buffer)

    run = subprocess.run(
        [sys.executable, "-m", "pytest_vft", "check", "-", "--max-tokens=0"],
        input=buffer.getvalue(),
        capture_output=True,
        check=False,
    )

    assert run.returncode == 0
    assert b"-  trl, train, 12 examples, 12 images" in run.stdout


def test_predictions_are_judged_on_a_test_split_in_parquet() -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"[{n}] Is it red?"},
                {"role": "assistant", "content": "Yes" if n % 2 else "No"},
            ]
        }
        for n in range(10)
    ]
    write_rows(rows, "test.parquet")
    predictions = [{"id": f"{n}", "prediction": "Yes"} for n in range(10)]
    write(*predictions, name="predictions.jsonl")

    assert main(["eval", "predictions.jsonl", "--test=test.parquet", "--min-accuracy=0.5"]) == 0
    assert main(["eval", "predictions.jsonl", "--test=test.parquet", "--min-accuracy=0.6"]) == 1


@given(
    st.lists(st.fixed_dictionaries({"messages": st.text(), "n": st.none() | st.integers(0, 9)}), max_size=20)
)
def test_rows_are_read_in_their_order(rows: list[Example]) -> None:
    pq.write_table(
        pa.Table.from_pylist(rows, pa.schema([("messages", pa.string()), ("n", pa.int64())])),
        "a.parquet",
        row_group_size=3,
    )

    texts = [row for shard in cut_rows("a.parquet", "train", 1) for row in read_rows(shard)]

    expected = [{key: value for key, value in row.items() if value is not None} for row in rows]
    assert [json.loads(text) for text in texts if isinstance(text, bytes)] == expected


def test_parquet_is_converted_and_refused_rows_are_set_aside_line_by_line() -> None:
    table = with_images()
    rows = table.to_pylist()
    for number in (3, 7):
        rows[number]["messages"][0]["role"] = "usr"
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), "train.parquet", row_group_size=5)

    assert main(["convert", "train.parquet", "--to=openai", "--out=out", "--drop"]) == 0

    kept, refused = (
        [json.loads(line) for line in Path("out", name).read_text().splitlines()]
        for name in ("train.jsonl", "train.jsonl.rej")
    )
    assert len(kept) == 10
    assert [row["messages"][1]["content"][0]["text"] for row in refused] == ["3", "7"]
