"""Gates that look passed and are not: options, ids and actual answers that contradict each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from pytest_vft import (
    EvaluationError,
    Judge,
    UsageError,
    assert_min_accuracy,
    assert_not_worse_than,
    evaluate,
)
from pytest_vft.cli import main

from .files import prediction, question, write_lines
from .server import Endpoint, Reply, serving


def write_right(number: int, path: str = "preds.jsonl") -> str:
    return write_lines(path, [prediction(n, "Yes", "Yes") for n in range(number)])


# Options that are given twice


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--min-accuracy=closed=0.9 --min-accuracy=closed=0.1", "'closed' is '0.9' and '0.1'"),
        ("--min-accuracy=closed=0.9,closed=0.1", "'closed' is '0.9' and '0.1'; expected one value"),
        ("--min-accuracy=0.9 --min-accuracy=0.1", "--min-accuracy is '0.9,0.1'; expected a number"),
        ("--min-accuracy=0.9 --min-accuracy=open=0.1", "'0.9': expected NAME=VALUE"),
        ("--against=a.jsonl --against=b.jsonl", "--against is given as 'a.jsonl' and 'b.jsonl'"),
        ("--keys=id=example_id,id=nr", "--keys: 'id' is 'example_id' and 'nr'"),
        ("--keys=id=example_id --keys=id=nr", "--keys: 'id' is 'example_id' and 'nr'"),
        ("--min-accuracy=0.1 --confidence=0.9 --confidence=0.5", "--confidence is given as '0.9' and '0.5'"),
    ],
)
def test_no_value_of_an_option_replaces_another(
    capsys: pytest.CaptureFixture[str], options: str, said: str
) -> None:
    assert main(["eval", write_right(9), *options.split()]) == 2
    assert said in capsys.readouterr().err


def test_gates_of_both_kinds_may_be_given_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [prediction(n, "No", "Yes") for n in range(9)] + [prediction(n, "a", "a") for n in range(9, 18)]
    path = write_lines("p.jsonl", lines)

    gates = ["--min-accuracy=closed=0.9", "--min-accuracy=open=0.1", "--min-accuracy=open=0.1"]
    assert main(["eval", path, *gates, "--metric=exact"]) == 1
    out = capsys.readouterr().out
    assert "closed 0.0 % < 90.0 % (0/9)" in out
    assert "open 100.0 % >= 10.0 % (9/9)" in out


# Ids


@pytest.mark.parametrize("ids", ["cba", [1, 0, 2], [5, 6, 7], ["x-2", "x-1", "x-0"]])
def test_ids_that_the_split_does_not_have_are_not_matched_by_order(ids: list[object]) -> None:
    write_lines("test.jsonl", [question(0, text="Who?", truth="Yes") for _ in range(3)])
    path = write_lines("p.jsonl", [prediction(id_, "Yes", "Yes") for id_ in ids])

    with pytest.raises(EvaluationError, match=r"have ids \(.*\), the questions of test.jsonl have none"):
        evaluate(path, test="test.jsonl")


@pytest.mark.parametrize("ids", [range(12), range(1, 13), [f"task-{n}" for n in range(12)]])
def test_ids_that_number_the_predictions_are_their_order(ids: list[object]) -> None:
    write_lines("test.jsonl", [question(0, text="Who?", truth="Yes") for _ in range(12)])
    path = write_lines("p.jsonl", [prediction(id_, "Yes", "Yes") for id_ in ids])

    matched = evaluate(path, test="test.jsonl").matched
    assert (matched.how, len(matched.answers)) == ("order", 12)


@pytest.mark.parametrize("test", [None, "test.jsonl"])
def test_named_key_of_ids_must_exist(test: str | None) -> None:
    write_lines("test.jsonl", [question(n, text="Who?", truth="Yes") for n in range(3)])

    with pytest.raises(
        EvaluationError, match=r"preds.jsonl:1: no key exampel_id \(did you mean 'example_id'"
    ):
        evaluate(write_right(3), test=test, keys={"id": "exampel_id"})


@pytest.mark.parametrize("test", [None, "test.jsonl"])
def test_missing_id_takes_no_other_id(test: str | None) -> None:
    write_lines("test.jsonl", [question(n, truth="Yes") for n in (1, 2)])
    path = write_lines("p.jsonl", [prediction(2, "Yes", "Yes"), prediction(None, "No", "Yes")])

    with pytest.raises(EvaluationError, match=r"p.jsonl:2: no id, but other predictions have ids"):
        evaluate(path, test=test)


# Actual answers


def test_id_with_two_actual_answers_is_not_one_question() -> None:
    lines = [prediction("a.jpg", "Yes", "Yes" if n == 0 else "No") for n in range(10)]

    with pytest.raises(
        EvaluationError, match=r"p.jsonl:2: the id 'a.jpg' is also that of line 1, with another"
    ):
        evaluate(write_lines("p.jsonl", lines))


def test_id_may_list_its_actual_answers_in_any_order() -> None:
    lines: list[Mapping[str, Any]] = [
        {"id": 1, "prediction": "a", "answers": ["a", "b"]},
        {"id": 1, "prediction": "a", "answers": ["b", "c"]},
    ]

    assert list(evaluate(write_lines("p.jsonl", lines)).matched.irregular.repeated) == ["1"]


def test_models_that_are_scored_by_different_actual_answers_are_not_compared() -> None:
    path = write_right(20)
    write_lines("base.jsonl", [prediction(n, "Yes", "No" if n < 5 else "Yes") for n in range(20)])

    with pytest.raises(AssertionError) as raised:
        assert_not_worse_than(path, "base.jsonl")
    assert str(raised.value).startswith("all +25.0 points against base.jsonl: disputed actual answers\n")
    assert "5 with different actual answers in both files: no gate passes (0, 1, 2, 3, 4)" in str(
        raised.value
    )
    write_lines("test.jsonl", [question(n, truth="Yes") for n in range(20)])
    with pytest.raises(AssertionError, match="disputed actual answers"):
        assert_not_worse_than(path, "base.jsonl", test="test.jsonl")


def test_minimum_of_none_is_no_gate() -> None:
    with pytest.raises(UsageError, match=re.escape("minimum is None; expected a share from 0 to 1")):
        assert_min_accuracy(write_right(3), None)  # type: ignore[arg-type]  # the mistake
    assert evaluate("preds.jsonl").measure(None).ok


# Mistakes that are known before anything is paid


def ask(endpoint: Endpoint, *options: str) -> int:
    server = [f"--base-url={endpoint.url}", "--min-accuracy=0.5"]
    return main(["eval", "a.jsonl", "--test=test.jsonl", *server, *options])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--live=m --judge=m", "the judge 'm' gave the answers itself; use another model"),
        ("--live=m --judge=j --by=nokey", "does not have the key 'nokey' of --by"),
        ("--live=m --judge=j --judge-labels=labels.jsonl", "labels.jsonl:1: no answer has the id '77'"),
        ("--judge=j --by=nokey", "does not have the key 'nokey' of --by"),
        ("--judge=j --judge-labels=labels.jsonl", "labels.jsonl:1: no answer has the id '77'"),
    ],
)
def test_nothing_is_asked_after_a_mistake(
    capsys: pytest.CaptureFixture[str], options: str, said: str
) -> None:
    write_lines("test.jsonl", [question(n, truth=f"Ann {n}") for n in range(3)])
    if "--live" not in options:
        write_lines("a.jsonl", [prediction(n, "Bob", f"Ann {n}") for n in range(3)])
    write_lines("labels.jsonl", [{"id": 77, "rating": "Incorrect"}])

    with serving(lambda _, __: Reply('{"rating": "Incorrect"}')) as endpoint:
        assert ask(endpoint, *options.split()) == 2
        assert endpoint.requests == []
    captured = capsys.readouterr()
    assert said in captured.out + captured.err


def test_keys_of_a_transcript_are_groups() -> None:
    write_lines("test.jsonl", [{**question(n, truth="Yes"), "shelf": "a"} for n in range(20)])
    with serving(lambda _, __: Reply("Yes")) as endpoint:
        assert ask(endpoint, "--live=m", "--by=shelf,model,finish_reason") == 0


def test_field_is_selected_before_kinds_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines("test.jsonl", [question(n, truth='{"open": "Yes", "why": "-"}') for n in range(3)])
    with serving(lambda _, __: Reply('{"open": "Yes", "why": "?"}')) as endpoint:
        assert ask(endpoint, "--live=m", "--field=open") == 0
    captured = capsys.readouterr()
    assert "closed 100.0 % >= 50.0 % (3/3)" in captured.out
    assert "100.0 % of 3 right so far" in captured.err


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": ""}, "the name of the model is empty"),
        ({"model": "m", "passing": ()}, "Judge(passing) has no rating; expected at least one of "),
    ],
)
def test_judge_needs_a_model_and_a_rating(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        Judge(**settings)
