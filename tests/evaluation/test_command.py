"""`vft eval`: exit codes, and what it prints and writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_vft.cli import main

from .files import notebook, prediction, question, write_lines
from .server import Reply, serving


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Vft:
    """Runs the command in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Done:
        code = main(["eval", *arguments])
        return Done(code, *self._capsys.readouterr())


@pytest.fixture
def vft(capsys: pytest.CaptureFixture[str]) -> Vft:
    return Vft(capsys)


@pytest.fixture(autouse=True)
def _files() -> None:
    write_lines("tuned.jsonl", notebook(172, 189))
    write_lines("base.jsonl", notebook(167, 136))


def test_gates_that_pass(vft: Vft) -> None:
    done = vft("tuned.jsonl", "--min-accuracy=closed=0.9,open=0.6", "--metric=exact", "--baseline=base.jsonl")

    assert (done.code, done.err) == (0, "")
    assert "\nclosed 90.5 % >= 90.0 % (172/190)\n  95 % interval 85.5 to 93.9 % " in done.out
    assert "\nopen +18.0 points vs baseline\n" in done.out
    assert done.out.endswith("\nPASSED  0 of 4 gates failed\n")
    assert not Path(".vft_cache").exists()


def test_gate_that_fails(vft: Vft) -> None:
    done = vft("base.jsonl", "--min-accuracy=closed=0.9")

    assert done.code == 1
    assert "\nclosed 87.9 % < 90.0 % (167/190)\n" in done.out
    assert "\nnote: 295 open answers not scored: no judge and no metric given\n" in done.out
    assert done.out.endswith("\nFAILED  1 of 1 gate failed\n")


def test_command_that_looks_at_the_wrong_ones_alone_does_so(vft: Vft) -> None:
    command = vft("base.jsonl", "--min-accuracy=closed=0.9").out.partition(
        "to evaluate only the wrong answers: "
    )[2]

    program, name, *arguments = command.splitlines()[0].split()
    assert (program, name) == ("vft", "eval")
    assert "\nclosed 0.0 % (0/23)\n" in vft(*arguments).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("wrong.jsonl --test=test.jsonl --min-accuracy=0.9", "in the test split are 0, 1, 2, ..."),
        ("wrong.jsonl --test=test.jsonl", "name the key of their ids: --keys=id=KEY"),
        ("tuned.jsonl --test=test.jsonl --baseline=wrong.jsonl --ids=0", "none of 1 predicted id is in test"),
        ("open.jsonl --min-accuracy=closed=0.9", "name the choices: --choices=LIST"),
        ("open.jsonl --min-accuracy=0.9", "--judge=MODEL, or a metric that compares texts: --metric="),
        ("open.jsonl", "open answers need a judge: --judge=MODEL"),
        ("open.jsonl --baseline=open.jsonl", "open answers need a judge: --judge=MODEL"),
        ("closed.jsonl --min-accuracy=0.1,open=0.1 --metric=exact", "expected NAME=VALUE"),
        ("closed.jsonl --min-accuracy=open=0.1 --metric=exact", "there are no open questions"),
        ("closed.jsonl --baseline=open.jsonl", "there are no closed questions"),
        ("tuned.jsonl --ids=", "--ids"),
    ],
)
def test_gate_that_judges_nothing_is_an_error(vft: Vft, arguments: str, said: str) -> None:
    write_lines("test.jsonl", [question(number) for number in range(485)])
    write_lines("wrong.jsonl", [prediction(9_000, "Yes", "Yes")])
    write_lines("open.jsonl", notebook(0, 5)[190:])
    write_lines("closed.jsonl", notebook(5, 0)[:190])

    done = vft(*arguments.split())

    assert done.code == 2
    assert said in done.out + done.err


def test_gate_on_all_holds_where_all_are_of_one_kind(vft: Vft) -> None:
    write_lines("closed.jsonl", notebook(190, 0)[:190])

    done = vft("closed.jsonl", "--min-accuracy=0.9", "--baseline=closed.jsonl")

    assert (done.code, done.out.splitlines()[-1]) == (0, "PASSED  0 of 2 gates failed")


def test_without_a_gate_it_tells_and_passes(vft: Vft) -> None:
    done = vft("tuned.jsonl")

    assert done.code == 0
    assert "\nclosed 90.5 % (172/190)\n" in done.out
    assert done.out.endswith("\nPASSED  no minimum or baseline given\n")


def test_one_minimum_for_both_wants_a_judge(vft: Vft) -> None:
    done = vft("tuned.jsonl", "--min-accuracy=0.9")

    assert done.code == 2
    assert "error open: open answers need a judge: --judge=MODEL" in done.out


