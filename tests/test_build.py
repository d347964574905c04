"""vft build: rows and images become splits without leaks, which targets take, and nothing is lost."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from web.server import picture as served
from web.server import serving

from pytest_vft import UsageError, build_dataset, evaluate, lint
from pytest_vft.catalogue.cases import draw
from pytest_vft.catalogue.providers import provider_ids
from pytest_vft.cli import main
from pytest_vft.reading import decoding, images
from pytest_vft.report.build import BuiltDataset, render_build
from pytest_vft.tables import files
from pytest_vft.tables.groups import GroupedRow, Shares, group_rows, split_rows
from pytest_vft.tables.shard import RowWriter

Row = dict[str, Any]
SPLITS = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def picture(number: int, kind: str = "png") -> bytes:
    return draw(f"{kind} {64 + number % 100}x{64 + number // 100} rgb")[1]


def rows(count: int = 40, **more: Any) -> list[Row]:
    """Return rows with images in files."""
    Path("photos").mkdir(exist_ok=True)
    for number in range(count):
        Path(f"photos/{number}.png").write_bytes(picture(number))
    return [
        {"id": n, "question": f"What is {n}?", "answer": f"It is {n}.", "image": f"photos/{n}.png", **more}
        for n in range(count)
    ]


def write_csv(given: Sequence[Mapping[str, Any]], name: str = "rows.csv") -> str:
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, given[0])
        table.writeheader()
        table.writerows(given)
    return name


def lines(path: str | Path) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


def questions(path: str | Path) -> list[str]:
    found = []
    for line in lines(path):
        content = [m for m in line["messages"] if m["role"] == "user"][-1]["content"]
        found.append(content if isinstance(content, str) else content[0]["text"])
    return found


def splits(folder: str | Path) -> dict[str, str]:
    """Return the split of each question."""
    found: dict[str, str] = {}
    for split in SPLITS:
        path = Path(folder, f"{split}.jsonl")
        for question in questions(path) if path.exists() else ():
            assert question not in found
            found[question] = split
    return found


# Groups and splits

ROWS = st.lists(
    st.builds(
        GroupedRow,
        st.lists(st.integers(0, 30), min_size=1, max_size=3).map(tuple),
        st.integers(1, 3),
        st.integers(0, 2),
    ),
    max_size=60,
)
SHARES = st.builds(
    Shares,
    st.sampled_from(
        [(0.8, 0.1, 0.1), (0.5, 1 / 6, 1 / 3), (0.9, 0.1, 0.0), (1.0, 0.0, 0.0), (0.5, 0.0, 0.5)]
    ),
    st.booleans(),
    st.integers(0, 5),
)
LINKS = st.lists(st.lists(st.integers(0, 30), min_size=2, max_size=3), max_size=3)


def linked(given: Sequence[GroupedRow], links: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    """Return those of *links* whose keys *given* has."""
    known = {key for row in given for key in row.keys}
    return [link for link in links if known.issuperset(link)]


@given(ROWS, LINKS, SHARES)
def test_no_key_is_in_two_splits(given_rows: list[GroupedRow], links: list[Any], shares: Shares) -> None:
    groups = group_rows(given_rows, linked(given_rows, links))
    found = split_rows(given_rows, groups, shares)

    homes: dict[int, str] = {}
    for row, split in zip(given_rows, found, strict=True):
        assert shares.of[SPLITS.index(split)]
        for key in row.keys:
            assert homes.setdefault(key, split) == split
    for one, *others in linked(given_rows, links):
        assert {homes[other] for other in others} == {homes[one]}


@given(ROWS, ROWS, SHARES)
def test_rows_that_are_added_do_not_move_others(
    old: list[GroupedRow], new: list[GroupedRow], shares: Shares
) -> None:
    shares = Shares(shares.of, exact=False, seed=shares.seed)
    alone = group_rows(old)
    together = group_rows([*old, *new])
    before = split_rows(old, alone, shares)
    after = split_rows([*old, *new], together, shares)

    for at, group in enumerate(alone):
        if together[at] == group:  # a new row has not joined its group with an earlier one
            assert after[at] == before[at]


@given(st.lists(st.integers(0, 2**64 - 1), unique=True), st.randoms(use_true_random=False), SHARES)
def test_the_order_of_rows_does_not_matter(keys: list[int], random: Any, shares: Shares) -> None:
    given_rows = [GroupedRow((key,), 1) for key in keys]
    mixed = random.sample(given_rows, len(given_rows))

    one = dict(zip(given_rows, split_rows(given_rows, group_rows(given_rows), shares), strict=True))
    other = dict(zip(mixed, split_rows(mixed, group_rows(mixed), shares), strict=True))

    assert one == other


@given(st.lists(st.integers(1, 4), min_size=1, max_size=80), st.integers(1, 3), SHARES)
def test_exact_shares_are_met_as_nearly_as_groups_allow(
    sizes: list[int], strata: int, shares: Shares
) -> None:
    given_rows = [GroupedRow((key,), size, key % strata) for key, size in enumerate(sizes)]
    shares = Shares(shares.of, exact=True, seed=shares.seed)
    found = split_rows(given_rows, group_rows(given_rows), shares)

    for stratum in (None, *range(strata)):
        total = sum(row.examples for row in given_rows if stratum in (None, row.stratum))
        for split, share in zip(SPLITS, shares.of, strict=True):
            in_split = sum(
                row.examples
                for row, place in zip(given_rows, found, strict=True)
                if place == split and stratum in (None, row.stratum)
            )
            limit = max(sizes) if stratum is None else 2 * max(sizes) + max(sizes) * strata
            assert abs(in_split - share * total) <= limit


# Targets take what is written


TARGETS = [name for name in provider_ids() if name not in ("vertex", "bedrock-nova", "bedrock-llama")]


@pytest.mark.parametrize("to", [*TARGETS, "vertex", "bedrock-nova"])
def test_splits_are_clean_for_the_target(to: str) -> None:
    more: Any = {
        "vertex": {"image_prefix": "gs://bucket/x"},
        "bedrock-nova": {"image_prefix": "s3://bucket/x", "bucket_owner": "1" * 12},
    }.get(to, {})
    table = write_csv(rows())

    given_splits: Any = {"split": "60/20/20", "exact": True, "few_shot": 2}
    result = build_dataset(table, to=to, out="out", system="Be brief.", **given_splits, **more)

    assert result.ok
    assert [one.examples for one in result.splits] == [22, 8, 8]
    again = lint(
        "out/train.jsonl", validation="out/validation.jsonl", test="out/test.jsonl", provider=to, offline=True
    )
    assert again.ok
    assert [file.examples for file in again.files] == [22, 8, 8]
    said = "their answers are not trained on" in " ".join(render_build(result).split())
    assert said == (not result.losses.get("weight"))


def test_weights_are_lost_only_where_the_target_has_none() -> None:
    table = write_csv(rows())
    lost = {
        to: bool(build_dataset(table, to=to, out=to, few_shot=1).losses.get("weight"))
        for to in ("openai", "trl", "llamafactory", "swift", "axolotl")
    }

    assert lost == {"openai": False, "trl": False, "llamafactory": False, "swift": False, "axolotl": True}
    first = lines("openai/train.jsonl")[0]["messages"]
    assert [message.get("weight") for message in first if message["role"] == "assistant"] == [0, None]


# Tables


def as_parquet(given: Sequence[Row]) -> str:
    images = [{**row, "image": {"bytes": Path(row["image"]).read_bytes(), "path": None}} for row in given]
    pq.write_table(pa.Table.from_pylist(images), "rows.parquet", row_group_size=10)
    return "rows.parquet"


def as_lines(given: Sequence[Row]) -> str:
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n\n" for row in given), encoding="utf-8")
    return "rows.jsonl"


def as_array(given: Sequence[Row]) -> str:
    Path("rows.json").write_text(json.dumps(given, indent=1), encoding="utf-8")
    return "rows.json"


def as_mappings(given: Sequence[Row]) -> Any:
    return ({**row, "image": Path(row["image"])} for row in given)


def as_records(given: Sequence[Row]) -> Any:
    images = {"image": [{"bytes": Path(row["image"]).read_bytes(), "path": None} for row in given]}
    return pd.DataFrame(given).assign(**images).to_dict("records")


def test_all_tables_lead_to_the_same_examples() -> None:
    given_rows = rows(20)
    tables = [write_csv(given_rows), as_parquet(given_rows), as_lines(given_rows), as_array(given_rows)]
    tables += [as_mappings(given_rows), as_records(given_rows)]
    built = []
    for number, table in enumerate(tables):
        result = build_dataset(table, out=f"out{number}", split="70/15/15", exact=True)
        assert result.ok
        built.append([Path(f"out{number}/{split}.jsonl").read_bytes() for split in SPLITS])

    assert all(one == built[0] for one in built)
    again = build_dataset(tables[0], out="again", split="70/15/15", exact=True)
    assert [Path(one.path).read_bytes() for one in again.splits] == built[0]


def test_parquet_stays_parquet_for_trainers() -> None:
    result = build_dataset(as_parquet(rows(12)), to="trl", out="out", split="80/20")

    assert result.ok
    table = pq.read_table("out/train.parquet")
    assert json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]["images"] == [
        {"_type": "Image"}
    ]
    assert table["images"][0].as_py()[0]["bytes"].startswith(b"\x89PNG")


def test_lists_of_questions_and_answers_explode_together() -> None:
    given_rows = [
        {
            "qs": [f"Which {n}?", f"How {n}?", f"Why {n}?"],
            "as": [f"A {n}", f"B {n}", f"C {n}"],
            "pictures": [f"photos/{n}.png", f"photos/{n + 1}.png"],
        }
        for n in range(0, 20, 2)
    ]
    rows(20)

    result = build_dataset(
        given_rows,
        out="out",
        question="Question [{n}]: {qs}",
        answer="as",
        image="pictures",
        id="{n}",
        split="50/0/50",
        exact=True,
    )

    assert result.ok
    tested = lines("out/test.jsonl")
    assert len(tested) + len(lines("out/train.jsonl")) == 30
    for line in tested:
        text, *images = line["messages"][0]["content"]
        assert text["text"].startswith(f"Question [{line['id']}]: ")
        assert len(images) == 2
    numbers = sorted(int(question.split("[")[1].split("]")[0]) for question in splits("out"))
    assert numbers == list(range(30))


def test_predictions_are_judged_by_the_answers_beside_the_test_split() -> None:
    for to in ("openai", "trl"):
        build_dataset(write_csv(rows()), to=to, out=to, split="50/0/50", exact=True)
        with Path(f"{to}/test.truths.csv").open(encoding="utf-8", newline="") as file:
            truths = list(csv.DictReader(file))
        said = [{"id": one["id"], "prediction": one["truth"] if n else "?"} for n, one in enumerate(truths)]
        Path("predictions.jsonl").write_text("\n".join(map(json.dumps, said)), encoding="utf-8")

        found = evaluate("predictions.jsonl", test=f"{to}/test.jsonl").measure(metric="exact")

        assert (found.accuracy.right, found.accuracy.n) == (19, 20)


# What cannot be used


BROKEN: dict[str, Row] = {
    "the answer is empty": {"answer": " "},
    "the question is empty": {"question": ""},
    "the image is missing": {"image": None},
    "photos/none.png: the path leads to nothing": {"image": "photos/none.png"},
    "--image-root=DIR": {"image": "../secret.png"},
    "is not an image": {"image": "rows.jsonl"},
    "ends too early": {"image": "photos/cut.png"},
    "2 questions for 1 answer": {"question": ["One?", "Two?"], "answer": ["1"]},
}


def test_what_cannot_be_used_is_set_aside_as_it_was() -> None:
    given_rows = rows(20)
    Path("photos/cut.png").write_bytes(picture(3)[:-30])
    broken = [{**given_rows[0], **change} for change in BROKEN.values()]
    table = as_lines([*given_rows, *broken])

    refused = build_dataset(table, out="out")
    assert (refused.written, refused.refusals, Path("out").exists()) == (False, len(BROKEN), False)

    result = build_dataset(table, out="out", split="80/20", drop=True)

    assert result.ok
    assert lines("out/rows.jsonl.rej") == broken
    with Path("out/rows.jsonl.rej.csv").open(encoding="utf-8", newline="") as file:
        reasons = list(csv.DictReader(file))
    assert len(reasons) == len(BROKEN)
    for cause, reason in zip(BROKEN, reasons, strict=True):
        assert cause in reason["message"]
    assert [int(reason["line"]) for reason in reasons] == [41 + 2 * n for n in range(len(BROKEN))]
    assert result.rows == 28
    assert sum(one.examples for one in result.splits) + result.refusals == 28
    assert "20 kept + 8 set aside + 28 blank lines removed = 56 rows" in render_build(result)


def test_rows_of_csv_are_set_aside_byte_for_byte() -> None:
    head = "id;question;answer;image\n"
    good = "".join(f'{n};"What\nis {n}?";Yes;photos/{n}.png\n' for n in range(12))
    bad = '77;"A ""quoted""\nquestion?";;photos/1.png\n78;too;few\n'
    rows(12)
    Path("rows.csv").write_text(head + good + bad, encoding="utf-8")

    result = build_dataset("rows.csv", out="out", drop=True)

    assert result.ok
    assert Path("out/rows.csv.rej").read_text(encoding="utf-8") == head + bad
    assert [(one.place, one.why) for one in result.refused] == [
        ("26", "the answer is empty"),
        ("28", "the row has 3 cells; expected 4, as in the first row"),
    ]
    origin = Path("out/train.jsonl.origin.csv").read_text(encoding="utf-8").splitlines()
    assert origin[1:3] == ['"1","rows.csv","2"', '"2","rows.csv","4"']


MISTAKES = {
    "--question=qestion": "--question: no column 'qestion' (did you mean 'question'?); columns: id, question",
    "--image={file}": "--image: no column 'file'",
    "--split=80-20": "--split is '80-20'; expected numbers as in 80/10/10",
    "--split=0/100": "--split is '0/100'",
    "--quality=0": "quality is 0",
    "--few-shot=90": "--few-shot: train has only 40 groups of rows",
    "--system=@none.txt": "--system: none.txt: No such file",
    "--to=opnai": "did you mean 'openai'?",
    "--max-dropped=1": "--max-dropped has no effect without --drop",
    "--by=id --stratify=none": "--stratify: no column 'none'",
}


def test_mistakes_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(rows())
    for given_options, expected in MISTAKES.items():
        assert main(["build", "rows.csv", "--out=out", *shlex.split(given_options)]) == 2
        assert expected in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_fixed_text_is_said_and_hostile_text_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    given_rows = rows(12)
    given_rows[3]["image"] = "photos/\x1b[31m::error::.png"
    write_csv(given_rows)

    main(["build", "rows.csv", "--out=out", "--question=What is this?", "--drop"])

    said = capsys.readouterr().out
    assert "question of all examples: 'What is this?'" in said
    assert "\x1b" not in said
    assert set(questions("out/train.jsonl")) == {"What is this?"}
    assert "\x1b" not in Path("out/rows.csv.rej.csv").read_text(encoding="utf-8")


# Options


def test_groups_of_ones_own_and_similar_images_stay_together() -> None:
    given_rows = rows(24)
    for number, row in enumerate(given_rows):
        row["patient"] = number // 4
    result = build_dataset(write_csv(given_rows), out="by", by="patient", split="50/50", seed=3)
    assert result.groups == 6
    homes: dict[int, set[str]] = {}
    for question, split in splits("by").items():
        homes.setdefault(int(question.split()[2].rstrip("?")) // 4, set()).add(split)
    assert all(len(found) == 1 for found in homes.values())

    for number in range(0, 24, 2):
        photo = Image.effect_noise((96, 96), 90 + number).resize((24, 24)).resize((128, 128)).convert("RGB")
        photo.save(f"photos/{number}.png")
        photo.resize((96, 96)).save(f"photos/{number + 1}.png")
    near = build_dataset(write_csv(given_rows), out="near", near=True, split="50/50")
    assert (near.groups, near.alike) == (12, 24)


def test_quality_and_detail() -> None:
    table = write_csv(rows(12))
    build_dataset(table, out="out", quality=60, detail="low")

    (image,) = {
        (part["image_url"]["url"][:23], part["image_url"]["detail"])
        for line in lines("out/train.jsonl")
        for part in line["messages"][0]["content"][1:]
    }
    assert image == ("data:image/jpeg;base64,", "low")


def result_of(folder: str) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def test_a_second_run_needs_force(capsys: pytest.CaptureFixture[str]) -> None:
    table = write_csv(rows(40))
    first = build_dataset(table, out="out", split="50/50")
    assert isinstance(first, BuiltDataset)
    before = result_of("out")

    with pytest.raises(UsageError, match="exists already"):
        build_dataset(table, out="out", split="50/50")
    build_dataset(table, out="out", split="50/50", force=True)

    assert result_of("out") == before
    assert main(["build", table, "--out=out2", "--split=50/50"]) == 0
    assert result_of("out2").keys() == before.keys()
    assert "no image is in two splits" in capsys.readouterr().out


def words(result: BuiltDataset) -> str:
    return " ".join(render_build(result).split())


def test_shares_are_said_and_numbers_are_shares() -> None:
    table = write_csv(rows(60))

    exact = build_dataset(table, out="exact", split="30/10/20", exact=True)
    assert [one.examples for one in exact.splits] == [30, 10, 20]
    assert "wanted: 30/10/20 (50/16.7/33.3 %); met: 50/16.7/33.3 % changed" in words(exact)

    by_hash = build_dataset(table, out="hash", split="60/0/40")
    met = [f"{100 * one.share:.1f}".removesuffix(".0") for one in by_hash.splits]
    assert abs(by_hash.splits[0].share - 0.6) > 0.02  # by chance, always the same
    assert f"wanted: 60/0/40 %; met: {met[0]}/0/{met[1]} %; --exact meets them" in words(by_hash)


def test_an_image_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    decode = decoding.decode

    def spy(image: Any, data: bytes, **options: Any) -> Any:
        decoded.append(data)
        return decode(image, data, **options)

    monkeypatch.setattr(images, "decode", spy)
    table = write_csv(rows(21)[1:])  # of which the first is one that rules are tried on

    assert build_dataset(table, out="out", split="80/20", exact=True).ok
    assert build_dataset(table, to="trl", out="trl", split="80/20", near=True).ok

    photos = [Path(f"photos/{n}.png").read_bytes() for n in range(1, 21)]
    assert [decoded.count(photo) for photo in photos] == [1] * 20


@pytest.mark.usefixtures("online")
def test_images_behind_urls_are_fetched_or_stay_there() -> None:
    with serving() as server:
        at = f"http://127.0.0.1:{server.port}"
        urls = [f"{at}/ok/{n}" for n in range(12)]
        given_rows = [{"question": f"Q {n}?", "answer": "A.", "image": url} for n, url in enumerate(urls)]
        given_rows += [
            {"question": f"Again {n}?", "answer": "A.", "image": f"{at}/ok.jpg?{n}"} for n in (1, 2)
        ]
        given_rows += [{"question": "Gone?", "answer": "A.", "image": f"{at}/404"}]
        table = as_lines(given_rows)

        result = build_dataset(table, to="together", out="out", split="60/40", drop=True, allow_private=True)

    assert result.ok
    assert [one.why for one in result.refused] == [f"image cannot be fetched: {at}/404: 404 Not Found"]
    homes = splits("out")
    assert (len(homes), homes["Again 1?"]) == (14, homes["Again 2?"])  # one image behind two URLs
    assert result.groups == 13
    assert pybase64.b64encode(served(3)).decode() in Path("out", f"{homes['Q 3?']}.jsonl").read_text()
    kept = build_dataset(table, out="kept", split="60/40", offline=True)
    assert (kept.groups, kept.changes) == (15, {})
    assert "the same image behind two may be in two splits" in words(kept)
    assert "behind" not in words(result).partition("groups of rows")[2]


KILLED = """
import time
from pytest_vft.cli import main
from pytest_vft.tables import files
from pytest_vft.tables.shard import RowWriter
files.SHARD_BYTES = 1000
write, tasks = RowWriter.write, []
def wait(writer, task):
    tasks.append(task)
    if len(tasks) == 3:
        print("waiting", flush=True)
        time.sleep(60)
    return write(writer, task)
