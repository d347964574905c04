"""`vft eval --write-batch`: the input of the Batch API, and its way back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pytest_vft import evaluate
from pytest_vft.cli import main

from .files import question, write_lines
from .test_layouts import completion

GIVEN = ["eval", "--write-batch=b.jsonl", "--test=test.jsonl", "--model=m"]


def written() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("b.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("more", "text", "labels"),
    [
        ({}, None, ["0", "1", "2"]),
        ({"id": "q"}, None, ["q0", "q1", "q2"]),
        ({}, "Is it?", ["line-1", "line-2", "line-3"]),
    ],
    ids=["numbers", "ids", "lines"],
)
def test_output_of_a_written_batch_is_matched(
    more: Mapping[str, str], text: str | None, labels: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        {
            **{name: f"{value}{n}" for name, value in more.items()},
            **question(n, image=n, truth="Yes", text=text),
        }
        for n in range(3)
    ]
    write_lines("test.jsonl", lines)

    assert main(GIVEN) == 0

    said = capsys.readouterr().out
    assert said.startswith("b.jsonl  3 requests, 0.0 MB\nnext: ")
    assert said.endswith("vft eval OUTPUT.jsonl --test=test.jsonl\n")
    requests = written()
    assert [one["custom_id"] for one in requests] == labels
    assert [one["body"]["messages"] for one in requests] == [line["messages"][:-1] for line in lines]
    assert requests[0].items() >= {"method": "POST", "url": "/v1/chat/completions"}.items()
    assert requests[0]["body"].items() >= {"model": "m", "temperature": 0}.items()
    output = [completion(label, f"Book {number}") for number, label in enumerate(labels)]
    Random(1).shuffle(output)  # noqa: S311 - the output is in any order
    found = evaluate(write_lines("out.jsonl", output), test="test.jsonl").matched
    assert [one.said for one in found.answers] == ["Book 0", "Book 1", "Book 2"]
    assert (found.irregular.missing, found.irregular.unknown) == ([], [])


def test_some_questions_are_written() -> None:
    write_lines("test.jsonl", [question(n) for n in range(3)])

    assert main([*GIVEN, "--ids=2,0"]) == 0
    assert [one["custom_id"] for one in written()] == ["0", "2"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*GIVEN, "--min-accuracy=0.9"], "--write-batch judges nothing; leave out --min-accuracy"),
        ([*GIVEN, "p.jsonl"], "--write-batch judges nothing; leave out predictions"),
        (GIVEN[:2], "--write-batch needs --test=FILE and --model=MODEL"),
        (["eval", "--write-batch=test.jsonl", *GIVEN[2:]], "test.jsonl: this file is the test split"),
        ([*GIVEN, "--ids=9"], "no question has the id '9'"),
        (["eval", "p.jsonl", "--model=m"], "--model needs --write-batch=FILE"),
        (["eval"], "no file of predictions given"),
    ],
)
def test_what_cannot_be_written_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(write_lines("test.jsonl", [question(0)])).read_bytes()

    assert main(arguments) == 2
    assert f"vft: {said}" in capsys.readouterr().err
    assert Path("test.jsonl").read_bytes() == before
    assert not Path("b.jsonl").exists()


def test_questions_need_different_ids(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines("test.jsonl", [question(0), question(0)])

    assert main(GIVEN) == 2
    assert "test.jsonl:2: the id '0' is also the id of test.jsonl:1" in capsys.readouterr().err
