"""Predictions as items, and the fixture that judges them from a test."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from evaluation.files import notebook, question, write_lines
from evaluation.server import Reply, question_of, serving

from .project import PYTEST_9, Project

GATES = ("--vft-eval=base.jsonl", "--vft-eval-metric=exact")


@pytest.fixture(autouse=True)
def _files(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(project.folder)
    write_lines("base.jsonl", notebook(167, 136))
    write_lines("tuned.jsonl", notebook(172, 189))


def test_gates_that_pass(project: Project) -> None:
    result = project.run(*GATES, "--vft-eval-min-accuracy=closed=0.85,open=0.4", "-W", "error")

    result.assert_outcomes(passed=2)
    assert project.ids(*GATES, "--vft-eval-min-accuracy=0.4") == [
        "base.jsonl::eval/closed",
        "base.jsonl::eval/open",
    ]


def test_page_is_written(project: Project) -> None:
    report = "--vft-eval-report=html:eval.html"
    project.run(*GATES, "--vft-eval-min-accuracy=closed=0.9", report, "--vft-no-images").assert_outcomes(
        failed=1
    )

    page = (project.folder / "eval.html").read_text(encoding="utf-8")
    assert "1 of 1 gate failed: closed answers 87.9 % (at least 90.0 % required)" in page
    assert page.count("<article") == 23


def test_gate_that_fails_says_so_in_the_summary(project: Project) -> None:
    result = project.run(*GATES, "--vft-eval-min-accuracy=closed=0.9,open=0.4")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*eval/closed in base.jsonl*",
            "closed 87.9 % < 90.0 % (167/190)",
            "base.jsonl: 485 predictions to 485 questions, no test split",
            "*to evaluate only the wrong answers: vft eval base.jsonl *",
            "FAILED base.jsonl::eval/closed" + (" - closed 87.9 % < 90.0 % (167/190)" if PYTEST_9 else ""),
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--vft-eval-min-accuracy=closed=0.9", "--vft-eval-min-accuracy=closed=0.1"],
            "'closed' is '0.9' and",
        ),
        (
            ["--vft-eval=tuned.jsonl", "--vft-eval-min-accuracy=0.1"],
            "--vft-eval names 2 files of predictions",
        ),
    ],
)
def test_no_gate_and_no_file_replaces_another(project: Project, options: list[str], said: str) -> None:
    result = project.run(*GATES, *options)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{said}*"])


def test_id_can_be_copied(project: Project) -> None:
    result = project.run(*GATES, "--vft-eval-min-accuracy=0.4", "base.jsonl::eval/closed")

    result.assert_outcomes(passed=1)


def test_only_kinds_that_something_is_asked_of_are_collected(project: Project) -> None:
    assert project.ids("--vft-eval=base.jsonl", "--vft-eval-min-accuracy=closed=0.4") == [
        "base.jsonl::eval/closed"
    ]


def test_other_model_is_compared(project: Project) -> None:
    better = project.run("--vft-eval=tuned.jsonl", "--vft-eval-metric=exact", "--vft-eval-against=base.jsonl")
    worse = project.run(*GATES, "--vft-eval-against=tuned.jsonl")

    better.assert_outcomes(passed=2)
    worse.assert_outcomes(passed=1, failed=1)
    worse.stdout.fnmatch_lines(["open -18.0 points against tuned.jsonl: worse"])


def test_kind_without_questions_is_skipped(project: Project) -> None:
    write_lines("base.jsonl", notebook(167, 136)[:190])

    result = project.run("--vft-eval=base.jsonl", "--vft-eval-min-accuracy=0.5", "-rs")

    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*: no open questions"])


def test_open_answers_without_a_judge_fail_and_name_the_option(project: Project) -> None:
    result = project.run("--vft-eval=base.jsonl", "--vft-eval-min-accuracy=0.4")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["open answers need a judge: --vft-eval-judge=MODEL*"])


def test_gate_without_a_key_for_its_judge_fails(project: Project) -> None:
    failed = project.run("--vft-eval=base.jsonl", "--vft-eval-min-accuracy=0.4", "--vft-eval-judge=judge")

    failed.assert_outcomes(passed=1, failed=1)
    failed.stdout.fnmatch_lines(["no API key: set OPENAI_API_KEY*"])


def test_gate_that_judges_nothing_fails(project: Project) -> None:
    """Wrong predictions, a kind without questions, and a test split with nothing that can be scored."""
    write_lines("test.jsonl", [question(number) for number in range(1_000, 1_010)])
    open_only = notebook(0, 5)[190:]
    write_lines("open.jsonl", open_only)

    wrong = project.run(*GATES, "--vft-eval-test=test.jsonl", "--vft-eval-min-accuracy=0.1")
    absent = project.run("--vft-eval=open.jsonl", "--vft-eval-min-accuracy=closed=0.1")
    compared = project.run("--vft-eval=open.jsonl", "--vft-eval-against=open.jsonl")
    named = project.run(
        "--vft-eval=open.jsonl",
        "--vft-eval-min-accuracy=0.01",
        "--vft-eval-metric=exact",
        "open.jsonl::eval/closed",
    )

    wrong.assert_outcomes(failed=2)
    wrong.stdout.fnmatch_lines(["*none of 485 predicted ids is in test.jsonl*--vft-eval-keys=id=KEY*"])
    absent.assert_outcomes(failed=1)
    absent.stdout.fnmatch_lines(["*there are no closed questions*--vft-eval-choices=LIST*"])
    compared.assert_outcomes(failed=1, skipped=1)
    compared.stdout.fnmatch_lines(["*open answers need a judge: --vft-eval-judge=MODEL*"])
    named.assert_outcomes(failed=1)


def test_report_is_written(project: Project) -> None:
    project.run(*GATES, "--vft-eval-min-accuracy=0.4", "--vft-eval-report=json:eval.json")

    report = json.loads((project.folder / "eval.json").read_text())
    assert [(gate["kind"], gate["ok"]) for gate in report["gates"]] == [("closed", True), ("open", True)]


def test_datasets_and_predictions_are_checked_in_one_run(project: Project) -> None:
    project.write()

    result = project.run(*GATES, "--vft-eval-min-accuracy=0.4", "--vft-data=train.jsonl", "--vft-select=line")

    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["train.jsonl *", "base.jsonl ..*"])


def test_workers_ask_each_question_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-tests")
    write_lines("test.jsonl", [question(n, truth="A bee" if n % 2 else "Yes") for n in range(10)])

    def script(request: Mapping[str, object], _: int) -> Reply:
        judged = json.dumps({"reason": "The same.", "rating": "Very Similar"})
        return Reply(judged if request["model"] == "judge" else "Yes")

    with serving(script) as endpoint:
        result = project.run_apart(
            "-n2",
            "--vft-eval=answers.jsonl",
            "--vft-eval-live=tuned",
            "--vft-eval-test=test.jsonl",
            "--vft-eval-judge=judge",
            f"--vft-base-url={endpoint.url}",
            "--vft-eval-min-accuracy=1",
        )

    result.assert_outcomes(passed=2)
    assert len(endpoint.requests) == 10 + 5
    assert set(endpoint.asked.values()) == {1}


def test_flips_and_the_judge_are_shown(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-tests")
    write_lines("test.jsonl", [question(n, truth="A bee") for n in range(4)])
    write_lines("labels.jsonl", [{"id": n, "rating": "Very Similar"} for n in range(3)])

    def script(request: Mapping[str, object], before: int) -> Reply:
        if request["model"] == "judge":
            return Reply("Incorrect" if "A wasp" in question_of(request) else "Very Similar")
        return Reply("A wasp" if before and "[3]" in question_of(request) else "Bees")

    with serving(script) as endpoint:
        result = project.run(
            "--vft-eval=answers.jsonl",
            "--vft-eval-live=tuned",
            "--vft-eval-repeat=2",
            "--vft-eval-test=test.jsonl",
            "--vft-eval-judge=judge",
            "--vft-eval-judge-labels=labels.jsonl",
            f"--vft-base-url={endpoint.url}",
            "--vft-eval-min-accuracy=open=0.9",
        )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "open 87.5 % < 90.0 % (7/8)",
            "  1 of 4 questions answered right only at times (ids 3)",
            "judge judge gives the rating in labels.jsonl to 100.0 % (3/3)",
        ]
    )


def test_fixture(project: Project) -> None:
    project.pytester.makepyfile(
        """
        def test_books(vft_eval):
            answers = vft_eval("tuned.jsonl")
            assert answers.assert_min_accuracy(0.9, kind="closed").accuracy.right == 172
            answers.assert_not_worse_than("base.jsonl", kind="open", metric="exact")

        def test_too_much(vft_eval):
            vft_eval("tuned.jsonl").assert_min_accuracy(0.95, kind="closed")
        """
    )

    result = project.run()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E *AssertionError: closed 90.5 % < 95.0 % (172/190)"])
    result.stdout.no_fnmatch_line("*evaluating.py*")


def test_mistakes_in_a_test_are_shown_where_they_are_made(project: Project) -> None:
    """No frame of the package: one mistake per function, each with its line and its message only."""
    project.pytester.makepyfile(
        """
        import pytest_vft
        from pytest_vft import assert_min_accuracy, assert_not_worse_than, evaluate, lint

        def test_option():
            assert_min_accuracy("tuned.jsonl", 90)

        def test_file(vft_eval):
            vft_eval("none.jsonl")

        def test_method(vft_eval):
            vft_eval("tuned.jsonl").assert_min_accuracy(0.9, kind="close")

        def test_judge(vft_eval):
            vft_eval("tuned.jsonl").measure(kind="open")

        def test_baseline():
            assert_not_worse_than("tuned.jsonl", "none.jsonl", kind="closed")

        def test_run(vft_eval):
            vft_eval.run(model="m", test="none.jsonl", transcript="a.jsonl", max_cost=1)

        def test_lint():
            lint("none.jsonl")

        def test_judge_itself():
            pytest_vft.Judge(model="m", passing=["Very simlar"])
        """
    )

    result = project.run()

    result.assert_outcomes(failed=8)
    text = result.stdout.str()
    assert "src/pytest_vft" not in text
    assert "site-packages/pytest_vft" not in text
    assert text.count("Error: ") >= 8
    assert "<string>" not in text
    assert "E       pytest_vft.errors.UsageError: minimum is 90; expected a share from 0 to 1" in text
    assert "UsageError: max_cost needs prices=IN,OUT" in text
    assert "open answers need a judge: judge=MODEL" in text


def test_fixture_runs_a_model(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-tests")
    write_lines("test.jsonl", [question(n, truth="Yes") for n in range(5)])
    with serving(lambda _, __: Reply("Yes.")) as endpoint:
        project.pytester.makepyfile(
            f"""
            def test_books(vft_eval):
                answers = vft_eval.run(
                    model="tuned", test="test.jsonl", transcript="a.jsonl", base_url={endpoint.url!r}
                )
                answers.assert_min_accuracy(1)
            """
        )
        project.run().assert_outcomes(passed=1)


def test_what_was_spent_is_in_the_summary(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-tests")
    write_lines("test.jsonl", [question(n, truth="Yes") for n in range(5)])
    with serving(lambda _, __: Reply("Yes.")) as endpoint:
        result = project.run(
            "--vft-eval=a.jsonl",
            "--vft-eval-live=tuned",
            "--vft-eval-test=test.jsonl",
            "--vft-eval-min-accuracy=closed=1",
            f"--vft-base-url={endpoint.url}",
        )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["vft: spent: 5 requests to the model (500 + 50 tokens)"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--vft-eval-min-accuracy=0.9"], "no predictions: write --vft-eval=FILE"),
        (["--vft-eval=base.jsonl"], "no gate: write --vft-eval-min-accuracy=N"),
        ([*GATES, "--vft-eval-min-accuracy=high"], "min-accuracy is 'high'; expected a number"),
        (["--vft-eval=base.jsonl", "--vft-eval-min-accuracy=open=0.9"], "open answers need a judge"),
        ([*GATES, "--vft-eval-min-accuracy=0.9", "base.jsonl::eval/closd"], "did you mean 'eval/closed'?"),
        (
            [*GATES, "--vft-eval-min-accuracy=0.9", "tuned.jsonl::eval/open"],
            "the predictions are in base.jsonl",
        ),
    ],
)
def test_what_cannot_be_done_is_named(project: Project, arguments: list[str], said: str) -> None:
    result = project.run(*arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{said}*"])


def test_broken_predictions_fail_with_their_place(project: Project) -> None:
    (project.folder / "base.jsonl").write_text('{"id": 1')

    result = project.run(*GATES, "--vft-eval-min-accuracy=closed=0.9")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["base.jsonl:1: *"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_format_of_the_test_split_may_be_given(project: Project) -> None:
    message = {"role": "user", "content": "<image>Is it red?"}
    answer = {"role": "assistant", "content": "Yes"}
    write_lines("test.jsonl", [{"messages": [message, answer], "images": ["a.png"]}])
    write_lines("preds.jsonl", [{"line": 1, "predicted_answer": "Yes"}])
    given = ("--vft-eval=preds.jsonl", "--vft-eval-test=test.jsonl", "--vft-eval-min-accuracy=closed=1")

    result = project.run(*given, "--vft-data-format=llamafactory", "--vft-image-root=.")

    result.assert_outcomes(passed=1)
