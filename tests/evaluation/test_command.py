"""`vft eval`: exit codes, and what it prints and writes."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

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
    done = vft("tuned.jsonl", "--min-accuracy=closed=0.9,open=0.6", "--metric=exact", "--against=base.jsonl")

    assert (done.code, done.err) == (0, "")
    assert "\nclosed 90.5 % >= 90.0 % (172/190)\n  95 % interval 85.5 to 93.9 % " in done.out
    assert "\nopen +18.0 points against base.jsonl\n" in done.out
    assert done.out.endswith("\nPASSED  4 of 4 gates\n")
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
        ("tuned.jsonl --test=test.jsonl --against=wrong.jsonl --ids=0", "none of 1 predicted id is in test"),
        ("open.jsonl --min-accuracy=closed=0.9", "name the choices: --choices=LIST"),
        ("open.jsonl --min-accuracy=0.9", "--judge=MODEL, or a metric that compares texts: --metric="),
        ("open.jsonl", "open answers need a judge: --judge=MODEL"),
        ("open.jsonl --against=open.jsonl", "open answers need a judge: --judge=MODEL"),
        ("closed.jsonl --min-accuracy=0.1,open=0.1 --metric=exact", "expected NAME=VALUE"),
        ("closed.jsonl --min-accuracy=open=0.1 --metric=exact", "there are no open questions"),
        ("closed.jsonl --against=open.jsonl", "there are no closed questions"),
        ("tuned.jsonl --ids=", "--ids"),
        ("closed.jsonl --against=later.jsonl", "answers to 9 questions of this kind, not to 190; none with"),
    ],
)
def test_gate_that_judges_nothing_is_an_error(vft: Vft, arguments: str, said: str) -> None:
    write_lines("test.jsonl", [question(number) for number in range(485)])
    write_lines("wrong.jsonl", [prediction(9_000, "Yes", "Yes")])
    write_lines("open.jsonl", notebook(0, 5)[190:])
    write_lines("closed.jsonl", notebook(5, 0)[:190])
    write_lines("later.jsonl", [prediction(n, "Yes", "Yes") for n in range(1_000, 1_009)])

    done = vft(*arguments.split())

    assert done.code == 2
    assert said in done.out + done.err


def test_gate_on_all_holds_where_all_are_of_one_kind(vft: Vft) -> None:
    write_lines("closed.jsonl", notebook(190, 0)[:190])

    done = vft("closed.jsonl", "--min-accuracy=0.9", "--against=closed.jsonl")

    assert (done.code, done.out.splitlines()[-1]) == (0, "PASSED  2 of 2 gates")


def test_printed_command_has_every_setting_that_decides_what_is_right(vft: Vft) -> None:
    write_lines("test.jsonl", [{"nr": n, "gold": f"Author {n}", **question(n, image=n)} for n in range(4)])
    write_lines("p.jsonl", [{"nr": n, "out": f"Author {n % 2}", "model": "judge"} for n in range(4)])
    arguments = ["p.jsonl", "--test=test.jsonl", "--keys=id=nr,predicted=out,actual=gold"]
    scored = [*arguments, "--metric=token_f1", "--min-f1=0.9", "--normalise=none", "--choices=Author 3"]
    rating = '{"reason": "", "rating": "Somewhat Similar"}'
    with serving(lambda _, __: Reply(rating)) as endpoint:
        judged = [
            *arguments,
            "--judge=judge",
            f"--judge-url={endpoint.url}",
            "--judge-images",
            "--judge-itself",
        ]
        judged += ["--passing=Mostly Similar", "--max-ungraded=0.5"]
        for given in (scored, judged):
            out = vft(*given, "--min-accuracy=open=0.9").out
            command = out.partition("to evaluate only the wrong answers: ")[2].splitlines()[0]
            (ids,) = [part for part in shlex.split(command) if part.startswith("--ids=")]
            assert sorted(shlex.split(command)) == sorted(["vft", "eval", *given, ids])
            requests = len(endpoint.requests)
            again = vft(*shlex.split(command)[2:])
            assert re.search(r"\nopen 0.0 % \(0/\d\)\n", again.out), again
            assert len(endpoint.requests) == requests


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["--keys=id=nr,predicted=out"], {"nr": 5}),
        ([], {}),
        ([], {"id": "a"}),
        ([], {"text": "No number"}),
    ],
    ids=["keys", "numbers", "ids", "lines"],
)
def test_printed_command_for_a_transcript_evaluates_the_same_answers(
    vft: Vft, keys: list[str], line: Mapping[str, Any]
) -> None:
    text = line.get("text")
    lines = [question(n, truth="No" if n == 2 else "Yes", text=text and f"{text}{'!' * n}") for n in range(4)]
    ids = {name: value for name, value in line.items() if name != "text"}
    write_lines(
        "test.jsonl",
        [{**one, **{name: f"{value}{n}" for name, value in ids.items()}} for n, one in enumerate(lines)],
    )
    with serving(lambda _, __: Reply("Yes")) as endpoint:
        given = ["a.jsonl", "--test=test.jsonl", *keys, "--live=m"]
        out = vft(*given, f"--base-url={endpoint.url}", "--min-accuracy=1").out

    assert "\nclosed 75.0 % < 100.0 % (3/4)\n" in out
    command = out.partition("to evaluate only the wrong answers: ")[2].splitlines()[0]
    assert "\nclosed 0.0 % (0/1)\n" in vft(*shlex.split(command)[2:]).out


@pytest.mark.parametrize("option", ["--test", "--against", "--report", "--ids", "--keys", "--judge", "--by"])
def test_empty_options_are_refused(vft: Vft, option: str) -> None:
    for value in ("", " "):
        done = vft("tuned.jsonl", f"{option}={value}")
        assert (done.code, f"argument {option}: the value is empty" in done.err) == (2, True)


def test_without_a_gate_it_tells_and_passes(vft: Vft) -> None:
    done = vft("tuned.jsonl")

    assert done.code == 0
    assert "\nclosed 90.5 % (172/190)\n" in done.out
    assert done.out.endswith("\nPASSED  no gate: no minimum and no other model given\n")


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


def test_model_and_judge_of_azure(vft: Vft, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment is in the path, the key in a header of its own, the endpoint in a variable."""
    write_lines("test.jsonl", [question(n, truth="A bee" if n % 2 else "Yes") for n in range(10)])
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-secret-of-the-tests")

    def script(request: Mapping[str, Any], _: int) -> Reply:
        judged = json.dumps({"reason": "The same.", "rating": "Mostly Similar"})
        return Reply(judged if "<data>" in str(request) else "Yes")

    with serving(script) as endpoint:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", endpoint.url.removesuffix("/v1"))
        done = vft(
            *("answers.jsonl", "--test=test.jsonl", "--provider=azure"),
            *("--live=tuned", "--judge=grader", "--min-accuracy=1", "--report=json:report.json"),
            *("--prices=10,100", "--judge-prices=1,10", "--max-cost=1"),
        )

    assert done.code == 0, done
    version = "chat/completions?api-version=2024-10-21"
    assert set(endpoint.paths) == {f"/openai/deployments/{name}/{version}" for name in ("tuned", "grader")}
    assert {one["api-key"] for one in endpoint.headers} == {"azure-secret-of-the-tests"}
    said = "10 requests to the model (1,000 + 100 tokens, $0.0200); 5 requests to the judge"
    assert f"\nspent: {said} (500 + 50 tokens, $0.0010)\n" in done.out
    spent = json.loads(Path("report.json").read_text())["spent"]
    assert [(one["role"], one["model"], one["requests"], one["cost"]) for one in spent] == [
        ("model", "tuned", 10, pytest.approx(0.02)),
        ("judge", "grader", 5, pytest.approx(0.001)),
    ]


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        (
            "azure",
            "no endpoint: give --base-url=https://RESOURCE.openai.azure.com, or set AZURE",
        ),
        ("./own.toml", "the server of the provider ./own.toml is not known: --base-url=URL"),
        ("azrue", "azure"),
    ],
)
def test_provider_without_an_address_is_named(
    vft: Vft, provider: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
    write_lines("test.jsonl", [question(1, truth="Yes")])

    done = vft("answers.jsonl", "--test=test.jsonl", "--live=m", f"--provider={provider}")

    assert (done.code, said in done.err) == (2, True)


def test_limits_of_a_run_hold_for_model_and_judge_together(vft: Vft) -> None:
    write_lines("test.jsonl", [question(n, truth="A bee") for n in range(10)])
    with serving(lambda _, __: Reply('{"rating": "Incorrect"}')) as endpoint:
        given = ["answers.jsonl", "--test=test.jsonl", "--live=m", "--judge=j", f"--base-url={endpoint.url}"]
        stopped = vft(*given, "--max-requests=14")
        assert len(endpoint.requests) == 14
        done = vft(*given, "--max-requests=14")
        assert len(endpoint.requests) == 20
        again = vft(*given, "--fresh")
        assert len(endpoint.requests) == 40

    assert (stopped.code, done.code, again.code) == (2, 0, 0)
    assert "error open: 6 answers not rated: --max-requests is reached; ratings are saved" in stopped.out
    assert "spent: 10 requests to the model (1,000 + 100 tokens); 4 requests to the judge" in stopped.out
    assert "spent: 6 requests to the judge (600 + 60 tokens)\n" in done.out


def test_what_cannot_be_judged_is_refused_before_paying(vft: Vft) -> None:
    write_lines("test.jsonl", [question(n, truth="A bee") for n in range(10)])
    write_lines("questions.jsonl", [question(n) for n in range(10)])
    with serving(lambda _, __: Reply("Yes")) as endpoint:
        given = ["answers.jsonl", "--live=m", f"--base-url={endpoint.url}"]
        for arguments, said in (
            (["--test=questions.jsonl"], "questions.jsonl:1: no actual answer"),
            (["--test=test.jsonl"], "open answers need a judge"),
            (["--test=test.jsonl", "--min-accuracy=0.5"], "open answers need a judge"),
            (["--test=test.jsonl", "--min-accuracy=closed=0.5"], "there are no closed questions"),
            (["--test=test.jsonl", "--metric=exact", "--against=none.jsonl"], "none.jsonl: No such file"),
            (["--test=test.jsonl", "--metric=exact", "--ids=3,77"], "no question has the id '77'"),
        ):
            done = vft(*given, *arguments)
            assert done.code == 2
            assert said in done.err
        assert not endpoint.requests


def test_nothing_is_sent_without_a_key(vft: Vft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    done = vft("tuned.jsonl", "--judge=judge", "--base-url=http://127.0.0.1:9/v1")

    assert done.code == 2
    assert "error open: no API key: set OPENAI_API_KEY" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("missing.jsonl", "missing.jsonl: No such file or directory"),
        ("tuned.jsonl --min-accuracy=90", "--min-accuracy is 90; expected a share from 0 to 1"),
        ("tuned.jsonl --min-accuracy=high", "--min-accuracy is 'high'; expected a number"),
        ("tuned.jsonl --min-accuracy=closd=0.9", "no kind 'closd' (did you mean 'closed'?)"),
        ("tuned.jsonl --min-accuracy=open=0.9", "open answers need a judge: --judge=MODEL"),
        ("tuned.jsonl --min-accuracy=closed=", "'closed=': expected NAME=VALUE"),
        ("tuned.jsonl --metric=f1", "no metric 'f1'"),
        ("tuned.jsonl --metirc=exact", "unknown option --metirc (did you mean '--metric'?)"),
        ("tuned.jsonl --passing=Incorrect", "--passing needs a judge: --judge=MODEL"),
        ("tuned.jsonl --max-requests=3", "--max-requests needs a model or a judge: --live=MODEL or"),
        ("tuned.jsonl --live=m", "a live model needs the test split: --test=FILE"),
        ("tuned.jsonl --live=m --test=t --prices=3", "--prices: expected two, such as 2.50,10"),
        ("tuned.jsonl --live=m --test=t --max-cost=3", "--max-cost needs --prices=IN,OUT"),
        ("tuned.jsonl --judge=j --prices=1,2", "--prices needs a live model: --live=MODEL"),
        ("tuned.jsonl --judge=j --max-cost=3", "--max-cost needs --judge-prices=IN,OUT"),
        ("tuned.jsonl --provider=azure", "--provider needs a model or a judge"),
        ("tuned.jsonl --live=m --test=t --prices=1,nan", "--prices is 'nan'; expected a number"),
        ("tuned.jsonl --live=m --test=t --prices=1,-1", "--prices is -1.0; expected a number of at least 0"),
        ("tuned.jsonl --judge=m --max-requests=2.5", "--max-requests is '2.5'; expected a whole number"),
        (
            "tuned.jsonl --judge=m --max-requests=0",
            "--max-requests is 0; expected a whole number of at least 1",
        ),
        (
            "tuned.jsonl --judge=m --max-cost=1e400 --judge-prices=1,1",
            "--max-cost is '1e400'; expected",
        ),
        ("tuned.jsonl --judge=m --max-rate=inf", "--max-rate is 'inf'; expected a number"),
        ("tuned.jsonl --judge=m --timeout=1e9", "--timeout is 1000000000.0; expected a number of at least"),
        (
            "tuned.jsonl --judge=m --concurrency=-1",
            "--concurrency is -1; expected a whole number",
        ),
        ("tuned.jsonl --judge=m --retries=1e3", "--retries is '1e3'; expected a whole number"),
        ("tuned.jsonl --by=a --min-n=inf", "--min-n is 'inf'; expected a whole number"),
        ("tuned.jsonl --min-accuracy=nan", "--min-accuracy is 'nan'; expected a number"),
        ("tuned.jsonl --against=b --alpha=nan", "--alpha is 'nan'; expected a number"),
        (
            "tuned.jsonl --confidence=0.95",
            "--confidence needs a minimum or another model: --min-accuracy=N ",
        ),
        ("tuned.jsonl --min-accuracy=0.9 --margin=0.1", "--margin needs another model: --against=FILE"),
        ("tuned.jsonl --min-accuracy=0.9 --min-n=3", "--min-n needs groups: --by=KEYS"),
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


def test_key_that_a_server_sends_back_is_masked(vft: Vft) -> None:
    key = os.environ["OPENAI_API_KEY"]
    write_lines("test.jsonl", [question(n, truth="A bee") for n in range(3)])
    with serving(lambda _, __: Reply(f"Your key is {key}.")) as endpoint:
        given = ["a.jsonl", "--test=test.jsonl", "--live=m", "--judge=j", f"--base-url={endpoint.url}"]
        done = vft(*given, "--max-ungraded=1", "--report=json:out/report.json")

    assert done.code == 2
    assert "it said 'Your key is ***.'" in done.out
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert {"a.jsonl", "ratings.jsonl", "report.json"} <= {path.name for path in files}
    assert not [path for path in files if key.encode() in path.read_bytes()]


def test_key_is_never_printed(vft: Vft) -> None:
    with serving(
        lambda _, __: Reply(status=401, message=f"bad key {os.environ['OPENAI_API_KEY']}")
    ) as endpoint:
        done = vft("tuned.jsonl", "--judge=judge", f"--base-url={endpoint.url}")

    assert done.code == 2
    assert "bad key ***" in done.out
    assert len(endpoint.requests) == 1
    assert "sk-secret" not in done.out + done.err


def test_reports_have_all_groups(vft: Vft) -> None:
    rows = [
        {"id": n, "predicted_answer": "Yes", "actual_answer": "Yes" if n % 2 else "No", "page": n // 2}
        for n in range(60)
    ]
    write_lines("many.jsonl", rows)

    done = vft("many.jsonl", "--by=page", "--report=markdown:many.md", "--report=junit:many.xml")

    assert "... and 20 more groups by page" in done.out
    assert Path("many.md").read_text().count("| `page=") == 30
    assert Path("many.xml").read_text().count("page=") == 30
