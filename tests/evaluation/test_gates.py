"""Which gates pass, and what they say when they do not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from statsmodels.stats.proportion import proportion_confint

import pytest_vft
from pytest_vft import EvaluationError, UsageError, assert_min_accuracy, assert_not_worse_than, evaluate
from pytest_vft.report.evaluation_comparison import render_comparison

from .files import notebook, prediction, question, write_lines


def write_closed(right: int, of: int, path: str = "preds.jsonl") -> str:
    return write_lines(path, [prediction(n, "Yes" if n < right else "No", "Yes") for n in range(of)])


# The notebook's published figures


@pytest.mark.parametrize(
    ("counts", "closed", "open_"), [((172, 189), "90.53", "64.07"), ((167, 136), "87.89", "46.10")]
)
def test_published_figures_of_the_notebook(counts: tuple[int, int], closed: str, open_: str) -> None:
    evaluation = evaluate(write_lines("preds.jsonl", notebook(*counts)))

    gates = [
        evaluation.measure(kind="closed"),
        evaluation.measure(kind="open", metric="normalised_exact"),
    ]

    assert [f"{100 * gate.accuracy.share:.2f}" for gate in gates] == [closed, open_]
    assert [gate.accuracy.n for gate in gates] == [190, 295]


def test_gain_on_closed_questions_is_no_proof_and_that_on_open_ones_is() -> None:
    tuned = evaluate(write_lines("tuned.jsonl", notebook(172, 189)))
    write_lines("base.jsonl", notebook(167, 136))

    closed = tuned.assert_not_worse_than("base.jsonl", kind="closed")
    open_ = tuned.assert_not_worse_than("base.jsonl", kind="open", metric="exact")

    assert (len(closed.fixed), len(closed.broken), closed.p) == (5, 0, pytest.approx(0.0625))
    assert "inconclusive: exact McNemar" in render_comparison(closed, "tuned.jsonl", "base.jsonl")
    assert open_.interval.low > 0
    assert open_.p < 1e-9


# Minimum accuracy


@pytest.mark.parametrize(("right", "of", "minimum"), [(171, 190, 0.9), (7, 100, 0.07), (0, 5, 0), (5, 5, 1)])
def test_share_that_is_just_the_minimum_passes(right: int, of: int, minimum: float) -> None:
    gate = assert_min_accuracy(write_closed(right, of), minimum)

    assert (gate.accuracy.right, gate.short_by) == (right, 0)


def test_one_answer_less_fails() -> None:
    with pytest.raises(AssertionError, match=r"closed 89.5 % < 90.0 % \(170/190\)(.|\n)*short by 1 answer\n"):
        assert_min_accuracy(write_closed(170, 190), 0.9, kind="closed")


def test_proof_takes_more_than_the_share() -> None:
    path = write_closed(94, 100)

    assert_min_accuracy(path, 0.9)
    with pytest.raises(
        AssertionError, match=r"not proved(.|\n)*at least 88.\d % with a one-sided confidence of 0.95"
    ):
        assert_min_accuracy(path, 0.9, confidence=0.95)
    bound = assert_min_accuracy(path, 0.85, confidence=0.95).bound
    assert bound == pytest.approx(proportion_confint(94, 100, alpha=0.1, method="wilson")[0], abs=1e-9)


def test_five_questions_on_a_image_are_not_five_independent_ones() -> None:
    write_lines("test.jsonl", [question(n, image=n // 5) for n in range(100)])
    path = write_closed(80, 100)

    alone, clustered = evaluate(path).measure(), evaluate(path, test="test.jsonl").measure()

    assert (clustered.accuracy.images, round(clustered.accuracy.effective_n)) == (20, 19)
    assert clustered.accuracy.share == alone.accuracy.share
    assert clustered.accuracy.interval.low < alone.accuracy.interval.low


def test_answers_on_texts_are_independent() -> None:
    write_lines("test.jsonl", [question(n) for n in range(100)])

    assert evaluate(write_closed(80, 100), test="test.jsonl").measure().accuracy.effective_n == 100


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([(1, "Yes"), (2, "Yes"), (9, "Yes")], "1 predicted, but not in the test split: no gate passes (9)"),
        ([(1, "Yes"), (2, "Yes"), (2, "No")], "1 with several different answers: no gate passes (2)"),
        ([(1, "Yes")], "1 without a prediction: counted as wrong, no gate passes (2)"),
        ([(1, "Yes"), (2, "")], "1 with an empty answer: counted as wrong (2)"),
    ],
)
def test_what_is_irregular_is_said(lines: list[tuple[int, str]], said: str) -> None:
    write_lines("test.jsonl", [question(1, truth="Yes"), question(2, truth="Yes")])
    path = write_lines("preds.jsonl", [prediction(id_, answer, "Yes") for id_, answer in lines])

    with pytest.raises(AssertionError, match=re.escape(said)):
        assert_min_accuracy(path, 0.6, test="test.jsonl")


def test_missing_prediction_of_unknown_kind_counts_in_each() -> None:
    write_lines("test.jsonl", [question(n) for n in range(3)])
    path = write_lines("preds.jsonl", [prediction(0, "Yes", "Yes"), prediction(1, "Bee", "Bee")])
    evaluation = evaluate(path, test="test.jsonl")

    for kind in ("closed", "open"):
        assert evaluation.measure(kind=kind, metric="exact").accuracy.share == 0.5  # type: ignore[arg-type]


def test_nothing_of_a_kind_is_an_error_and_not_0_percent() -> None:
    with pytest.raises(EvaluationError, match="there are no open questions"):
        assert_min_accuracy(write_closed(5, 5), 0.9, kind="open", metric="exact")


def test_choices_that_would_make_questions_closed_are_named() -> None:
    path = write_lines("preds.jsonl", [prediction(n, "True", ("True", "False")[n % 2]) for n in range(9)])

    with pytest.raises(EvaluationError, match=r"'True', 'False', and none .* choices=\['True', 'False'\]"):
        assert_min_accuracy(path, 0.9, kind="closed")
    assert assert_min_accuracy(path, 0.5, kind="closed", choices=["True", "False"]).accuracy.n == 9
    same = write_lines("same.jsonl", [prediction(n, "True", "True") for n in range(9)])
    with pytest.raises(EvaluationError, match="name the choices: choices=LIST"):  # one is no choice
        assert_min_accuracy(same, 0.9, kind="closed")


def test_missing_predictions_fail_a_gate_and_no_measurement() -> None:
    write_lines("test.jsonl", [question(n, truth="Yes") for n in range(100)])
    evaluation = evaluate(write_closed(99, 99), test="test.jsonl")

    assert evaluation.measure().ok
    with pytest.raises(AssertionError, match=r"all 99.0 % >= 90.0 % \(99/100\); missing predictions"):
        evaluation.assert_min_accuracy(0.9)
    ids = [str(number) for number in range(99)]
    assert evaluate("preds.jsonl", test="test.jsonl", ids=ids).assert_min_accuracy(1).accuracy.n == 99


def test_predictions_of_other_questions_are_an_error() -> None:
    write_lines("test.jsonl", [question(n, truth="Yes") for n in range(500, 505)])

    with pytest.raises(
        EvaluationError, match=r"none of 4 predicted ids is in test.jsonl: .* 0, 1, 2, \.\.\."
    ):
        evaluate(write_closed(4, 4), test="test.jsonl")


def test_no_ids_are_no_selection() -> None:
    with pytest.raises(UsageError, match="ids has no id"):
        evaluate(write_closed(4, 4), ids=[])


# Groups


GENRES = [
    prediction(n, "Yes" if n % 10 or n >= 50 else "No", "Yes", genre="novel" if n < 50 else "poem")
    for n in range(60)
]


def test_each_group_must_reach_the_minimum() -> None:
    path = write_lines("preds.jsonl", GENRES)

    assert assert_min_accuracy(path, 0.9, by="genre").groups[1].few
    with pytest.raises(AssertionError, match=r"too low: genre=novel 90.0 % \(45/50\)") as raised:
        assert_min_accuracy(path, 0.91, by="genre")
    assert "genre=poem 100.0 % (10/10), too few answers for a verdict" in str(raised.value)
    assert str(raised.value).startswith("all 91.7 % >= 91.0 % (55/60); a group is too low\n")


def test_groups_of_several_keys_are_all_required_and_shown() -> None:
    lines = [{**line, "shelf": str(number % 2)} for number, line in enumerate(GENRES)]
    path = write_lines("preds.jsonl", lines)

    gate = assert_min_accuracy(path, 0.8, by=["genre", "shelf"])
    assert [(group.key, group.value) for group in gate.groups] == [
        *(("genre", "novel"), ("genre", "poem"), ("shelf", "0"), ("shelf", "1")),
    ]
    with pytest.raises(
        AssertionError, match=r"  too low: shelf=0 83.3 % \(25/30\)\n  shelf=1 100.0 % "
    ) as raised:
        assert_min_accuracy(path, 0.9, by=["genre", "shelf"])
    assert "  genre=novel 90.0 % (45/50)\n  genre=poem 100.0 % (10/10), too few" in str(raised.value)
    with pytest.raises(EvaluationError, match="no group by 'shelf' has 40 answers; lower min_n"):
        assert_min_accuracy(path, 0.8, by=["genre", "shelf"], min_n=40)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"by": "gerne"}, "does not have the key 'gerne' of by"),
        ({"by": "genre", "min_n": 51}, "lower min_n"),
    ],
)
def test_groups_that_are_not_there_are_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(EvaluationError, match=said):
        assert_min_accuracy(write_lines("preds.jsonl", GENRES), 0.5, **settings)


def test_group_may_be_written_in_the_test_split() -> None:
    write_lines("test.jsonl", [{**question(n), "metadata": "x"} for n in range(20)])

    gate = assert_min_accuracy(write_closed(20, 20), 1, test="test.jsonl", by="metadata")

    assert [(group.value, group.few) for group in gate.groups] == [("x", False)]


# Comparisons


def test_few_lost_answers_are_chance() -> None:
    comparison = assert_not_worse_than(write_closed(85, 100), write_closed(90, 100, "base.jsonl"))

    assert (len(comparison.fixed), len(comparison.broken), comparison.p) == (0, 5, 0.0625)
    assert comparison.difference == pytest.approx(-0.05)


def test_many_lost_answers_are_not() -> None:
    paths = write_closed(80, 100), write_closed(90, 100, "base.jsonl")

    with pytest.raises(AssertionError, match=r"all -10.0 points against base.jsonl: worse(.|\n)*p = 0.00195"):
        assert_not_worse_than(*paths)
    assert assert_not_worse_than(*paths, margin=0.1).ok
    assert assert_not_worse_than(*paths, alpha=0.001).ok


def test_answers_lost_on_one_image_are_less_of_a_proof() -> None:
    write_lines("test.jsonl", [question(n, image=n // 10) for n in range(100)])
    paths = write_closed(80, 100), write_closed(90, 100, "base.jsonl")

    assert assert_not_worse_than(*paths, test="test.jsonl").p < 0.05


def test_no_difference_is_proved_by_many_answers_only() -> None:
    with pytest.raises(AssertionError, match="not proved"):
        assert_not_worse_than(
            write_closed(9, 10), write_closed(9, 10, "b.jsonl"), margin=0.02, confidence=0.95
        )
    assert_not_worse_than(
        write_closed(900, 1000), write_closed(900, 1000, "b.jsonl"), margin=0.02, confidence=0.95
    )


def test_other_model_must_answer_the_same_questions() -> None:
    write_lines("base.jsonl", [prediction(n, "Yes", "Yes") for n in range(5, 15)])

    with pytest.raises(UsageError, match=r"against has answers to 10 questions of this kind, not to 10.*'0'"):
        assert_not_worse_than(write_closed(9, 10), "base.jsonl")


# What is said


def failure(minimum: float = 0.9, **settings: Any) -> str:
    write_lines("test.jsonl", [question(n, image=n // 5) for n in range(190)])
    lines: list[Mapping[str, Any]] = [prediction(n, "No", "No") for n in range(167)]
    lines += [prediction(n, "Yes.", "No") for n in range(167, 182)]
    lines += [prediction(n, "no", "Yes") for n in range(182, 188)]
    lines += [prediction(n, "**Answer:** No.", "No") for n in range(188, 190)]
    with pytest.raises(AssertionError) as raised:
        assert_min_accuracy(
            write_lines("preds_4o.jsonl", lines), minimum, test="test.jsonl", kind="closed", **settings
        )
    return str(raised.value)


def test_failure_tells_all_that_helps() -> None:
    text = failure()

    headline, *rest = text.splitlines()
    settled = "about 3,749 answers would settle it if the accuracy stayed the same"
    assert headline == "closed 87.9 % < 90.0 % (167/190)"
    assert len(headline) <= 35
    assert rest[:4] == [
        "preds_4o.jsonl vs test.jsonl: 190 predictions to 190 questions, matched by the id in the question",
        "  95 % interval 74.3 to 94.8 % (Wilson; 38 images, effective n 40 of 190)",
        "  short by 4 answers",
        f"  inconclusive: the interval contains the minimum; {settled}",
    ]
    assert "  wrong 23: said Yes, truth No: 15 | said No, truth Yes: 6 | said other, truth No: 2" in rest
    assert (
        "    preds_4o.jsonl:168, test.jsonl:168  'Is this a book about bees? [167]'  "
        "id 167  said 'Yes.'  truth 'No'" in rest
    )
    assert "    ... and 13 more" in rest
    assert "  near misses 2 ('**Answer:** No.' ...): normalise=\"markdown\" would accept them" in rest
    assert "  to show the image: vft show test.jsonl:168 --save DIR" in rest
    assert rest[-1] == (
        "  to evaluate only the wrong answers: vft eval preds_4o.jsonl --test=test.jsonl "
        "--ids=@.vft_cache/wrong-preds_4o-closed.txt"
    )


@pytest.mark.parametrize(
    ("said", "truth"),
    [
        ("The Hitchhiker’s Guide", "The Hitchhiker's Guide"),  # noqa: RUF001 - what models write
        ("1914–1918", "1914-1918"),  # noqa: RUF001 - as above
        ("Don\u200bQuixote\ufeff", "DonQuixote"),
        ("Jekyll – “Hyde”", 'Jekyll - "Hyde"'),  # noqa: RUF001 - as above
    ],
)
def test_typographic_differences_are_near_misses(said: str, truth: str) -> None:
    evaluation = evaluate(write_lines("preds.jsonl", [prediction(1, said, truth), prediction(2, "x", truth)]))

    for metric in ("normalised_exact", "exact"):
        gate = evaluation.measure(metric=metric)  # type: ignore[arg-type]  # a literal
        assert (gate.accuracy.right, [name for _, name in gate.near_misses]) == (0, ["typography"])
    assert evaluation.measure(metric="normalised_exact", normalise="typography").accuracy.right == 1
    assert evaluation.measure(metric="normalised_exact", normalise="markdown").accuracy.right == 1


def test_lists_of_two_files_of_one_name_are_two_files() -> None:
    commands = []
    for folder, right in (("a", 3), ("b", 5)):
        Path(folder).mkdir()
        evaluation = evaluate(write_closed(right, 9, f"{folder}/preds.jsonl"))
        gate = evaluation.measure(kind="closed")
        commands.append(evaluation.write_wrong_ids(gate))

    paths = [Path(one.partition("@")[2]) for command in commands for one in command if "--ids" in one]
    assert [len(path.read_text().splitlines()) for path in paths] == [6, 4]


def test_near_misses_count_when_asked_to() -> None:
    assert "(169/190)" in failure(normalise="markdown")


def test_ids_of_the_wrong_ones_are_written() -> None:
    failure()

    assert Path(".vft_cache/wrong-preds_4o-closed.txt").read_text().split() == [
        str(number) for number in range(167, 190)
    ]
    assert Path(".vft_cache/.gitignore").read_text() == "*\n"


def test_share_just_below_the_minimum_does_not_look_like_it() -> None:
    with pytest.raises(AssertionError, match=r"closed 89.990 % < 90.000 %"):
        assert_min_accuracy(write_closed(8_999, 10_000), 0.9, kind="closed")


def test_text_of_answers_is_harmless() -> None:
    hostile = "\x1b[31m::error::##[command]\u202e"
    path = write_lines("preds.jsonl", [prediction(hostile, hostile, "Yes", model=hostile)])

    with pytest.raises(AssertionError) as raised:
        assert_min_accuracy(path, 1)
    assert not re.search("\x1b|\u202e|##\\[|^::", str(raised.value), re.MULTILINE)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"minimum": 90}, "minimum is 90; expected a share from 0 to 1"),
        ({"confidence": 1}, "confidence is 1; expected a share between 0 and 1"),
        ({"metric": "exatc"}, "no metric 'exatc' (did you mean 'exact'?)"),
        ({"normalise": "markdwon"}, "no normalisation 'markdwon' (did you mean 'markdown'?)"),
        ({"kind": "close"}, "no kind 'close' (did you mean 'closed'?)"),
        ({"min_f1": 0}, "min_f1 is 0"),
        ({"min_f1": float("nan")}, "min_f1 is nan"),
        ({"minimum": "0.9"}, "minimum is '0.9'; expected a share from 0 to 1"),
        ({"minimum": float("nan")}, "minimum is nan"),
        ({"choices": "True,False"}, "choices is 'True,False'; expected a list"),
        ({"min_n": 2.5}, "min_n is 2.5; expected a whole number"),
        ({"min_n": 0}, "min_n is 0; expected a whole number of at least 1"),
    ],
)
def test_wrong_arguments_are_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        assert_min_accuracy(write_closed(1, 1), **{"minimum": 0.9} | settings)


def test_public_names_are_one_evaluation() -> None:
    assert pytest_vft.evaluate is evaluate
    assert json.dumps(evaluate(write_closed(1, 1)).matched.predictions) == "1"
