"""What is read, what it is matched to, and what is irregular about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pytest_vft import EvaluationError, UsageError, evaluate
from pytest_vft.evaluation.matching import MatchedPredictions

from .files import prediction, question, write_lines


def matched(
    predictions: list[Mapping[str, Any]], questions: list[Mapping[str, Any]], **more: Any
) -> MatchedPredictions:
    path = write_lines("preds.jsonl", predictions)
    return evaluate(path, test=write_lines("test.jsonl", questions), **more).matched


def irregular(matched: MatchedPredictions) -> dict[str, Any]:
    return {name: list(ids) for name, ids in asdict(matched.irregular).items() if ids}


QUESTIONS = [question(number) for number in (14, 15, 16)]


def test_files_of_the_notebook_work_as_they_are() -> None:
    path = write_lines("results.jsonl", [prediction(14, "Yes", "No"), prediction(15, "No", "No")])

    found = evaluate(path).matched

    assert (found.how, found.predictions, irregular(found)) == ("none", 2, {})
    assert [(one.id, one.said, one.truth) for one in found.answers] == [
        ("14", "Yes", "No"),
        ("15", "No", "No"),
    ]


@pytest.mark.parametrize("order", [(14, 15, 16), (16, 14, 15)])
def test_ids_stand_in_the_questions(order: tuple[int, ...]) -> None:
    found = matched([prediction(number, f"Book {number}", "x") for number in order], QUESTIONS)

    assert found.how == "pattern"
    assert [(one.id, one.said) for one in found.answers] == [
        ("14", "Book 14"),
        ("15", "Book 15"),
        ("16", "Book 16"),
    ]
    assert irregular(found) == {}


def test_ids_of_the_test_split_come_first() -> None:
    questions = [{"id": f"q{number}", **question(number)} for number in (1, 2)]

    found = matched([prediction("q2", "b", "x"), prediction("q1", "a", "x")], questions)

    assert (found.how, [one.said for one in found.answers]) == ("id", ["a", "b"])


def test_pattern_can_be_given() -> None:
    questions = [question(0, text=f"Question no. {number}: who?") for number in (7, 8)]

    found = matched([prediction(8, "b", "x"), prediction(7, "a", "x")], questions, id_pattern=r"no\. (\d+)")

    assert (found.how, [one.said for one in found.answers]) == ("pattern", ["a", "b"])


def test_without_ids_lines_are_in_order() -> None:
    lines = [{"prediction": said, "truth": "x"} for said in "abc"]

    found = matched(lines, QUESTIONS)

    assert (found.how, [one.said for one in found.answers]) == ("order", ["a", "b", "c"])


def test_other_number_of_lines_is_another_order() -> None:
    with pytest.raises(EvaluationError, match="1 prediction and 3 questions cannot be matched by order"):
        matched([{"prediction": "a"}], [question(0, text="Who?")] * 3)


def test_lines_may_be_named() -> None:
    found = matched(
        [{"line": line, "prediction": said, "truth": "x"} for line, said in ((3, "c"), (1, "a"))], QUESTIONS
    )

    assert (found.how, [one.said for one in found.answers]) == ("line", ["a", "", "c"])
    assert irregular(found) == {"missing": ["2"]}


def test_keys_can_be_given() -> None:
    path = write_lines("preds.jsonl", [{"nr": 1, "output": "Yes", "gold": "Yes"}])

    found = evaluate(path, keys={"id": "nr", "predicted": "output", "actual": "gold"}).matched

    assert [one[:4] for one in found.answers] == [("1", 1, "Yes", "Yes")]


def test_actual_answer_of_the_test_split_does() -> None:
    found = matched([{"id": 14, "prediction": "Yes"}], [question(14, truth="No")])

    assert found.answers[0].truth == "No"


def test_images_are_told_apart_and_few_shot_ones_left_out() -> None:
    shown = question(0, image=9)["messages"][1]
    questions = [question(number, image=number // 2) for number in range(4)]
    for one in questions:
        one["messages"] = [shown, {"role": "assistant", "content": "Yes"}, *one["messages"]]

    found = matched([prediction(number, "Yes", "Yes") for number in range(4)], questions)

    images = [one.question.image for one in found.answers if one.question]
    assert images[0] == images[1] != images[2] == images[3]


def test_second_question_is_about_the_image_of_the_first() -> None:
    first, second = question(1, image=1), question(2)
    second["messages"] = [
        *first["messages"],
        {"role": "assistant", "content": "Yes"},
        *second["messages"][1:],
    ]

    found = matched([prediction(1, "Yes", "Yes"), prediction(2, "Yes", "Yes")], [first, second])

    assert found.answers[0].question
    assert found.answers[1].question
    assert found.answers[0].question.image == found.answers[1].question.image


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([(14, "a"), (15, "b")], {"missing": ["16"]}),
        ([(14, "a"), (15, "b"), (16, " ")], {"empty": ["16"]}),
        ([(14, "a"), (15, "b"), (16, None)], {"empty": ["16"]}),
        ([(14, "a"), (15, "b"), (16, "c"), (14, "a ")], {"repeated": ["14"]}),
        ([(14, "a"), (15, "b"), (16, "c"), (14, "d"), (14, "a")], {"contradictory": ["14"]}),
        ([(14, "a"), (15, "b"), (16, "c"), (-1, "d")], {"unknown": ["-1"]}),
    ],
)
def test_irregular_ids_are_named(lines: list[tuple[int, str]], expected: Mapping[str, list[str]]) -> None:
    questions = [question(number, truth="x") for number in (14, 15, 16)]

    found = matched([{"id": id_, "prediction": said} for id_, said in lines], questions)

    assert irregular(found) == expected
    assert [one.id for one in found.answers] == ["14", "15", "16"]


def test_actual_answers_that_differ_from_the_test_split_are_named() -> None:
    found = matched([prediction(14, "a", "x")], [question(14, truth="y")])

    assert irregular(found) == {"disputed": ["14"]}
    assert found.answers[0].truth == "y"


def test_answers_that_the_model_cut_or_refused_are_named() -> None:
    lines = [prediction(14, "a", "x", finish_reason="length"), prediction(15, "", "x", refusal="No.")]

    assert irregular(evaluate(write_lines("p.jsonl", lines)).matched) == {
        "cut": ["14"],
        "refused": ["15"],
        "empty": ["15"],
    }


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "preds.jsonl: has no predictions"),
        ("\n\n", "preds.jsonl: has no predictions"),
        ('{"id": 1, "prediction": "a", "truth": "b"}\n{"id"', "preds.jsonl:2: "),
        ("[1]\n", "preds.jsonl:1: 1 is not a JSON object"),
        ("1\n", "preds.jsonl:1: not a JSON object"),
        ('{"id": 1, "predicted_anwser": "a"}', "no key predicted_answer or prediction (did you mean"),
        ('{"id": 1, "prediction": ["a"]}', "expected text or a number"),
        (
            '{"id": 1, "prediction": "a"}',
            'preds.jsonl:1: no actual answer; name its key, keys={"actual": "KEY"}, or give',
        ),
    ],
)
def test_what_is_no_prediction_is_named(lines: str, said: str) -> None:
    Path("preds.jsonl").write_text(lines)

    with pytest.raises(EvaluationError) as raised:
        evaluate("preds.jsonl")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("questions", "said"),
    [
        ([], "test.jsonl: has no questions"),
        ([{"messages": [{"role": "system", "content": "a"}]}], "test.jsonl:1: no user message to answer"),
        ([{"prompt": "a"}], "test.jsonl:1: no list of messages; run 'vft check' on it"),
        ([question(14), question(14)], "test.jsonl:2: the id '14' is also the id of test.jsonl:1"),
        (
            [question(14), question(0, text="Who?")],
            "test.jsonl:2: no id, but other questions and the predictions have ids",
        ),
        (
            [question(0, text="Who?")] * 3,
            "the predictions have ids (14, 14), the questions of test.jsonl have none",
        ),
    ],
)
def test_what_cannot_be_matched_is_named(questions: list[Mapping[str, Any]], said: str) -> None:
    with pytest.raises(EvaluationError) as raised:
        matched([prediction(14, "a", "x"), prediction(14, "a", "x")], questions)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"id_pattern": "["}, "id pattern '['"),
        ({"id_pattern": r"\d+"}, "expected exactly one group"),
        ({"keys": {"predicte": "a"}}, "no key 'predicte' (did you mean 'predicted'?)"),
        ({"ids": ["99"]}, "no question has the id '99'"),
    ],
)
def test_wrong_arguments_are_named(settings: Mapping[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        matched([prediction(14, "a", "x")], [question(14)], **settings)
    assert said in str(raised.value)


@pytest.mark.parametrize("write", [int, float, str, "[{}]".format, lambda n: [n], "{}.0".format])
def test_an_id_is_the_same_as_text_as_a_float_and_in_brackets(write: Callable[[int], object]) -> None:
    write_lines("test.jsonl", [question(number, truth="Yes") for number in range(12)])
    write_lines("preds.jsonl", [prediction(write(number), "Yes", "Yes") for number in range(12)])

    evaluation = evaluate("preds.jsonl", test="test.jsonl", ids=["3", "11.0", "[4]"])

    assert [answer.id for answer in evaluation.matched.answers] == ["3", "4", "11"]
    assert evaluation.assert_min_accuracy(1).ok


def test_ids_of_a_test_split_are_normalised_too() -> None:
    write_lines("test.jsonl", [{"id": float(number), **question(9)} for number in range(3)])
    write_lines("preds.jsonl", [prediction(number, "Yes", "Yes") for number in range(3)])

    assert evaluate("preds.jsonl", test="test.jsonl").matched.irregular.unknown == []


def test_names_are_not_numbers() -> None:
    names = ["007", "v1.0", "1.5", "[a]", "1.01"]
    write_lines("preds.jsonl", [prediction(name, "Yes", "Yes") for name in names])

    assert [answer.id for answer in evaluate("preds.jsonl").matched.answers] == names
