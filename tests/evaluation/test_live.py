"""A model asked over HTTP: what fails is tried again, what was answered is never asked twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_vft import EvaluationError, UsageError
from pytest_vft.errors import MissingKeyError
from pytest_vft.runs.evaluation import Evaluation
from pytest_vft.runs.live import Evaluator

from .files import question, write_lines
from .server import Endpoint, Reply, Request, Script, question_of, serving

RUN = Evaluator().run


@pytest.fixture(autouse=True)
def _test_split() -> None:
    write_lines("test.jsonl", [question(number, truth="Yes") for number in range(40)])


def run(endpoint: Endpoint, **settings: Any) -> Evaluation:
    given = {"model": "tuned", "test": "test.jsonl", "transcript": "answers.jsonl"}
    return RUN(**given | {"base_url": endpoint.url} | settings)


def always(reply: Reply) -> Script:
    return lambda _, __: reply


def kept() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]


def test_each_question_is_asked_without_its_answer() -> None:
    with serving(always(Reply(" Yes\n"))) as endpoint:
        evaluation = run(endpoint)

    assert evaluation.assert_min_accuracy(1.0).accuracy.n == 40
    assert set(endpoint.asked.values()) == {1}
    for request in endpoint.requests:
        assert [message["role"] for message in request["messages"]] == ["system", "user"]
        assert (request["model"], request["temperature"]) == ("tuned", 0)


def test_nothing_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(always(Reply("Yes"))) as endpoint:
        run(endpoint)
        monkeypatch.delenv("OPENAI_API_KEY")  # nor is a key needed
        again = run(endpoint)

        assert len(endpoint.requests) == 40
        assert again.assert_min_accuracy(1.0)


def test_transcript_is_a_file_of_predictions() -> None:
    from pytest_vft import evaluate  # noqa: PLC0415 - as a user would

    with serving(always(Reply("Yes"))) as endpoint:
        live = run(endpoint)

    offline = evaluate("answers.jsonl", test="test.jsonl")
    assert [one.said for one in offline.matched.answers] == [one.said for one in live.matched.answers]
    assert offline.matched.how == "pattern"


@pytest.mark.parametrize(
    "change", [{"model": "other"}, {"parameters": {"temperature": 1}}], ids=["model", "parameters"]
)
def test_another_request_is_asked_anew(change: dict[str, Any]) -> None:
    with serving(always(Reply("Yes"))) as endpoint:
        run(endpoint)
        evaluation = run(endpoint, **change)

    assert set(endpoint.asked.values()) == {2}
    assert evaluation.matched.predictions == 40


def test_trouble_of_all_kinds_ends_with_one_answer_each() -> None:
    """429, 500, time-outs, refusals and cut answers; totals agree."""

    def script(request: Request, before: int) -> Reply:
        number = int(question_of(request).rpartition("[")[2].rstrip("]"))
        if before == 0 and number % 8 < 3:
            return [Reply(status=429), Reply(status=500), Reply(delay=0.6)][number % 8]
        if number % 8 == 3:
            return Reply(None, refusal="I would rather not.")
        if number % 8 == 4:
            return Reply("It is a book about", finish_reason="length")
        return Reply("Yes" if number % 2 else "No")

    with serving(script) as endpoint:
        evaluation = run(endpoint, timeout=0.3)

    lines = kept()
    assert sorted(line["line"] for line in lines) == list(range(1, 41))
    assert set(endpoint.answered.values()) == {1}
    assert len(endpoint.answered) == 40
    irregular = evaluation.matched.irregular
    assert (len(irregular.refused), len(irregular.cut), len(irregular.empty)) == (5, 5, 5)
    gate = evaluation.measure()
    assert (gate.accuracy.right, gate.accuracy.n, len(gate.wrong)) == (15, 40, 25)


def test_questions_that_fail_are_named_and_not_kept() -> None:
    broken = True

    def script(request: Request, _: int) -> Reply:
        return Reply(status=500) if broken and "[7]" in question_of(request) else Reply("Yes")

    with serving(script) as endpoint:
        with pytest.raises(EvaluationError, match=r"39 of 40 questions answered; 1 failed.*planted.*again"):
            run(endpoint, retries=1)
        assert len(kept()) == 39
        asked = len(endpoint.requests)
        broken = False
        run(endpoint)
        assert len(endpoint.requests) == asked + 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_wrong_key_or_model_ends_the_run_and_shows_no_key(status: int) -> None:
    reply = Reply(status=status, message="wrong key sk-secret-of-the-tests")
    with serving(always(reply)) as endpoint, pytest.raises(EvaluationError) as raised:
        run(endpoint)

    assert str(raised.value).startswith(f"tuned: Error code: {status}")
    assert "secret" not in str(raised.value)
    assert len(endpoint.requests) == 1


def test_no_question_is_sent_where_a_server_redirects_to() -> None:
    moved = "http://127.0.0.1:9/v1"
    with (
        serving(always(Reply(status=307, location=moved))) as endpoint,
        pytest.raises(EvaluationError) as raised,
    ):
        run(endpoint)

    assert f"(the server redirects to {moved}; redirects are not followed)" in str(raised.value)


def test_server_that_only_fails_is_given_up() -> None:
    with serving(always(Reply(status=400))) as endpoint, pytest.raises(EvaluationError, match="10 questions"):
        run(endpoint, concurrency=2)

    assert len(endpoint.requests) <= 12


def test_server_that_is_not_there_is_named() -> None:
    with pytest.raises(EvaluationError, match="Connection"):
        RUN(model="m", test="test.jsonl", transcript="a.jsonl", base_url="http://127.0.0.1:9/v1", retries=0)


def test_temperature_is_left_out_where_it_is_refused() -> None:
    def script(request: Request, _: int) -> Reply:
        if "temperature" in request:
            return Reply(status=400, message="Unsupported value: 'temperature' does not support 0")
        return Reply("Yes")

    with serving(script) as endpoint:
        run(endpoint, concurrency=4)

    refused = [request for request in endpoint.requests if "temperature" in request]
    assert len(refused) <= 4
    assert len(endpoint.requests) - len(refused) == 40


def test_key_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    with pytest.raises(MissingKeyError, match="set OPENAI_API_KEY"):
        RUN(model="m", test="test.jsonl", transcript="a.jsonl", base_url="http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b"[]",
        b"null",
        b'{"choices": [{}]}',
        b'{"choices": [{"message": {"content": 1}}]}',
        b'{"choices": 1}',
        b"\xff",
    ],
)
def test_what_is_no_completion_is_a_failure(body: bytes) -> None:
    said = r"10 questions failed in a row.*not a completion"
    with serving(always(Reply(body=body))) as endpoint, pytest.raises(EvaluationError, match=said):
        run(endpoint, concurrency=1)


def test_content_may_be_a_list_of_parts() -> None:
    parts = [
        {"type": "thinking", "thinking": "Hm"},
        {"type": "text", "text": "Y"},
        {"type": "text", "text": "es"},
    ]
    with serving(always(Reply(parts))) as endpoint:
        assert {one.said for one in run(endpoint).matched.answers} == {"Yes"}


def test_question_that_a_filter_stops_is_refused_and_not_asked_again() -> None:
    def script(request: Request, _: int) -> Reply:
        filtered = Reply(status=400, code="content_filter", message="The response was filtered")
        return filtered if "[7]" in question_of(request) else Reply("Yes")

    with serving(script) as endpoint:
        for _ in range(2):
            irregular = run(endpoint).matched.irregular
            assert (irregular.refused, irregular.empty) == (["7"], ["7"])
        assert len(endpoint.requests) == 40


def test_lone_surrogate_is_replaced() -> None:
    with serving(always(Reply("Yes \ud800"))) as endpoint:
        assert {one.said for one in run(endpoint).matched.answers} == {"Yes ?"}


# Limits


def test_limit_on_requests_stops_and_resumes() -> None:
    with serving(always(Reply("Yes"))) as endpoint:
        for done in (15, 30):
            with pytest.raises(EvaluationError, match=f"{done} of 40 .*max_requests is reached.*15 requests"):
                run(endpoint, max_requests=15)
        run(endpoint, max_requests=15)

    assert set(endpoint.asked.values()) == {1}


def test_limit_on_cost_stops() -> None:
    """Each answer costs 100 x 10 + 10 x 100 millionths of a dollar."""
    with serving(always(Reply("Yes"))) as endpoint, pytest.raises(EvaluationError, match=r"\$0\.01"):
        run(endpoint, max_cost=0.01, prices=(10, 100), concurrency=2)

    assert len(endpoint.requests) == 5


def test_requests_in_flight_do_not_exceed_the_cost() -> None:
    with serving(always(Reply("Yes", delay=0.01))) as endpoint:
        with pytest.raises(EvaluationError, match=r"7 of 40 questions answered; max_cost is reached"):
            run(endpoint, max_cost=0.0151, prices=(10, 100), concurrency=8)
        assert len(endpoint.requests) == 7


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        ({"prompt_tokens": 9_000, "completion_tokens": 1}, "max_cost is exceeded"),
        (None, "the server reports no token usage, so max_cost cannot be kept"),
    ],
    ids=["cost", "usage"],
)
def test_cost_of_the_last_answers_is_checked_too(usage: Any, said: str) -> None:
    write_lines("test.jsonl", [question(number, truth="Yes") for number in range(3)])
    both_asked = threading.Barrier(2)

    def script(request: Request, _: int) -> Reply:
        if "[0]" in question_of(request):
            return Reply("Yes")
        both_asked.wait(10)
        return Reply("Yes", usage=usage)

    with serving(script) as endpoint:
        with pytest.raises(
            EvaluationError, match=f"3 of 3 questions answered; {said}; they are saved.*spent"
        ):
            run(endpoint, max_cost=0.01, prices=(10, 100))
        run(endpoint, max_cost=0.01, prices=(10, 100))
        assert len(endpoint.requests) == 3


def test_retries_are_requests() -> None:
    with serving(lambda _, before: Reply("Yes") if before else Reply(status=429)) as endpoint:
        evaluation = run(endpoint)
        assert evaluation.spending.requests == len(endpoint.requests) == 80


def test_limit_on_requests_holds_for_retries() -> None:
    with serving(always(Reply(status=503))) as endpoint:
        with pytest.raises(EvaluationError, match=r"max_requests is reached; .*4 requests to the model"):
            run(endpoint, max_requests=4, retries=50)
        assert len(endpoint.requests) == 4


def test_request_without_what_the_server_refused_is_a_request() -> None:
    def script(request: Request, _: int) -> Reply:
        return Reply(status=400, message="no temperature") if "temperature" in request else Reply("Yes")

    with serving(script) as endpoint:
        evaluation = run(endpoint, concurrency=1)

    assert evaluation.spending.requests == len(endpoint.requests) == 41


def test_limit_on_rate_spreads_questions() -> None:
    with serving(always(Reply("Yes"))) as endpoint:
        started = time.monotonic()
        run(endpoint, max_rate=6_000)

    assert time.monotonic() - started >= 39 * 60 / 6_000
    assert len(endpoint.requests) == 40


def test_concurrency_is_bounded() -> None:
    active: list[int] = []
    lock, running = threading.Lock(), [0]

    def script(_: Request, __: int) -> Reply:
        with lock:
            running[0] += 1
            active.append(running[0])
        time.sleep(0.005)
        with lock:
            running[0] -= 1
        return Reply("Yes")

    with serving(script) as endpoint:
        run(endpoint, concurrency=3)

    assert 1 < max(active) <= 3


@pytest.mark.parametrize(
    "settings",
    [
        *({"max_cost": 1}, {"concurrency": 0}, {"timeout": 0}, {"retries": -1}, {"max_requests": 0}),
        *({"max_requests": 2.5}, {"max_rate": float("nan")}, {"timeout": float("inf")}, {"concurrency": 1e9}),
        *({"prices": (1, float("nan"))}, {"max_cost": float("nan"), "prices": (1, 1)}),
    ],
    ids=str,
)
def test_impossible_limits_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        RUN(model="m", test="test.jsonl", transcript="a.jsonl", **settings)


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": None, "completion_tokens": 3}], ids=str)
def test_server_without_usage_stops_under_a_limit_of_cost(usage: Any) -> None:
    said = "1 of 40 .* reports no token usage, so max_cost cannot be kept; .* 1 without usage"
    with serving(always(Reply("Yes", usage=usage))) as endpoint:
        with pytest.raises(EvaluationError, match=said):
            run(endpoint, max_cost=1, prices=(10, 100), concurrency=1)
        assert len(endpoint.requests) == 1
        evaluation = run(endpoint, prices=(10, 100))
    assert str(evaluation.spending) == "39 requests to the model (0 + 0 tokens, 39 without usage)"


def test_what_was_spent_is_counted() -> None:
    with serving(always(Reply("Yes"))) as endpoint:
        first, again = run(endpoint, prices=(10, 100)), run(endpoint)

    assert str(first.spending) == "40 requests to the model (4,000 + 400 tokens, $0.0800)"
    assert str(again.spending) == "nothing"


def test_questions_without_actual_answers_are_refused_before_the_first_request() -> None:
    lines = [question(number, truth=None if number == 3 else "Yes") for number in range(5)]
    write_lines("test.jsonl", lines)

    with serving(always(Reply("Yes"))) as endpoint:
        with pytest.raises(EvaluationError, match=r"test\.jsonl:4: no actual answer.*nothing was asked"):
            run(endpoint)
        assert not endpoint.requests
        write_lines("test.jsonl", [{**line, "truth": "Yes"} for line in lines])
        assert run(endpoint).assert_min_accuracy(1)


# Transcripts


def test_another_server_is_asked_anew() -> None:
    with serving(always(Reply("Yes"))) as one, serving(always(Reply("No"))) as other:
        run(one)
        run(other, transcript="other.jsonl")
        assert run(one, transcript="other.jsonl", base_url=f"{one.url}/").measure().accuracy.right == 40
        assert (len(one.requests), len(other.requests)) == (80, 40)


def test_fresh_answers_replace_a_transcript_which_is_kept() -> None:
    texts = iter(["Yes"] * 40 + ["No"] * 40)
    with serving(lambda _, __: Reply(next(texts))) as endpoint:
        run(endpoint)
        before = Path("answers.jsonl").read_bytes()
        assert run(endpoint, fresh=True).measure().accuracy.right == 0
        assert run(endpoint).measure().accuracy.right == 0

    assert Path("answers.jsonl.old").read_bytes() == before
    assert len(kept()) == 40


def test_file_of_predictions_is_not_replaced() -> None:
    write_lines("answers.jsonl", [{"example_id": 1, "predicted_answer": "Yes", "actual_answer": "No"}])
    with (
        serving(always(Reply("Yes"))) as endpoint,
        pytest.raises(EvaluationError, match="not a line of a transcript"),
    ):
        run(endpoint, fresh=True)
    assert not Path("answers.jsonl.old").exists()


def test_file_that_is_no_transcript_is_left_alone() -> None:
    write_lines("answers.jsonl", [{"example_id": 1, "predicted_answer": "Yes", "actual_answer": "No"}])
    before = Path("answers.jsonl").read_bytes()

    with serving(always(Reply("Yes"))) as endpoint:
        with pytest.raises(EvaluationError, match=r"answers\.jsonl:1: not a line of a transcript"):
            run(endpoint)
        assert not endpoint.requests
    assert Path("answers.jsonl").read_bytes() == before


@pytest.mark.parametrize("torn", [1, 30, -1], ids=["first byte", "middle", "all but the newline"])
def test_torn_line_is_asked_again(torn: int) -> None:
    with serving(always(Reply("Yes"))) as endpoint:
        run(endpoint)
        *whole, last = Path("answers.jsonl").read_bytes().splitlines(keepends=True)
        Path("answers.jsonl").write_bytes(b"".join(whole) + last[:torn])
        run(endpoint)

        assert len(endpoint.requests) == 41
    assert sorted(line["line"] for line in kept()) == list(range(1, 41))


RUNNER = """
import sys
from pytest_vft.runs.live import Evaluator
given = {"model": "tuned", "test": "test.jsonl", "transcript": "answers.jsonl"}
Evaluator().run(**given, base_url=sys.argv[1], concurrency=4)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_kill_9_loses_at_most_the_answers_in_flight() -> None:
    def script(_: Request, __: int) -> Reply:
        time.sleep(0.02)
        return Reply("Yes")

    with serving(script) as endpoint:
        process = subprocess.Popen([sys.executable, "-c", RUNNER, endpoint.url])
        try:
            for _ in _until(lambda: endpoint.answered.total() >= 12):
                assert process.poll() is None
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        answered = endpoint.answered.total()
        survived = len(Path("answers.jsonl").read_bytes().split(b"\n")) - 1
        evaluation = run(endpoint)

        assert answered - survived <= 4
        assert len(endpoint.requests) <= 40 + 4 + 4
        assert sum(number > 1 for number in endpoint.asked.values()) <= 4
    assert evaluation.assert_min_accuracy(1.0).accuracy.n == 40
    assert len(kept()) == 40


def _until(done: Any, seconds: float = 15) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        yield
        time.sleep(0.005)


def test_two_runs_at_once_share_the_work() -> None:
    with serving(always(Reply("Yes"))) as endpoint:
        both = [threading.Thread(target=run, args=(endpoint,)) for _ in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()

    assert set(endpoint.asked.values()) == {1}
