"""Two models compared: what is printed in each format, and the old name of the option."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft import assert_not_worse_than, evaluate
from pytest_vft.cli import main
from pytest_vft.evaluation.comparison import Tolerance, compare
from pytest_vft.evaluation.matching import Irregularities
from pytest_vft.evaluation.predictions import Answer
from pytest_vft.evaluation.scoring import Mark
from pytest_vft.evaluation.statistics import mcnemar

from .files import prediction, question, write_lines

COMPARED = ["eval", "new.jsonl", "--test=test.jsonl", "--against=old.jsonl"]
GIVEN = [*COMPARED, "--min-accuracy=0.5"]


@pytest.fixture(autouse=True)
def _files() -> None:
    """Write 40 questions: the old model is wrong on 0 to 3, the new one on 3 to 14."""
    write_lines("test.jsonl", [question(n, image=n) for n in range(40)])
    write_lines("old.jsonl", [prediction(n, "No" if n < 4 else "Yes", "Yes") for n in range(40)])
    write_lines("new.jsonl", [prediction(n, "No" if 3 <= n < 15 else "Yes", "Yes") for n in range(40)])


def test_text_has_both_models_and_what_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*GIVEN, "--max-shown=2"]) == 0

    compared = capsys.readouterr().out.partition("\nclosed -20.0 points")[2]
    assert compared.splitlines()[:7] == [
        " against old.jsonl",
        "              accuracy        95 % interval",
        "  new.jsonl   70.0 % (28/40)  54.6 to 81.9 %",
        "  old.jsonl   90.0 % (36/40)  76.9 to 96.0 %",
        "  difference  -20.0 points    -36.2 to -1.9 points",
        "  3 fixed (test.jsonl:1,2,3), 11 broken (test.jsonl:5,6,7 and 8 more): exact McNemar p = 0.0574",
        "  inconclusive: exact McNemar p is not below 0.05",
    ]
    assert "\n    broken: id 4  said 'No'  truth 'Yes', 'Yes' before\n" in compared
    assert "\n    ... and 9 more\n" in compared
    assert compared.endswith("\nPASSED  2 of 2 gates\n")


def test_json_lists_every_question_that_changed(capsys: pytest.CaptureFixture[str]) -> None:
    main([*GIVEN, "--format=json"])

    (compared,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert [one["id"] for one in compared["fixed"]] == ["0", "1", "2"]
    assert [one["test_line"] for one in compared["broken"]] == list(range(5, 16))
    assert compared["broken"][0].items() >= {"said": "No", "against_said": "Yes", "truth": "Yes"}.items()
    assert (compared["accuracy"]["right"], compared["against"]["right"]) == (28, 36)


def test_markdown_has_tables(capsys: pytest.CaptureFixture[str]) -> None:
    write_lines("new.jsonl", [prediction(n, "a|b`<b>\n@x" if n else "Yes", "Yes") for n in range(40)])

    assert main([*GIVEN, "--format=markdown"]) == 1

    text = capsys.readouterr().out
    assert text.startswith(
        "### vft eval: FAILED  2 of 2 gates failed\n\n- **failed**: `closed 2.5 % < 50.0 %"
    )
    assert "\n| `new.jsonl` | `2.5 % (1/40)` | `0.4 to 12.9 %` |\n" in text
    assert "<summary>1 fixed</summary>" in text
    assert "\n| `test.jsonl:5` | `Yes` | `a\\x7cb\\x60<b>\\x0a@x` | `Yes` |\n" in text


def test_github_annotates_gates_that_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*GIVEN, "--format=github"]) == 0
    passed = capsys.readouterr().out
    assert passed.endswith("PASSED  2 of 2 gates\n")

    assert main([*COMPARED, "--min-accuracy=0.9", "--alpha=0.5", "--format=github"]) == 1

    *_, verdict, gate, comparison = capsys.readouterr().out.splitlines()
    assert verdict == "FAILED  2 of 2 gates failed"
    assert gate.startswith(
        "::error file=test.jsonl,line=4,title=vft eval::closed 70.0 %25 < 90.0 %25 (28/40)%0A"
    )
    assert comparison.startswith(
        "::error file=test.jsonl,line=5,title=vft eval::closed -20.0 points against old.jsonl: worse%0A"
    )


def test_junit_has_a_case_for_each_gate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMPARED, "--min-accuracy=0.9", "--report=junit:junit.xml"]) == 1

    root = ET.parse("junit.xml").getroot()  # noqa: S314 - our own file
    assert root.attrib == {"name": "vft eval", "tests": "2", "failures": "1", "errors": "0"}
    accuracy, compared = root.iter("testcase")
    assert (accuracy.get("name"), compared.get("name")) == ("closed accuracy", "closed against old.jsonl")
    failure = accuracy.find("failure")
    assert failure is not None
    assert failure.get("message") == "closed 70.0 % < 90.0 % (28/40)"
    assert compared.find("failure") is None
    assert capsys.readouterr().out


def test_junit_names_what_was_not_judged(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "new.jsonl", "--min-accuracy=open=0.5", "--metric=exact", "--format=junit"]) == 2

    (error,) = ET.fromstring(capsys.readouterr().out).iter("error")  # noqa: S314 - as above
    assert "no open questions" in str(error.get("message"))


def test_old_name_of_the_option_names_the_new_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "new.jsonl", "--baseline=old.jsonl"]) == 2
    assert "vft: --baseline is now --against; see 'vft eval --help'" in capsys.readouterr().err

    with pytest.raises(TypeError, match="'against'"):
        assert_not_worse_than("new.jsonl", baseline="old.jsonl")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'against'"):
        evaluate("new.jsonl").assert_not_worse_than(baseline="old.jsonl")  # type: ignore[call-arg]

    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--vft-eval=new.jsonl"]
    done = subprocess.run(
        [*command, "--vft-eval-baseline=old.jsonl"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert "--vft-eval-baseline: this option is now --vft-eval-against" in done.stderr


Rights = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30)


def marks(rights: list[bool], times: int = 1) -> list[Mark]:
    answers = [Answer(str(n), n, "a", "b", None, {}) for n in range(len(rights))] * times
    return [Mark(answer, "closed", right) for answer, right in zip(answers, rights * times, strict=True)]


@given(Rights, st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=50)
def test_equal_repeats_change_no_share_and_no_interval(
    rights: list[tuple[bool, bool]], ours: int, theirs: int
) -> None:
    new, old = [one for one, _ in rights], [other for _, other in rights]
    irregular = (Irregularities(), Irregularities())

    once = compare((marks(new), marks(old)), irregular, None, Tolerance(), 0)
    often = compare((marks(new, ours), marks(old, theirs)), irregular, None, Tolerance(), 0)

    assert (often.difference, often.p) == pytest.approx((once.difference, once.p))
    assert often.p == mcnemar(len(often.fixed), len(often.broken))
    assert often.accuracy.share == pytest.approx(once.accuracy.share)
    varied = 0 < once.accuracy.right < len(rights)
    if varied and len(rights) > 1 and ours == theirs:
        assert often.accuracy.effective_n <= len(rights) + 1e-9


def test_no_format_is_left_out() -> None:
    for name in ("text", "json", "markdown", "github", "junit"):
        assert main([*GIVEN, f"--report={name}:report.{name}"]) == 0
        assert Path(f"report.{name}").stat().st_size
