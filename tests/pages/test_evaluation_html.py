"""The page about an evaluation, as text: what is in it, and its bounds."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import pytest
from evaluation.server import Reply, Request, question_of
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pytest_vft import evaluate, write_jsonl
from pytest_vft.catalogue.cases import draw
from pytest_vft.cli import main
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.matching import MatchedPredictions
from pytest_vft.evaluation.results import Results
from pytest_vft.report.html import answers, budget
from pytest_vft.report.html.accuracy_chart import accuracy_chart
from pytest_vft.report.html.answer_tables import confusion_matrix

from .judged import judge, rate, write_answers, write_everything, write_questions

ALL = ("--against=before.jsonl", "--min-accuracy=closed=0.8,open=0.8", "--by=type", "--min-n=4")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-tests")


def page_of(*options: str, name: str = "page.html") -> str:
    main(["eval", "now.jsonl", "--metric=normalised_exact", f"--report=html:{name}", *options])
    return Path(name).read_text(encoding="utf-8")


def sizes_of_images(page: str) -> list[tuple[int, int]]:
    found = re.findall('data:image/webp;base64,([^"]*)', page)
    return [Image.open(BytesIO(b64decode(one))).size for one in found]


def lists_in(page: str) -> dict[str, list[str]]:
    """Return the ids of questions in each list of *page*."""
    sections = re.findall(r'<h2 id="list-\d+">([^<]*) <small>.*?</section>', page, re.DOTALL)
    parts = re.split(r'<h2 id="list-\d+">', page)[1:]
    return {
        name: re.findall(r"<small>id (\d+)</small>", part) for name, part in zip(sections, parts, strict=True)
    }


def test_right_answers_have_no_cards() -> None:
    write_questions()
    write_answers("now.jsonl", ())

    page = page_of("--test=test.jsonl", "--min-accuracy=0.9")

    assert re.findall('<span class="verdict good">(.*?)</span>', page) == ["PASSED"]
    assert "<article" not in page
    assert "Confusions" not in page
    assert "This run made no requests." in page


def test_without_a_gate_nothing_has_passed() -> None:
    write_questions()
    write_answers("now.jsonl", (2,))

    page = page_of("--test=test.jsonl")

    assert re.findall('<span class="verdict none">(.*?)</span>', page) == ["NO GATE"]
    assert "closed answers 91.7 % (11 of 12 right)" in page


def test_every_wrong_answer_is_in_one_list() -> None:
    write_everything()

    assert judge(*ALL, "--report=html:page.html") == 1

    page = Path("page.html").read_text()
    assert lists_in(page) == {
        "Broken closed answers": ["2"],
        "Other wrong closed answers": ["8"],
        "Fixed closed answers": ["4", "6"],
        "Other wrong open answers": ["3", "5"],
    }
    (card,) = re.findall(
        '<article class="card answers error" id="test.jsonl:4".*?</article>', page, re.DOTALL
    )
    texts = re.sub(r"<[^>]*>", " ", card).split()
    assert " ".join(texts).startswith(
        "test.jsonl:4 id 3 image 1, 19 x 20 pixels What is this? [3] truth Square 3 "
        "now now.jsonl Not Square 3 Incorrect It denies what the true answer says. "
        "before before.jsonl Not Square 3 Incorrect"
    )
    assert "vft show test.jsonl:4" in card


def test_sentence_names_the_gates_that_failed() -> None:
    write_everything()

    judge(*ALL, "--report=html:page.html", "--judge-labels=labels.jsonl")

    page = Path("page.html").read_text()
    (sentence,) = re.findall('<span class="sentence">(.*?)</span>', page)
    assert sentence == (
        "2 of 4 gates failed: closed answers 83.3 % (type shape too low); "
        "open answers 83.3 % (type colour too low)"
    )
    assert "judge judge-1 gives the rating in labels.jsonl to 75.0 % (3/4)" in page
    assert "<td>0.0042</td>" in page


def test_ungraded_answers_are_counted_and_ratings_are_of_all_answers() -> None:
    write_questions()
    write_answers("now.jsonl", (3, 5))
    write_answers("before.jsonl", (7,))

    def rate_some(request: Request, number: int) -> Reply:
        unclear = any(f"Not Square {n}" in question_of(request) for n in (5, 7))
        return Reply(json.dumps({"reason": "", "rating": "Alike"})) if unclear else rate(request, number)

    judge(*ALL, "--report=html:page.html", answering=rate_some)

    page = Path("page.html").read_text()
    assert "too many ungraded: 1 of 12" in page
    assert "<b>now.jsonl</b> <span>11 rated open answers</span>" in page
    assert "<b>before.jsonl</b> <span>10 rated open answers</span>" in page


def test_questions_without_a_prediction_are_said_to_be() -> None:
    write_questions()
    write_answers("now.jsonl", (), questions=22)

    page = page_of("--test=test.jsonl", "--min-accuracy=0.5")

    assert "2 without a prediction: counted as wrong, no gate passes (22, 23)" in page
    assert page.count("(no prediction)") == 2


def test_a_kind_without_a_verdict_is_shown_as_failed() -> None:
    write_questions()
    write_answers("now.jsonl", ())

    page = page_of("--test=test.jsonl", "--min-accuracy=closed=0.5,open=0.5", "--by=type", "--min-n=99")

    assert "no verdict" in page
    assert "FAILED" in page


def test_images_are_those_of_the_questions() -> None:
    write_questions()
    write_answers("now.jsonl", (2, 8))

    assert sorted(sizes_of_images(page_of("--test=test.jsonl"))) == [(18, 20), (24, 20)]
    assert sizes_of_images(page_of("--test=test.jsonl", "--no-images", name="none.html")) == []


def test_no_image_outside_the_roots_is_shown(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(draw("png 33x33 rgb")[1])
    inside = tmp_path / "data"
    inside.mkdir()
    (inside / "own.png").write_bytes(draw("png 44x44 rgb")[1])
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    paths = ("../secret.png", str(tmp_path / "secret.png"), "link.png", "own.png")
    rows = [
        {"messages": [{"role": "user", "content": f"<image>What? [{n}]"}], "images": [path], "truth": "Yes"}
        for n, path in enumerate(paths)
    ]
    write_jsonl("data/test.jsonl", rows)
    write_jsonl("now.jsonl", [{"id": n, "prediction": "No"} for n in range(4)])

    page = page_of("--test=data/test.jsonl")

    assert page.count("<article") == 4
    assert sizes_of_images(page) == [(44, 44)]


def test_elements_of_an_array_and_answers_without_a_test_split() -> None:
    write_questions()
    write_answers("now.jsonl", (2,))
    lines = [json.loads(line) for line in Path("test.jsonl").read_text().splitlines()]
    Path("test.json").write_text(json.dumps(lines))

    page = page_of("--test=test.json")

    assert 'id="test.json:#2"' in page
    assert sizes_of_images(page) == [(18, 20)]
    write_jsonl("now.jsonl", [{"id": 1, "prediction": "No", "truth": "Yes", "question": "Is it?"}])
    alone = page_of()
    assert 'id="id:1"' in alone
    assert "Is it?" in alone
    assert "now.jsonl:1" in alone
    assert "vft show" not in alone


def test_cards_are_bounded_and_the_rest_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    write_questions(questions=500)
    write_answers("now.jsonl", range(0, 500, 2), questions=500)

    page = page_of("--test=test.jsonl")

    assert page.count("<article") == answers.CARDS_OF_LIST
    assert "50 more answers without a card" in page
    assert f"<li>test.jsonl: {', '.join(str(n) for n in range(401, 500, 2))}</li>" in page
    monkeypatch.setattr(budget, "_ROOM", 20_000)
    page = page_of("--test=test.jsonl")
    assert 0 < page.count("<article") < 20


def test_bytes_are_reproducible(capsys: pytest.CaptureFixture[str]) -> None:
    write_everything()
    options = ("--test=test.jsonl", "--metric=normalised_exact", "--against=before.jsonl")

    page = page_of(*options)
    assert page == page_of(*options, name="again.html")
    capsys.readouterr()
    main(["eval", "now.jsonl", *options, "--format=html"])
    assert capsys.readouterr().out.strip() == page.strip()
    main(["eval", "now.jsonl", *options, "--report=html:folder"])
    written = {path.name for path in Path("folder").rglob("*") if path.is_file()}
    assert {"index.html", "style.css", "script.js"} < written


def test_page_replaces_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    write_questions("test.html")
    write_answers("now.jsonl", ())

    assert main(["eval", "now.jsonl", "--test=test.html", "--report=html:test.html"]) == 2
    assert "test.html" in capsys.readouterr().err


def test_numbers_of_a_matrix_add_up() -> None:
    write_questions()
    write_answers("now.jsonl", (2, 4, 8))
    evaluation = evaluate("now.jsonl", test="test.jsonl")
    gate = evaluation.measure(kind="closed")

    matrix = confusion_matrix(gate, results(evaluation.matched, gate))

    assert matrix is not None
    assert matrix.columns == ["No", "Yes", "other"]
    numbers = {row: [cell.number for cell in cells] for row, cells in matrix.rows}
    assert numbers == {"No": [4, 0, 2], "Yes": [0, 5, 1]}
    assert sum(map(sum, numbers.values())) == gate.accuracy.n


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.floats(0, 1))
def test_plots_stay_within_their_width(
    tmp_path_factory: pytest.TempPathFactory, right: list[bool], minimum: float
) -> None:
    path = tmp_path_factory.mktemp("plots") / "now.jsonl"
    write_jsonl(
        path, [{"id": n, "prediction": "Yes" if one else "No", "truth": "Yes"} for n, one in enumerate(right)]
    )
    evaluation = evaluate(path)
    chart = accuracy_chart(results(evaluation.matched, evaluation.measure(minimum)))

    (row,) = chart.blocks[0].rows
    assert 0 < row.plot.low <= row.plot.at <= row.plot.high < 100
    assert row.plot.minimum is not None
    assert 0 < row.plot.minimum < 100
    assert len(chart.ticks) > 1
    assert all(0 < x < 100 for x, _ in chart.ticks)


def results(matched: MatchedPredictions, gate: Gate) -> Results:
    return Results(
        predictions="now.jsonl",
        test=None,
        against=None,
        matched=matched,
        judge=None,
        gates=[gate],
        comparisons=[],
        errors={},
    )