def test_report_is_the_format_on_stdout(vft: Vft) -> None:
    done = vft(
        "base.jsonl", "--min-accuracy=0.9", "--metric=exact", "--format=json", "--report=json:out/r.json"
    )

    report = json.loads(done.out)
    assert json.loads(Path("out/r.json").read_text()) == report
    assert (report["format"], report["ok"], report["matched_by"]) == ("vft-eval/1", False, "none")
    closed, open_ = report["gates"]
    assert (closed["kind"], closed["right"], closed["n"], closed["short_by"]) == ("closed", 167, 190, 4)
    assert closed["interval"] == pytest.approx([0.824908, 0.917967], abs=1e-6)
    assert closed["confusions"] == [{"said": "Yes", "truth": "No", "count": 23}]
    assert len(open_["wrong"]) == 159


def test_hostile_answers_do_no_harm(vft: Vft) -> None:
    hostile = "\x1b[31m\n::error::##[command]\u202e"
    write_lines("p.jsonl", [prediction(hostile, hostile, "Yes", genre=hostile)])
    write_lines("t.jsonl", [{"id": hostile, **question(1)}])

    for format_ in ("text", "json"):
        done = vft(
            "p.jsonl", "--test=t.jsonl", "--min-accuracy=1", "--by=genre", "--min-n=1", f"--format={format_}"
        )
        assert done.code == 1
        assert not {"\x1b", "\u202e"} & set(done.out)
        assert "##[" not in done.out
        assert not [line for line in done.out.splitlines() if line.lstrip().startswith("::")]


def test_live_model_and_judge(vft: Vft) -> None:
    write_lines("test.jsonl", [question(n, truth="A bee" if n % 2 else "Yes") for n in range(10)])

    def script(request: dict[str, str], _: int) -> Reply:
        judged = json.dumps({"reason": "The same.", "rating": "Mostly Similar"})
        return Reply(judged if request["model"] == "judge" else "Yes")

    with serving(script) as endpoint:  # type: ignore[arg-type]  # a request is a mapping of anything
        done = vft(
            "answers.jsonl",
            "--test=test.jsonl",
            "--live=tuned",
            "--judge=judge",
            f"--base-url={endpoint.url}",
            "--min-accuracy=1",
        )

    assert done.code == 0
    assert done.err.splitlines()[-1] == "vft: 10 of 10 questions answered, 100.0 % of 5 right so far"
    assert "\n  ratings: Mostly Similar 5\n" in done.out


def test_nothing_is_sent_without_a_key(vft: Vft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    done = vft("tuned.jsonl", "--judge=judge", "--base-url=http://127.0.0.1:9/v1")

    assert done.code == 2
    assert "error open: no API key: set OPENAI_API_KEY" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("missing.jsonl", "missing.jsonl: No such file or directory"),
        ("tuned.jsonl --min-accuracy=90", "min-accuracy is 90; expected a share from 0 to 1"),
        ("tuned.jsonl --min-accuracy=high", "min-accuracy is 'high'; expected a number"),
        ("tuned.jsonl --min-accuracy=closd=0.9", "no kind 'closd' (did you mean 'closed'?)"),
        ("tuned.jsonl --min-accuracy=open=0.9", "open answers need a judge: --judge=MODEL"),
        ("tuned.jsonl --min-accuracy=closed=", "'closed=': expected NAME=VALUE"),
        ("tuned.jsonl --metric=f1", "no metric 'f1'"),
        ("tuned.jsonl --metirc=exact", "unknown option --metirc (did you mean '--metric'?)"),
        ("tuned.jsonl --passing=Incorrect", "--passing needs a judge: --judge=MODEL"),
        ("tuned.jsonl --max-requests=3", "--max-requests needs a live model: --live=MODEL"),
        ("tuned.jsonl --live=m", "a live model needs the test split: --test=FILE"),
        ("tuned.jsonl --live=m --test=t --prices=3", "prices: expected two, such as 2.50,10"),
        ("tuned.jsonl --live=m --test=t --max-cost=3", "max_cost needs prices"),
        ("tuned.jsonl --ids=@none.txt", "none.txt: No such file or directory"),
        ("tuned.jsonl --ids=1,none", "no question has the id 'none'"),
        ("tuned.jsonl --keys=predictd=a", "no key 'predictd' (did you mean 'predicted'?)"),
        ("tuned.jsonl --report=jsn:a", "unknown report format 'jsn' (did you mean 'json'?)"),
        ("tuned.jsonl --report=sarif:a", "vft eval has no report format 'sarif'; known: text, json"),
        ("tuned.jsonl base.jsonl", "unexpected argument 'base.jsonl'"),
    ],
)
def test_what_cannot_be_done_is_named(vft: Vft, arguments: str, said: str) -> None:
    done = vft(*arguments.split())

    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_key_is_never_printed(vft: Vft) -> None:
    with serving(
        lambda _, __: Reply(status=401, message=f"bad key {os.environ['OPENAI_API_KEY']}")
    ) as endpoint:
        done = vft("tuned.jsonl", "--judge=judge", f"--base-url={endpoint.url}")

    assert done.code == 2
    assert "bad key ***" in done.out
    assert "sk-secret" not in done.out + done.err
