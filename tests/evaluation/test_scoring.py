"""Which answers are right."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_vft.evaluation.judge import Judge
from pytest_vft.evaluation.predictions import Answer
from pytest_vft.evaluation.ratings import RATINGS, Rating, read_rating
from pytest_vft.evaluation.scoring import (
    METRICS,
    NORMALISATIONS,
    NORMALISE,
    Kind,
    Mark,
    Metric,
    Normalisation,
    Scoring,
    kinds_of,
    near_misses,
    score,
    token_f1,
)


def answer(said: str, truth: str) -> Answer:
    return Answer("1", 1, said, truth, None, {})


def scored(
    answers: list[Answer], scoring: Scoring, ratings: Mapping[str, Rating] | None = None
) -> list[Mark]:
    return score(zip(answers, kinds_of(answers), strict=True), scoring, ratings or {})


def is_right(
    said: str, truth: str, metric: Metric = "normalised_exact", normalise: Normalisation = "text"
) -> bool:
    (mark,) = scored([answer(said, truth)], Scoring(metric=metric, normalise=normalise))
    return bool(mark.right)


# A wrong answer that holds the right one as a part of its text.
SUBSTRINGS = [
    ("Yes, it is by an author I know well.", "No"),
    ("Not sure.", "No"),
    ("Unknown", "No"),
    ("I cannot answer that.", "No"),
    ("Nothing says so; yes.", "No"),
    ("None of it. Yes!", "No"),
    ("No. Eyes look at you from the cover.", "Yes"),
    ("No, though it is about the Yeselson family.", "Yes"),
]


@pytest.mark.parametrize("metric", [metric for metric in METRICS if metric != "judge"])
@pytest.mark.parametrize("normalise", NORMALISATIONS)
@pytest.mark.parametrize(("said", "truth"), SUBSTRINGS)
def test_right_answer_inside_a_wrong_one_is_wrong(
    said: str, truth: str, metric: Metric, normalise: Normalisation
) -> None:
    assert truth.lower() in said.lower()
    assert not is_right(said, truth, metric, normalise)


@pytest.mark.parametrize(
    "said", ["Yes", "yes", "Yes.", " YES ", '"Yes"', "“Yes.”", "Yes!", "\uff39\uff45\uff53"]
)
def test_what_differs_in_case_space_and_final_marks_is_right(said: str) -> None:
    assert is_right(said, "Yes")
    assert is_right(said, "Yes", "exact") == (said == "Yes")


@pytest.mark.parametrize(
    ("said", "truth"),
    [("-5", "5"), (".5", "5"), ("$5", "5"), ("5%", "5"), ("C", "C++"), ("", "."), ("A B", "AB")],
)
def test_what_means_something_else_is_wrong(said: str, truth: str) -> None:
    assert not is_right(said, truth)


@pytest.mark.parametrize(
    ("said", "truth", "normalise"),
    [
        ("**Answer:** No.", "No", "markdown"),
        ("The final answer: `No`", "No", "markdown"),
        ("_No_", "No", "markdown"),
        ("The Hobbit", "Hobbit", "squad"),
        ("J.R.R. Tolkien", "JRR Tolkien", "squad"),
        ("Nobody", "No", None),
    ],
)
def test_near_miss_names_the_normalisation_that_would_count_it(
    said: str, truth: str, normalise: Normalisation | None
) -> None:
    assert not is_right(said, truth)
    found = near_misses([Mark(answer(said, truth), "closed", False)], "text")
    assert [name for _, name in found] == ([normalise] if normalise else [])
    if normalise:
        assert is_right(said, truth, normalise=normalise)


def test_an_article_may_be_a_choice() -> None:
    assert is_right("a", "A", normalise="squad")
    assert not is_right("the", "A", normalise="squad")


@given(st.text())
@example("»¨")
@example("\" 'yes' . .")
def test_normalising_twice_changes_nothing(text: str) -> None:
    for name in ("text", "squad"):
        once = NORMALISE[name](text)
        assert NORMALISE[name](once) == once


# https://rajpurkar.github.io/SQuAD-explorer/ counts words like this; the values are worked out by hand.
@pytest.mark.parametrize(
    ("said", "truth", "f1"),
    [
        ("Cookshack Inc.", "Cookshack", 2 / 3),
        ("the DK Travel", "DK Publishing", 1 / 2),
        ("a b b", "b b b", 2 * (2 / 2) * (2 / 3) / (2 / 2 + 2 / 3)),
        ("Madeleine L'Engle", "madeleine lengle", 1),
        ("Nobody", "Someone", 0),
        ("", "Someone", 0),
    ],
)
def test_token_f1(said: str, truth: str, f1: float) -> None:
    assert token_f1(said, truth) == pytest.approx(f1)


def test_token_f1_is_right_from_its_minimum() -> None:
    given = [answer("Cookshack Inc.", "Cookshack")]

    assert scored(given, Scoring(metric="token_f1", min_f1=0.66))[0].right
    assert not scored(given, Scoring(metric="token_f1", min_f1=0.67))[0].right


@pytest.mark.parametrize(
    ("truth", "kind"),
    [("Yes", "closed"), ("no.", "closed"), ("B", "closed"), ("Bee", "open"), ("None", "open")],
)
def test_kind_is_that_of_the_actual_answer(truth: str, kind: Kind) -> None:
    assert kinds_of([answer("x", truth)], ["A", "B"]) == [kind]


def test_ratings_are_right_when_they_pass() -> None:
    given = [Answer(str(number), number, "a", "b", None, {}) for number in range(3)]

    judge = Judge(model="judge", passing=("Very Similar",))
    marks = scored(
        given,
        Scoring(judge=judge),
        {
            ("0", "a"): Rating("Very Similar", ""),
            ("1", "a"): Rating("Incorrect", ""),
            ("2", "a"): Rating(None, "Hm"),
        },
    )

    assert [mark.right for mark in marks] == [True, False, None]
    assert marks[2].judge_said == "Hm"


def test_empty_answer_is_wrong_without_a_judge() -> None:
    assert scored([answer(" ", "b")], Scoring())[0].right is False


@given(
    st.text(alphabet=st.characters() | st.sampled_from('{}[]":,`\n'), max_size=80), st.sampled_from(RATINGS)
)
def test_a_rating_is_found_behind_any_text(text: str, rating: str) -> None:
    found = read_rating(text)
    assert found is None or found[0] in RATINGS
    quoted = json.dumps({"reason": text, "rating": rating})
    assert read_rating(f"```json\n{quoted}\n```") == (rating, text)
    assert read_rating(f"{text.replace('{', '')}\n{quoted}") == (rating, text)
