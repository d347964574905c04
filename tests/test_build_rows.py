"""vft build: rows that cannot be used as they are, refused before anything is written."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pytest_vft import EvaluationError, UsageError, build_dataset, evaluate
from pytest_vft.catalogue.cases import draw
from pytest_vft.report.build import BuiltDataset, render_build

Row = dict[str, Any]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(count: int = 20) -> list[Row]:
    """Return rows with an image of its own in a file each."""
    Path("photos").mkdir(exist_ok=True)
    for number in range(count):
        Path(f"photos/{number}.png").write_bytes(draw(f"png {64 + number}x64 rgb")[1])
    return [
        {"id": n, "question": f"What is {n}?", "answer": f"It is {n}.", "image": f"photos/{n}.png"}
        for n in range(count)
    ]


def as_lines(given: Sequence[Row], name: str = "rows.jsonl") -> str:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    return name


def lines(path: str) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


def test_a_row_that_is_set_aside_is_like_no_other() -> None:
    given_rows = rows(8)
    for number in range(8):
        photo = Image.effect_noise((96, 96), 90 + number).resize((24, 24)).resize((128, 128)).convert("RGB")
        photo.save(f"photos/{number}.png")
    photo.resize((96, 96)).save("photos/like.png")
    given_rows.append({**given_rows[0], "id": 90, "image": ["photos/like.png", "photos/none.png"]})

    result = build_dataset(
        as_lines(given_rows), out="out", split="50/25/25", exact=True, near=True, drop=True
    )

    assert (result.written, result.refusals, result.groups, result.alike) == (True, 1, 8, 0)


def test_an_id_is_that_of_one_question() -> None:
    given_rows = rows()
    for row, id_ in zip(given_rows, ["same", "b", "same", 50, "50", ["x", "y"], "x"], strict=False):
        row["id"] = id_
        if isinstance(id_, list):
            row |= {"question": ["One?", "Two?"], "answer": ["1", "2"]}
    given_rows[9] = {key: value for key, value in given_rows[9].items() if key != "id"}
    table = as_lines(given_rows)

    refused = build_dataset(table, out="out", split="50/0/50", to="trl")
    assert not refused.written
    said = 'its id is that of an example of rows.jsonl:{}, too; id="{{n}}" numbers the examples'
    assert [(one.place, one.why) for one in refused.refused] == [
        ("3", said.format(1)),
        ("5", said.format(4)),
        ("7", said.format(6)),
        ("10", 'the id is empty; id="{n}" numbers the examples'),
    ]
    for options in ({"drop": True}, {"id": "{n}"}):
        result = build_dataset(table, out="out", split="50/0/50", exact=True, to="trl", force=True, **options)
        assert result.ok
        truths = Path("out/test.truths.csv").read_text(encoding="utf-8").splitlines()[1:]
        rows_of = [dict(zip(("line", "id", "truth"), json.loads(f"[{row}]"), strict=True)) for row in truths]
        as_lines([{"id": one["id"], "prediction": one["truth"]} for one in rows_of], "predictions.jsonl")
        found = evaluate("predictions.jsonl", test="out/test.jsonl").measure(metric="exact")
        assert found.accuracy.right == found.accuracy.n == len(truths)
    assert build_dataset(table, out="train", split="80/20").ok  # in which ids are not written


def test_ids_are_compared_in_all_tables() -> None:
    given_rows = rows(12)
    one, other = as_lines(given_rows[:6], "a.jsonl"), as_lines(given_rows[5:], "b.jsonl")

    refused = build_dataset([one, other], out="out", split="50/0/50")

    assert [(found.path, found.place) for found in refused.refused] == [("b.jsonl", "1")]


@pytest.mark.parametrize("column", ["id", "answer", "question"])
def test_a_number_that_would_be_rounded_is_refused(column: str) -> None:
    given_rows = rows()
    given_rows[4][column] = 12345678901234567890123
    given_rows[5][column] = {"deep": [-(10**22)]}
    given_rows[6][column] = 2**64 - 1  # which is exact

    result = build_dataset(as_lines(given_rows), out="out", drop=True)

    assert [(one.place, one.why.partition(";")[0]) for one in result.refused] == [
        ("5", "the number 1.2345678901234568e+22 has more than 64 bits and is not exact"),
        ("6", "the number -1e+22 has more than 64 bits and is not exact"),
    ]
    if column != "id":
        assert "18446744073709551615" in Path("out/train.jsonl").read_text(encoding="utf-8")
    assert lines("out/rows.jsonl.rej")[0][column] == 12345678901234567890123


def test_rows_of_which_none_can_be_written_are_named() -> None:
    for value, why in ((10**30, "Integer exceeds 64-bit range"), (object(), "a value is of type object")):
        given_rows = [{**row, "answer": value} for row in rows(12)]
        with pytest.raises(UsageError, match=rf"^rows:1: {why}.*; no row can be used$"):
            build_dataset(given_rows, out="out", drop=True)
    mixed = [{**row, "answer": 10**30 if row["id"] < 70 else "A"} for row in rows(80)]
    assert build_dataset(mixed, out="out", drop=True).refusals == 70


def test_a_quality_leaves_images_where_the_target_takes_them() -> None:
    table = as_lines(rows(12))
    for to, where in (("llamafactory", "images/"), ("trl", "images/"), ("openai", "data:image/jpeg;")):
        result = build_dataset(table, to=to, out=to, quality=50, few_shot=1)
        assert result.ok
        assert all(
            where in json.dumps(row) and "data:image/png" not in json.dumps(row)
            for row in lines(f"{to}/train.jsonl")
        )
        assert {path.read_bytes()[:3] for path in Path(to, "images").glob("*")} <= {b"\xff\xd8\xff"}
        assert Path(to, "images").exists() == (where == "images/")
    given = build_dataset(table, to="trl", out="embedded", quality=50, images="embed")
    assert given.changes == {"embedded": 12}


def test_an_example_that_the_target_refuses_is_set_aside() -> None:
    given_rows = rows(24)
    given_rows[3]["question"] = "word " * 200_000
    given_rows[5]["image"] = [f"photos/{number}.png" for number in range(5, 16)]
    given_rows[7]["question"] = "What is <image> in <b>?"
    given_rows[17] |= {"question": ["One?", "Two? " * 100_000], "answer": ["1", "2"]}
    table = as_lines(given_rows)

    refused = build_dataset(table, out="out")
    assert (refused.written, [one.place for one in refused.refused]) == (False, ["4", "6", "18"])
    for to, places in (("openai", ["4", "6", "18"]), ("llamafactory", ["8"])):
        result = build_dataset(
            table, to=to, out=to, split="70/15/15", exact=True, few_shot=1, drop=True, force=True
        )
        assert result.ok
        assert [one.place for one in result.refused] == places
        assert sum(one.examples for one in result.splits) == 25 - 1 - len(places) - (to == "openai")
    limits = ["tokens; expected at most 65,536", "has 11 images; expected at most 10", "tokens; expected at"]
    assert all(limit in one.why for limit, one in zip(limits, refused.refused, strict=True))


def said(result: BuiltDataset) -> str:
    return " ".join(render_build(result).split())


def test_what_few_shot_examples_leave_in_train_is_said() -> None:
    given_rows = [{**row, "question": ["One?", "Two?"], "answer": ["1", "2"]} for row in rows(12)]

    for to, condition in (("openai", "."), ("llamafactory", " if you train with mask_history: true")):
        shown = said(build_dataset(given_rows, to=to, out=to, few_shot=2))
        assert "question (train has 2 other examples with the same images); their" in shown
        assert (f"their answers are not trained on{condition}" in shown) == (to == "llamafactory")


def test_several_answers_of_which_one_is_trained_on_are_said() -> None:
    given_rows = [{**row, "answer": ["Yes", "No", "Yes"] if row["id"] < 5 else "No"} for row in rows(12)]

    result = build_dataset(as_lines(given_rows), out="out")

    assert "5 examples with several answers: the most frequent one is trained on" in said(result)


MISTAKES: dict[str, tuple[Row, str]] = {
    "one group": ({"split": "80/10/10", "by": "kind"}, "of 20 rows in 1 group; give rows of more groups or"),
    "all shown": ({"few_shot": 20}, "few_shot leaves train without an example; give a smaller number"),
    "negative": ({"few_shot": -1}, "few_shot is -1; expected at least 0"),
    "one share": ({"split": "80"}, "split is '80'; expected numbers as in 80/10/10"),
    "no shares": ({"split": (60, "x")}, "split is '60/x'; expected numbers"),
    "empty group": ({"by": "none"}, "the value for by is empty; no row can be used"),
}


@pytest.mark.parametrize(("options", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_the_cause_of_a_mistake_is_named(options: Row, expected: str) -> None:
    table = as_lines([{**row, "kind": "a", "none": ""} for row in rows(20)])

    with pytest.raises(UsageError, match=re.escape(expected)):
        build_dataset(table, out="out", drop=True, **options)


def test_shares_are_numbers_as_well_and_lists_go_with_lists() -> None:
    given_rows = [*rows(20), {**rows(1)[0], "question": ["One?"]}]

    result = build_dataset(given_rows, out="out", split=(60, 20, 20), exact=True, drop=True)

    assert [one.examples for one in result.splits] == [12, 4, 4]
    assert [one.why for one in result.refused] == [
        "the questions are a list, the answer is not; expected two lists"
    ]


def test_a_test_split_without_its_answers_names_their_file() -> None:
    build_dataset(as_lines(rows()), out="out", split="50/0/50", exact=True)
    as_lines([{"id": row["id"], "prediction": "?"} for row in lines("out/test.jsonl")], "predictions.jsonl")
    Path("out/test.jsonl").rename("alone.jsonl")

    with pytest.raises(EvaluationError, match=r"or in alone\.truths\.csv, which vft build writes"):
        evaluate("predictions.jsonl", test="alone.jsonl").measure(metric="exact")
