"""A judge compared with people."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from pytest_vft import EvaluationError, Judge, evaluate
from pytest_vft.cli import main
from pytest_vft.evaluation.ratings import RATINGS
from pytest_vft.evaluation.statistics import cohen_kappa, two_sided

from .files import prediction, write_lines
from .server import Endpoint, Reply, Request, question_of, serving

Z = two_sided(0.95)


@given(st.lists(st.lists(st.integers(0, 40), min_size=4, max_size=4), min_size=4, max_size=4))
def test_kappa_is_that_of_statsmodels(table: list[list[int]]) -> None:
    counts = Counter(
        {
            (one, two): n
            for one, row in zip(RATINGS, table, strict=True)
            for two, n in zip(RATINGS, row, strict=True)
        }
    )
    counts = +counts
    raters = [{one for one, _ in counts}, {two for _, two in counts}]
    if not counts or len(set.union(*raters)) == 1:
        assert not counts or cohen_kappa(counts, Z) is None
        return

    found = cohen_kappa(counts, Z)

    assert found is not None
    kappa, interval = found
    with np.errstate(all="ignore"):  # statsmodels also tests kappa, which some tables do not allow
        expected = cohens_kappa(np.array(table))
    assert kappa == pytest.approx(expected.kappa, abs=1e-9)
    if not np.isnan(expected.kappa_low):  # a variance of 0 that is rounded to less
        low, high = max(-1.0, float(expected.kappa_low)), min(1.0, float(expected.kappa_upp))
        assert interval == pytest.approx((low, high), abs=1e-6)


def by_answer(request: Request, _: int) -> Reply:
    """Rate an answer by its first letter: V, M, S or I."""
    said = json.loads(question_of(request).split("\n")[1])["given_answer"]
    return Reply(json.dumps({"reason": "", "rating": next(one for one in RATINGS if one[0] == said[0])}))


# The ratings of the judge, and those of people.
JUDGED = "VVVVMMMMSSSSIIII"
PEOPLE = "VVVMMMMISSVSIIIS"


@pytest.fixture(autouse=True)
def _files() -> None:
    write_lines("p.jsonl", [prediction(n, f"{one} {n}", "Ann") for n, one in enumerate(JUDGED)])
    ratings = [next(rating for rating in RATINGS if rating[0] == one) for one in PEOPLE]
    write_lines("labels.jsonl", [{"id": n, "rating": one.lower()} for n, one in enumerate(ratings)])


def run(endpoint: Endpoint, *more: str) -> int:
    given = ["eval", "p.jsonl", "--judge=j", f"--judge-url={endpoint.url}", "--judge-labels=labels.jsonl"]
    return main([*given, "--min-accuracy=0.4", *more])


def test_agreement_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(by_answer) as endpoint:
        assert run(endpoint, "--report=json:r.json", "--report=markdown:r.md", "--report=junit:r.xml") == 0
        requests = len(endpoint.requests)

    out = capsys.readouterr().out
    table = np.array(
        [
            [sum(p == one and j == two for p, j in zip(PEOPLE, JUDGED, strict=True)) for two in "VMSI"]
            for one in "VMSI"
        ]
    )
    expected = cohens_kappa(table)
    low, high = expected.kappa_low, expected.kappa_upp
    assert out.partition("judge j ")[2].splitlines()[:9] == [
        "gives the rating in labels.jsonl to 75.0 % (12/16)",
        "  95 % interval 50.5 to 89.8 % (Wilson)",
        f"  Cohen's kappa {expected.kappa:.2f}, 95 % interval {low:.2f} to {high:.2f}",
        "  right or wrong by both 87.5 % (14/16)",
        "  people / judge    Very Similar  Mostly Similar  Somewhat Similar  Incorrect",
        "  Very Similar      3             0               1                 0",
        "  Mostly Similar    1             3               0                 0",
        "  Somewhat Similar  0             0               3                 1",
        "  Incorrect         0             1               0                 3",
    ]
    assert requests == 16
    found = json.loads(Path("r.json").read_text(encoding="utf-8"))["calibration"]
    assert (found["n"], found["agreed"], found["kappa"]) == (16, 12, pytest.approx(float(expected.kappa)))
    assert found["confusions"][0] == {"people": "Very Similar", "judge": "Very Similar", "count": 3}
    assert "| `Very Similar` | `3` | `0` | `1` | `0` |" in Path("r.md").read_text(encoding="utf-8")


def test_some_answers_may_be_labelled_in_a_table() -> None:
    lines = [
        "id,predicted_answer,human_rating",
        "0,V 0,Very Similar",
        "4,an older answer,Incorrect",
        "5,M 5,incorrect",
    ]
    Path("labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with serving(by_answer) as endpoint:
        found = evaluate("p.jsonl").calibrate("labels.csv", judge=Judge(model="j", base_url=endpoint.url))

    assert (found.n, found.agreed, found.left_out) == (2, 1, 1)


def test_one_rating_only_has_no_kappa(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines("labels.jsonl", [{"id": n, "rating": "Very Similar"} for n in range(3)])
    with serving(by_answer) as endpoint:
        assert run(endpoint) == 0
    assert "\n  Cohen's kappa is not defined: all ratings are equal\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"id": 99, "rating": "Incorrect"}, "labels.jsonl:1: no answer has the id '99'"),
        (
            {"id": 1, "rating": "good"},
            "labels.jsonl:1: no rating 'good'; expected Very Similar, Mostly Similar",
        ),
        ({"id": 1}, "labels.jsonl:1: expected an id, and a rating in the key rating, human_rating or label"),
        (
            {"id": 1, "rating": "Incorrect", "prediction": "x"},
            "the judge has rated none of 1 labelled answer",
        ),
    ],
)
def test_what_is_no_label_is_named(
    line: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines("labels.jsonl", [line])

    with serving(by_answer) as endpoint:
        assert run(endpoint) == 2
    done = capsys.readouterr()
    assert said in done.out + done.err


def test_two_ratings_of_one_answer_are_named() -> None:
    write_lines("labels.jsonl", [{"id": 1, "rating": "Incorrect"}, {"id": 1, "rating": "Very Similar"}])

    with pytest.raises(EvaluationError, match=r"labels.jsonl:2: '1' has another rating at labels.jsonl:1"):
        evaluate("p.jsonl").calibrate("labels.jsonl", judge="j")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "--judge-labels needs a judge: --judge=MODEL"),
        (
            ["--judge=j", "--metric=exact"],
            "--judge-labels needs answers that the judge rates; leave out --metric",
        ),
    ],
)
def test_labels_need_a_judge(more: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "p.jsonl", "--judge-labels=labels.jsonl", *more]) == 2
    assert said in capsys.readouterr().err
