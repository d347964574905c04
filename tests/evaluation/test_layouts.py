"""Predictions as other tools write them, in JSON Lines, JSON arrays and CSV."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft import EvaluationError, evaluate
from pytest_vft.evaluation.predictions import Answer
from pytest_vft.evaluation.scoring import Scoring

from .files import prediction, question, write_lines

Line = Mapping[str, Any]


def answers(*lines: Line, **options: Any) -> list[Answer]:
    return list(evaluate(write_lines("p.jsonl", lines), **options).matched.answers)


def completion(custom_id: str, said: object, **choice: Any) -> dict[str, Any]:
    """Return a line of output of the Batch API."""
    message = {"role": "assistant", "content": said, "refusal": None}
    body = {"model": "ft:m", "choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}]}
    response = {"status_code": 200, "request_id": "r", "body": body}
    return {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "response": response, "error": None}


FAILURE = {"id": "b", "response": None, "error": {"code": "batch_expired", "message": "expired"}}
ITEM = {
    "object": "eval.run.output_item",
    "id": "outputitem_1",
    "datasource_item_id": 7,
    "datasource_item": {"question": "Is it open?", "ground_truth": "No"},
    "sample": {"output": [{"role": "assistant", "content": "Yes"}], "model": "ft:m", "finish_reason": "stop"},
    "results": [{"name": "grader", "passed": False, "score": 0}],
}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"prompt": "Is it?", "predict": "Yes", "label": "No"}, ("1", "Yes", "No")),
        (
            {"response": "Yes", "labels": "No", "logprobs": None, "messages": [], "images": []},
            ("1", "Yes", "No"),
        ),
        ({"id": "a", "query": "Is it?", "response": "Yes", "label": "No"}, ("a", "Yes", "No")),
        ({"question_id": 5, "answer": "Yes", "answers": ["No", "No", "Yes"]}, ("5", "Yes", "No")),
        (ITEM, ("7", "Yes", "No")),
        ({**ITEM, "datasource_item": {"item": {"id": "q", "label": "No"}}}, ("q", "Yes", "No")),
    ],
    ids=["LLaMA-Factory", "ms-swift", "ms-swift 2", "VQA", "Evals", "Evals with an item"],
)
def test_predictions_of_tools_are_read(line: Line, expected: tuple[str, str, str]) -> None:
    (answer,) = answers(line)

    assert (answer.id, answer.said, answer.truth) == expected


@pytest.mark.parametrize(
    "line",
    [
        {"id": 1, "output": "No", "answer": "Yes"},
        {"question_id": 1, "output": "No", "answer": "Yes"},
        {"prompt": "Is it?", "response": "Yes", "output": "No"},
    ],
)
def test_actual_answer_is_not_taken_for_the_predicted_one(line: Line) -> None:
    with pytest.raises(EvaluationError, match=r"no key predicted_answer or prediction"):
        answers(line)


def test_key_that_was_given_wins_over_a_layout() -> None:
    line = {"predict": "a", "label": "b", "other": "c", "actual_answer": "d"}

    (answer,) = answers(line, keys={"predicted": "other"})

    assert (answer.said, answer.truth) == ("c", "d")


def test_keys_may_be_paths() -> None:
    line = {
        "nr": {"in.side": 4},
        "choices": [{"text": "a"}, {"text": "b"}],
        "gold.x": "c",
        "gold": {"x": "d"},
    }

    (answer,) = answers(line, keys={"id": "gold.x", "predicted": "choices.1.text", "actual": "gold.x"})

    assert (answer.id, answer.said, answer.truth) == ("c", "b", "c")
    with pytest.raises(EvaluationError, match=r"no key choices\.2\.text"):
        answers(line, keys={"predicted": "choices.2.text"})


@pytest.mark.parametrize("prefix", ["", "task-", "q-"])
def test_batch_output_is_read_as_it_is(prefix: str) -> None:
    test = write_lines("test.jsonl", [question(n, truth="Yes") for n in range(12)])
    order = [3, 11, 10, 0, 2, 1, 4, 5, 9, 8, 7]

    found = evaluate(
        write_lines(
            "p.jsonl",
            [
                *[completion(f"{prefix}{n}", "Yes" if n % 2 else "No") for n in order],
                {**FAILURE, "custom_id": f"{prefix}6"},
            ],
        ),
        test=test,
    )

    assert {one.id: one.said for one in found.matched.answers} == {
        str(n): "" if n == 6 else "Yes" if n % 2 else "No" for n in range(12)
    }
    irregular = found.matched.irregular
    assert (irregular.failed, irregular.missing, irregular.unknown) == (["6"], [], [])
    assert found.matched.answers[0].fields["model"] == "ft:m"


def test_batch_output_of_responses_is_read() -> None:
    part = {"type": "output_text", "text": "Yes"}
    output = [{"type": "reasoning"}, {"type": "message", "role": "assistant", "content": [part]}]
    response = {"status_code": 200, "body": {"model": "m", "output": output}}
    line = {"custom_id": "1", "response": response}

    assert answers(line, test=write_lines("test.jsonl", [question(1, truth="Yes")]))[0].said == "Yes"


def test_batch_output_is_cut_or_refused() -> None:
    refusal = {"message": {"content": None, "refusal": "I cannot."}}
    lines = [completion("0", "Ye", finish_reason="length"), completion("1", "", **refusal)]
    path = write_lines("p.jsonl", lines)
    test = write_lines("test.jsonl", [question(n, truth="Yes") for n in range(2)])

    irregular = evaluate(path, test=test).matched.irregular

    assert (irregular.cut, irregular.refused, irregular.empty) == (["0"], ["1"], ["1"])


def test_batch_output_is_never_matched_by_order() -> None:
    test = write_lines("test.jsonl", [question(n, truth="Yes", text="Is it?") for n in range(2)])

    with pytest.raises(EvaluationError, match=r"is in any order, .* give each question its id, such as 'b'"):
        answers(completion("b", "Yes"), completion("a", "No"), test=test)


NAMES = ["body", "choices", "message", "content", "output", "type", "text", "item", "role", "status_code"]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, JSON, JSON)
@settings(max_examples=50)
def test_any_values_of_nested_layouts_are_read_or_named(one: Any, two: Any, three: Any) -> None:
    for line in (
        {"custom_id": one, "response": two},
        {"custom_id": "1", "response": {"status_code": 200, "body": {"choices": one, "output": two}}},
        {"custom_id": "1", "response": {"body": {"choices": [{"message": one}]}}, "error": two},
        {
            "object": "eval.run.output_item",
            "datasource_item": one,
            "sample": two,
            "datasource_item_id": three,
        },
        {"prediction": one, "truth": two, "id": three},
    ):
        for keys in ({}, {"field": "text"}, {"predicted": "response.body.choices.0"}):
            with suppress(EvaluationError):
                answers(line, keys=keys)


def test_deep_answers_are_named() -> None:
    deep = "[" * 900 + "]" * 900
    for name in ("prediction", "truth"):
        text = f'{{"prediction": "a", "truth": "b", "{name}": {{"a": {deep}}}}}\n'
        Path("p.jsonl").write_text(text, encoding="utf-8")
        with pytest.raises(EvaluationError, match="nested too deeply"):
            evaluate("p.jsonl")


ENTRIES = [
    {"example_id": 0, "predicted_answer": "No", "actual_answer": "No"},
    {"example_id": 1, "predicted_answer": 'Yes, "7"\nor 8', "actual_answer": "Yes"},
]


@pytest.mark.parametrize("indent", [None, 2])
def test_json_array_is_read_with_the_lines_of_its_entries(indent: int | None) -> None:
    Path("p.json").write_text(json.dumps(ENTRIES, indent=indent) + "\n", encoding="utf-8")

    found = evaluate("p.json").matched.answers

    assert [(one.id, one.said) for one in found] == [("0", "No"), ("1", 'Yes, "7"\nor 8')]
    assert [one.line for one in found] == ([2, 7] if indent else [1, 1])


@given(st.lists(st.dictionaries(st.text(max_size=3), st.text() | st.integers() | st.none(), max_size=3)))
def test_any_array_is_read_like_its_entries(entries: list[dict[str, Any]]) -> None:
    whole = [
        {**entry, "number": number, "prediction": "a", "truth": "b"}
        for number, entry in enumerate([{}, *entries])
    ]
    Path("p.json").write_text(json.dumps(whole, indent=1), encoding="utf-8")

    try:
        found = [one.id for one in evaluate("p.json", keys={"id": "number"}).matched.answers]
    except EvaluationError as error:
        found = [str(error)]

    assert len(found) == len(whole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"id": 1, "prediction": "a"}', "p.json:1: the JSON array has no end; the file may be cut off"),
        ('[\n{"id": 1, "prediction": ""},\n{"id"', "p.json:3: not an entry of a JSON array"),
        ("[\n1]", "p.json:2: 1 is not a JSON object"),
        ("[]", "p.json: has no predictions"),
        ("[" * 100_000, "p.json:1: not an entry of a JSON array: RecursionError"),
    ],
)
def test_what_is_no_array_of_predictions_is_named(text: str, said: str) -> None:
    Path("p.json").write_text(text, encoding="utf-8")

    with pytest.raises(EvaluationError) as raised:
        evaluate("p.json")
    assert said in str(raised.value)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_is_read(separator: str, encoding: str) -> None:
    rows = ["example_id,predicted_answer,actual_answer", '0.0,"No","No"', '1,"Yes\nor no",Yes', "", "2,,No"]
    Path("p.csv").write_text("\n".join(rows).replace(",", separator) + "\n", encoding=encoding)

    found = evaluate("p.csv").matched

    assert [(one.id, one.line, one.said, one.truth) for one in found.answers] == [
        ("0", 2, "No", "No"),
        ("1", 3, "Yes\nor no", "Yes"),
        ("2", 6, "", "No"),
    ]
    assert found.irregular.empty == ["2"]


def test_index_of_pandas_is_no_id() -> None:
    Path("p.csv").write_text(",id,prediction,truth\n0,7,Yes,Yes\n1,8,No,No\n", encoding="utf-8")

    assert [one.id for one in evaluate("p.csv").matched.answers] == ["7", "8"]


def test_row_with_too_few_cells_is_named() -> None:
    Path("p.csv").write_text("id,prediction,truth\n1,Yes,Yes\n2,Yes\n", encoding="utf-8")

    with pytest.raises(EvaluationError, match=r"p.csv:3: the row has 2 cells; expected 3"):
        evaluate("p.csv")


@pytest.mark.parametrize(
    "truths",
    [
        ["no", "No", "none"],
        [{"answer": "none", "answer_id": 1}, {"answer": "no"}, {"answer": "no"}],
        ["no", None, "none"],
    ],
)
def test_any_of_several_actual_answers_counts(truths: list[Any]) -> None:
    lines = [
        {"id": number, "prediction": said, "truth": truths}
        for number, said in enumerate(["No", "None.", "Yes"])
    ]
    measured = evaluate(write_lines("p.jsonl", lines)).measure(kind="closed")

    assert (measured.accuracy.right, [mark.answer.id for mark in measured.wrong]) == (2, ["2"])


def test_test_split_may_have_several_actual_answers() -> None:
    test = write_lines("test.jsonl", [{**question(1), "answers": ["Lime", "linden"]}])

    gate = evaluate(write_lines("p.jsonl", [prediction(1, "Linden", "lime")]), test=test).measure(
        metric="normalised_exact"
    )

    assert (gate.ok, gate.accuracy.right, gate.irregular.disputed) == (
        True,
        0,
        [],
    ) or gate.accuracy.right == 1


OBJECTS = [
    {"id": 0, "prediction": '{"open": "no", "why": "the lid"}', "truth": "No"},
    {
        "id": 1,
        "prediction": 'Sure:\n```json\n{"open": "yes"}\n```',
        "truth": '{"open": "yes", "why": "a gap"}',
    },
    {"id": 2, "prediction": {"open": True}, "truth": "true"},
    {"id": 3, "prediction": "no", "truth": "no"},
    {"id": 4, "prediction": '{"opened": "no"}', "truth": "no"},
]


def test_field_of_json_objects_is_compared() -> None:
    found = evaluate(write_lines("p.jsonl", OBJECTS), keys={"field": "open"})

    marks = found.marks(None, Scoring(metric="normalised_exact"))

    assert [mark.right for mark in marks] == [True, True, True, False, False]
    assert found.matched.irregular.malformed == ["3", "4"]


def test_field_that_would_be_right_is_a_near_miss() -> None:
    gate = evaluate(write_lines("p.jsonl", [OBJECTS[0], OBJECTS[3]])).measure()

    assert (gate.accuracy.right, gate.near_fields) == (1, {"open": 1})