RowWriter.write = wait
raise SystemExit(main(["build", "rows.csv", "--to=trl", "--split=80/20", "--out=out", "--jobs=1"]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_build_that_was_killed_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_csv(rows(60))
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        assert run.stdout.readline() == "waiting\n"
        run.send_signal(signal.SIGKILL)
        assert run.wait(30) == -signal.SIGKILL
    assert not [path for path in Path("out").iterdir() if path.suffix == ".jsonl"]
    monkeypatch.setattr(files, "SHARD_BYTES", 1000)
    write, starts = RowWriter.write, []

    def spy(writer: RowWriter, task: Any) -> Any:
        starts.append(task.example)
        return write(writer, task)

    monkeypatch.setattr(RowWriter, "write", spy)

    command = ["build", table, "--to=trl", "--split=80/20"]
    assert main([*command, "--out=out"]) == 0
    resumed = len(starts)
    assert main([*command, "--out=whole"]) == 0

    assert len(starts) - resumed == resumed + 2
    assert result_of("out") == result_of("whole")
    assert result_of("out/images") == result_of("whole/images")
    assert {path.name for path in Path("out").iterdir()} == {path.name for path in Path("whole").iterdir()}


def test_a_check_of_the_folder_reads_the_splits_alone() -> None:
    given_rows = rows(40)
    table = as_lines([*given_rows, {**given_rows[0], "answer": ""}])
    result = build_dataset(table, out="out", split="60/20/20", exact=True, drop=True)
    assert Path("out/rows.jsonl.rej").exists()
    assert Path("out/test.truths.csv").exists()

    report = lint("out", offline=True)

    assert report.ok
    found = {(Path(file.path).name, file.split, file.examples) for file in report.files}
    assert found == {(f"{one.split}.jsonl", one.split, one.examples) for one in result.splits}
