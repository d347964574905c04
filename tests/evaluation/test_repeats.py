"""`--repeat`: questions asked several times, and intervals that know it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.linear_model import OLS

from pytest_vft import Judge, UsageError, evaluate
from pytest_vft.cli import main
from pytest_vft.evaluation.accuracy import measure
from pytest_vft.evaluation.live import Live
from pytest_vft.evaluation.predictions import Answer
from pytest_vft.evaluation.scoring import Mark
from pytest_vft.runs.live import run_live

from .files import prediction, question, write_lines
from .server import Endpoint, Reply, Request, question_of, serving


def flipping(request: Request, before: int) -> Reply:
    """Answer each fourth question right the first time only, the others always."""
    text = question_of(request)
    return Reply("No" if before and int(text[text.index("[") + 1 : -1]) % 4 == 0 else "Yes")


def ask(endpoint: Endpoint, *more: str) -> int:
    given = ["eval", "a.jsonl", "--test=test.jsonl", "--live=m", f"--base-url={endpoint.url}"]
    return main([*given, "--min-accuracy=0.5", *more])


def test_answers_that_flip_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines("test.jsonl", [question(n, truth="Yes") for n in range(20)])
    with serving(flipping) as endpoint:
        assert ask(endpoint, "--repeat=3", "--concurrency=1") == 0
        out = capsys.readouterr().out
        assert len(endpoint.requests) == 60
        assert ask(endpoint, "--repeat=3") == 0
        assert len(endpoint.requests) == 60

    assert "\nclosed 83.3 % >= 50.0 % (50/60)\n" in out
    assert "(Wilson; 20 questions, effective n 20 of 60)\n" in out
    assert out.startswith("vft: a.jsonl vs test.jsonl: 60 predictions to 20 questions, matched by ")
    assert "\n  5 of 20 questions answered right only at times (ids 0, 4, 8, 12, 16)\n" in out
    assert main(["eval", "a.jsonl", "--test=test.jsonl", "--min-accuracy=0.5", "--format=json"]) == 0
    gate = json.loads(capsys.readouterr().out.partition("{")[2].join(["{", ""]))["gates"][0]
    assert (gate["right"], gate["n"], gate["questions"]) == (50, 60, 20)
    assert gate["flips"] == ["0", "4", "8", "12", "16"]


def test_more_repeats_continue_a_transcript() -> None:
    write_lines("test.jsonl", [question(n, truth="Yes") for n in range(4)])
    with serving(flipping) as endpoint:
        for repeats, requests in ((1, 4), (3, 12), (2, 12)):
            assert ask(endpoint, f"--repeat={repeats}") in {0, 1}
            assert len(endpoint.requests) == requests
            assert evaluate("a.jsonl", test="test.jsonl").measure().accuracy.questions == 4
    numbers = [json.loads(line).get("repeat", 1) for line in Path("a.jsonl").read_text().splitlines()]
    assert sorted(numbers) == [1] * 4 + [2] * 4 + [3] * 4


def test_limit_between_repeats_leaves_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines("test.jsonl", [question(n, truth="Yes") for n in range(4)])
    with serving(flipping) as endpoint:
        assert ask(endpoint, "--repeat=2", "--max-requests=6") == 2
    assert "6 of 8 questions answered; --max-requests is reached" in capsys.readouterr().err

    irregular = evaluate("a.jsonl", test="test.jsonl").matched.irregular
    assert len(irregular.missing) == 2


def test_each_answer_of_a_question_is_rated() -> None:
    write_lines("test.jsonl", [question(n, image=n, truth=f"Ann {n}", text=f"Who? [{n}]") for n in range(3)])

    def script(request: Request, before: int) -> Reply:
        if request["model"] == "judge":
            data = question_of(request)
            return Reply(f"{'Incorrect' if 'Bob' in data else 'Very Similar'}")
        return Reply("Bob" if before else "A. Ann")

    with serving(script) as endpoint:
        answers = run_live(
            model="m",
            test="test.jsonl",
            transcript="a.jsonl",
            base_url=endpoint.url,
            repeat=2,
            concurrency=1,
        )
        gate = answers.measure(kind="open", judge=Judge(model="judge", base_url=endpoint.url, images=True))

    assert (gate.accuracy.right, gate.accuracy.n, list(gate.flips)) == (3, 6, ["0", "1", "2"])


def test_other_column_named_repeat_changes_nothing() -> None:
    lines = [prediction(n, "Yes", "Yes", repeat=n) for n in range(5)]

    found = evaluate(write_lines("p.jsonl", lines)).matched

    assert (len(found.answers), found.irregular.missing) == (5, ())


@pytest.mark.parametrize("number", [0, -1, 101, 1.5])
def test_number_of_repeats_is_checked(number: int) -> None:
    with pytest.raises(UsageError, match=r"repeat is .*; expected a whole number of at least 1"):
        Live(model="m", repeat=number)


def test_repeat_needs_a_live_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "a.jsonl", "--repeat=3"]) == 2
    assert "--repeat needs a live model: --live=MODEL" in capsys.readouterr().err


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=3, max_size=20))
@settings(max_examples=50)
def test_variance_over_questions_is_that_of_statsmodels(runs: list[list[bool]]) -> None:
    marks = [
        Mark(Answer(str(number), 1, "", "", None, {}), "closed", right)
        for number, rights in enumerate(runs)
        for right in rights
    ]
    values = [float(bool(mark.right)) for mark in marks]

    accuracy = measure(marks)

    mean = sum(values) / len(values)
    independent = sum((value - mean) ** 2 for value in values) / (len(values) * (len(values) - 1))
    groups = [int(mark.answer.id) for mark in marks]
    if independent:
        fitted = OLS(values, [1.0] * len(values)).fit(cov_type="cluster", cov_kwds={"groups": groups})
        clustered = max(3 * independent, float(fitted.bse[0]) ** 2)  # repeats are no more questions
        assert len(values) / accuracy.effective_n * independent == pytest.approx(clustered, abs=1e-9)


@pytest.mark.parametrize("images", [None, 1, 5])
@pytest.mark.parametrize("right", [20, 19, 10])
def test_equal_repeats_leave_the_interval_as_it_is(images: int | None, right: int) -> None:
    write_lines("test.jsonl", [question(n, image=images and n % images, truth="Yes") for n in range(20)])
    once = [prediction(n, "Yes" if n < right else "No", "Yes") for n in range(20)]
    repeated = [{**line, "repeat": number} for number in (1, 2, 3) for line in once]

    found = [
        evaluate(write_lines("p.jsonl", lines), test="test.jsonl").measure().accuracy
        for lines in (once, repeated)
    ]

    assert [one.n for one in found] == [20, 60]
    assert found[1].effective_n <= found[0].effective_n <= 20
    assert found[1].interval.low <= found[0].interval.low
