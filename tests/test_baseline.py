"""Known findings pass, new ones fail, and nothing is hidden without a word."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft import build_example, lint, plan_job, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main
from pytest_vft.errors import UnfitError, UsageError

pytest_plugins = ["pytester"]

DEFAULT = "vft-baseline.json"
Check = Callable[..., tuple[int, str]]


def good(number: int) -> dict[str, Any]:
    return build_example(f"[{number}] What is it?", f"Number {number}.", data_url("jpeg 16x16 rgb"))


def wrong(number: int) -> dict[str, Any]:
    """Return an example with one finding, an image that is grey."""
    return build_example(f"[{number}] What is it?", f"Number {number}.", data_url(f"jpeg {20 + number}x20 l"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(wrong(1), wrong(2))
    return tmp_path


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    def run(*options: str) -> tuple[int, str]:
        code = main(["check", "--no-cache", *options])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


ENOUGH = [good(number) for number in range(100, 110)]  # examples for any provider
ENOUGH_LINES = "".join(f"{json.dumps(one)}\n" for one in ENOUGH)


def write(*lines: dict[str, Any], to: str = "train.jsonl") -> None:
    write_jsonl(to, [*lines, *ENOUGH])


def verdict(text: str) -> str:
    """Return the last line of *text*, without what `vft fix` could repair."""
    return text.rstrip().rpartition("\n")[2].partition("; [*]")[0]


def test_known_findings_pass_and_are_counted(check: Check) -> None:
    assert check("train.jsonl")[0] == 1
    assert check("train.jsonl", "--write-baseline") == (0, f"{DEFAULT}  2 known findings\n")

    code, text = check("train.jsonl", f"--baseline={DEFAULT}")

    assert (code, verdict(text)) == (0, "PASSED  2 known findings, no new ones")
    assert check("train.jsonl", f"--baseline={DEFAULT}", "--quiet") == (0, "")
    assert check("train.jsonl")[0] == 1  # no baseline is used that is not named


def test_clean_files_have_an_empty_baseline(check: Check) -> None:
    write(good(1), good(2))
    assert check("train.jsonl", "--write-baseline") == (0, f"{DEFAULT}  0 known findings\n")
    assert "known" not in check("train.jsonl", f"--baseline={DEFAULT}")[1]


def test_a_new_finding_fails_and_only_it_is_shown(check: Check) -> None:
    check("train.jsonl", "--write-baseline")
    write(wrong(3), wrong(1), wrong(2))

    code, text = check("train.jsonl", f"--baseline={DEFAULT}")

    assert code == 1
    assert "train.jsonl:1  mode is L" in text
    assert "train.jsonl:2" not in text
    assert verdict(text) == "FAILED  1 of 13 lines has errors (1 finding); 2 known findings"


def test_known_findings_that_are_gone_are_said_and_removed(check: Check) -> None:
    check("train.jsonl", "--write-baseline")
    write(wrong(2))

    code, text = check("train.jsonl", f"--baseline={DEFAULT}")
    assert code == 0
    assert "note: 1 known finding is gone; --write-baseline removes it from the file" in text
    assert verdict(text) == "PASSED  1 known finding, no new ones"

    assert check("train.jsonl", "--write-baseline")[1] == f"{DEFAULT}  1 known finding\n"
    assert "gone" not in check("train.jsonl", f"--baseline={DEFAULT}")[1]
    write(wrong(1), wrong(2))
    assert check("train.jsonl", f"--baseline={DEFAULT}")[0] == 1  # it cannot come back unnoticed


def test_equal_findings_are_counted(check: Check) -> None:
    Path("train.jsonl").write_text(ENOUGH_LINES + "not JSON\n" * 3)
    check("train.jsonl", "--write-baseline")
    Path("train.jsonl").write_text("not JSON\n" * 3 + ENOUGH_LINES)
    text = check("train.jsonl", f"--baseline={DEFAULT}")[1]
    assert verdict(text) == "PASSED  3 known findings, no new ones"

    Path("train.jsonl").write_text("not JSON\n" * 4 + ENOUGH_LINES)
    text = check("train.jsonl", f"--baseline={DEFAULT}")[1]
    assert verdict(text) == "FAILED  1 of 14 lines has errors (1 finding); 3 known findings"


@settings(deadline=None, max_examples=20)  # runs of half a second on a busy machine
@given(order=st.permutations(range(14)), more=st.integers(0, 3))
def test_moved_lines_are_known(order: list[int], more: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("moved") / "train.jsonl"
    lines = [*map(wrong, range(4)), *ENOUGH]
    write_jsonl(path, lines)
    baseline = path.with_name("known.json")
    assert main(["check", str(path), "--write-baseline", f"--baseline={baseline}", "--no-cache"]) == 0
    write_jsonl(path, [*(lines[number] for number in order), *(wrong(10 + number) for number in range(more))])

    report = lint(path, baseline=baseline, cache=False)

    assert (len(report.known), len(report.findings), report.ok) == (4, more, not more)
    assert not report.baselines[0].gone


def test_elements_of_an_array_are_known_where_they_move(check: Check) -> None:
    Path("a.json").write_text(json.dumps([*ENOUGH, wrong(1)]))
    check("a.json", "--write-baseline")
    Path("a.json").write_text(json.dumps([wrong(1), *ENOUGH, wrong(2)]))

    text = check("a.json", f"--baseline={DEFAULT}")[1]

    assert verdict(text) == "FAILED  1 finding; 2 known findings"  # one on the file: it is an array


def test_numbers_and_bad_lines_are_those_of_new_findings(check: Check) -> None:
    check("train.jsonl", "--write-baseline")
    write(wrong(3), wrong(1), wrong(2))

    report = lint("train.jsonl", baseline=DEFAULT, cache=False)

    (file,) = report.files
    rule = next(rule for rule in report.rules if rule.id == "image/unsupported-mode")
    assert (rule.tally.failed, rule.tally.known, rule.tally.checked) == (1, 2, 13)
    assert file.tallies[rule.id] == rule.tally
    assert list(file.bad_lines[rule.id]) == [(1, 1)]
    assert [(one.path, one.line) for one in report.findings] == [("train.jsonl", 1)]
    assert [one.line for one in report.known] == [2, 3]


def test_no_finding_is_lost_to_a_maximum(check: Check) -> None:
    write(*map(wrong, range(8)))
    assert check("train.jsonl", "--write-baseline", "--max-findings=3")[1] == f"{DEFAULT}  8 known findings\n"
    write(*map(wrong, range(8, 16)))

    text = check("train.jsonl", f"--baseline={DEFAULT}", "--max-findings=3")[1]

    assert "... and 5 more, not kept" in text
    assert verdict(text) == "FAILED  8 of 18 lines have errors (8 findings)"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file; write it with vft check --write-baseline"),
        ("", "is not a baseline of vft; name another file, or remove it"),
        ("<<<<<<< HEAD\n{}", "is not a baseline of vft"),
        ("[]", "is not a baseline of vft"),
        ('{"format": "vft-report/1", "findings": []}', "is not a baseline of vft"),
        ('{"format": "vft-baseline/2", "findings": {}}', "is not a baseline of vft"),
        ('{"format": "vft-baseline/1", "findings": {"a": {"b": {"c": 0}}}}', "is not a baseline of vft"),
        ('{"format": "vft-baseline/1", "findings": {"a": {"b": {"c": true}}}}', "is not a baseline of vft"),
        ('{"format": "vft-baseline/1", "findings": {"a": [1]}}', "is not a baseline of vft"),
        ("[" * 100_000, "is not a baseline of vft"),
        (b"\xff\xfe", "is not a baseline of vft"),
    ],
)
def test_a_missing_or_foreign_baseline_is_an_error(
    content: str | bytes | None, problem: str, check: Check
) -> None:
    text = content.encode() if isinstance(content, str) else content
    if text is not None:
        Path("known.json").write_bytes(text)

    code, printed = check("train.jsonl", "--baseline=known.json")

    assert (code, printed.count("\n")) == (2, 1)
    assert printed.startswith(f"vft: known.json: {problem}")
    if text is not None:  # what vft did not write it does not replace
        assert check("train.jsonl", "--baseline=known.json", "--write-baseline")[0] == 2
        assert Path("known.json").read_bytes() == text


def test_a_dataset_is_not_replaced_by_its_baseline(check: Check) -> None:
    before = Path("train.jsonl").read_bytes()
    assert check("train.jsonl", "--baseline=train.jsonl", "--write-baseline")[0] == 2
    assert Path("train.jsonl").read_bytes() == before


def test_a_file_that_cannot_be_read_is_never_known(check: Check) -> None:
    Path("zipped.jsonl").write_bytes(b"\x1f\x8b" + b"x" * 50)

    code, text = check("train.jsonl", "zipped.jsonl", "--write-baseline")

    assert code == 1
    assert f"note: {DEFAULT}  2 known findings" in text
    assert "zipped.jsonl  it is gzip" in text or "gzip" in text
    assert check("train.jsonl", "zipped.jsonl", f"--baseline={DEFAULT}")[0] == 1


def test_what_was_not_looked_for_stays_known(check: Check) -> None:
    write_jsonl("other.jsonl", [*map(good, range(20)), wrong(5)])
    write_jsonl("deleted.jsonl", [*map(good, range(20, 40)), wrong(6)])
    check("train.jsonl", "other.jsonl", "deleted.jsonl", "--write-baseline")
    Path("deleted.jsonl").unlink()

    text = check("train.jsonl", f"--baseline={DEFAULT}")[1]
    assert "note: 1 known finding is gone" in text  # that of the deleted file
    assert verdict(text) == "PASSED  2 known findings, no new ones"
    assert "gone" in check("other.jsonl", f"--baseline={DEFAULT}", "--select=line")[1]

    for options in (["train.jsonl"], ["train.jsonl", "--select=line"], ["train.jsonl", "--ignore=image"]):
        assert check(*options, "--write-baseline")[0] == 0
        assert verdict(check("train.jsonl", "other.jsonl", f"--baseline={DEFAULT}")[1]) == (
            "PASSED  3 known findings, no new ones"
        )


def test_repeated_content_in_files_that_were_not_read_is_not_gone(check: Check) -> None:
    write_jsonl("other.jsonl", ENOUGH)
    assert check("train.jsonl", "other.jsonl", "--write-baseline")[1] == f"{DEFAULT}  12 known findings\n"

    assert "gone" not in check("other.jsonl", f"--baseline={DEFAULT}")[1]
    check("other.jsonl", "--write-baseline")
    text = check("train.jsonl", "other.jsonl", f"--baseline={DEFAULT}")[1]
    assert verdict(text) == "PASSED  12 known findings, no new ones"


def test_an_unknown_verdict_does_not_mean_that_a_finding_is_gone(check: Check) -> None:
    write(build_example("What?", "That.", "https://images.example/a.png"), wrong(1))
    check("train.jsonl", "--offline", "--write-baseline")
    write(build_example("What?", "That.", "https://images.example/a.png"))

    assert "gone" not in check("train.jsonl", "--offline", f"--baseline={DEFAULT}")[1]


def test_warnings_are_known_as_well(check: Check) -> None:
    write(good(1), good(1), wrong(1))
    assert check("train.jsonl", "--write-baseline")[1] == f"{DEFAULT}  2 known findings\n"
    options = [f"--baseline={DEFAULT}", "--fail-on=warning"]
    assert check("train.jsonl", *options)[0] == 0

    write(good(1), good(1), wrong(1), good(2), good(2))
    code, text = check("train.jsonl", *options)
    assert code == 1
    assert "train.jsonl:5  the same example" in text


def test_allowed_findings_are_counted_with_known_ones(check: Check) -> None:
    check("train.jsonl", "--write-baseline")
    Path("vft.toml").write_text('[allow]\n"image/unsupported-mode" = 2\n')
    assert check("train.jsonl", f"--baseline={DEFAULT}")[0] == 0

    write(wrong(1), wrong(2), wrong(3))
    code, text = check("train.jsonl", f"--baseline={DEFAULT}")
    assert code == 1
    assert "error image/unsupported-mode [*]: 1 image (allowed: 2)" in text


def test_the_configuration_names_a_baseline(check: Check, folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "vft.toml").write_text('baseline = "known.json"\n')
    write(wrong(4), to="sub/a.jsonl")
    assert check("sub/a.jsonl")[1].startswith("vft: sub/known.json: no such file")

    assert check("train.jsonl", "sub/a.jsonl", "--write-baseline")[1] == (
        f"{DEFAULT}  2 known findings\nsub/known.json  1 known finding\n"
    )
    assert json.loads(Path("sub/known.json").read_text())["findings"].keys() == {"a.jsonl"}
    code, text = check("train.jsonl", "sub/a.jsonl")
    assert (code, verdict(text)) == (
        1,
        "FAILED  2 of 23 lines have errors (2 findings) in 1 of 2 files; 1 known finding",
    )
    assert check("train.jsonl", "sub/a.jsonl", f"--baseline={DEFAULT}")[0] == 1  # the option wins


@pytest.mark.parametrize("path", ["../known.json", "/known.json", "link/known.json"])
def test_a_configuration_names_no_baseline_outside(path: str, check: Check, folder: Path) -> None:
    (folder / "link").symlink_to(folder.parent)
    (folder / "vft.toml").write_text(f'baseline = "{path}"\n')

    code, text = check("train.jsonl", "--write-baseline")

    assert code == 2
    assert f'baseline "{path}" is outside its folder; give --baseline={path} yourself' in text


def test_known_errors_are_errors_to_a_job(check: Check) -> None:
    check("train.jsonl", "--write-baseline", "--baseline=known.json")
    Path("vft.toml").write_text('baseline = "known.json"\n')
    assert check("train.jsonl")[0] == 0

    with pytest.raises(UnfitError, match="not planned"):
        plan_job("train.jsonl")


def test_standard_input_has_no_baseline(check: Check) -> None:
    code, text = check("-", f"--baseline={DEFAULT}")
    assert (code, text) == (2, "vft: - has no baseline, which names files; write standard input to a file\n")


def test_a_baseline_is_written_as_text(check: Check) -> None:
    assert check("train.jsonl", "--write-baseline", "--format=json")[0] == 2


def test_formats_mark_known_findings(check: Check) -> None:
    check("train.jsonl", "--write-baseline")
    write(wrong(3), wrong(1), wrong(2))
    formats = {
        name: f"report.{name}" for name in ("json", "sarif", "junit", "csv", "concise", "gitlab", "github")
    }
    reports = [f"--report={name}:{path}" for name, path in formats.items()]
    check("train.jsonl", f"--baseline={DEFAULT}", *reports)
    text = {name: Path(path).read_text(encoding="utf-8") for name, path in formats.items()}

    data = json.loads(text["json"])
    assert [one["line"] for one in data["findings"]] == [1]
    assert [one["line"] for one in data["known"]] == [2, 3]
    assert data["baselines"] == [{"path": DEFAULT, "gone": 0}]
    results = json.loads(text["sarif"])["runs"][0]["results"]
    assert [(one["baselineState"], "suppressions" in one) for one in results] == [
        ("new", False),
        ("unchanged", True),
        ("unchanged", True),
    ]
    rows = list(csv.DictReader(text["csv"].splitlines()))
    assert [(row["line"], row["severity"]) for row in rows] == [
        ("1", "error"),
        ("2", "known"),
        ("3", "known"),
    ]
    assert [row["id"] for row in rows] == ["3", "1", "2"]
    assert text["concise"].count("train.jsonl:") == 1
    assert verdict(text["concise"]) == "FAILED  1 of 13 lines has errors (1 finding); 2 known findings"
    assert [one["severity"] for one in json.loads(text["gitlab"])] == ["major", "info", "info"]
    assert text["github"].count("::error") == 1
    case = ET.parse(formats["junit"]).find(".//testcase[@name='image/unsupported-mode']")  # noqa: S314 - our own
    assert case is not None
    assert case.find("failure") is not None


def test_junit_counts_known_findings_of_a_test_that_passes(check: Check) -> None:
    check("train.jsonl", "--write-baseline")
    check("train.jsonl", f"--baseline={DEFAULT}", "--report=junit:report.xml")

    case = ET.parse("report.xml").find(".//testcase[@name='image/unsupported-mode']")  # noqa: S314 - our own
    assert case is not None
    assert [(one.tag, one.text) for one in case] == [("system-out", "2 images known to the baseline")]


def test_equal_findings_keep_their_fingerprints(check: Check) -> None:
    """A new finding that equals known ones does not take the fingerprint of one of them."""

    def prints() -> list[str]:
        check("train.jsonl", f"--baseline={DEFAULT}", "--report=sarif:report.sarif")
        results = json.loads(Path("report.sarif").read_text())["runs"][0]["results"]
        return [one["partialFingerprints"]["primaryLocationLineHash"] for one in results]

    Path("train.jsonl").write_text(ENOUGH_LINES + "not JSON\n")
    check("train.jsonl", "--write-baseline")
    before = prints()
    Path("train.jsonl").write_text("not JSON\n" + ENOUGH_LINES + "not JSON\n")
    assert prints()[-1:] == before
    assert len(set(prints())) == 2


def test_the_order_of_files_does_not_matter(check: Check) -> None:
    names = [f"part-{number}.jsonl" for number in range(4)]
    for number, name in enumerate(names):
        write_jsonl(name, [*map(good, range(number * 20, number * 20 + 12)), wrong(number)])
    check(*names, "--write-baseline")
    first = Path(DEFAULT).read_bytes()
    names.reverse()
    check(*names, "--write-baseline")
    assert Path(DEFAULT).read_bytes() == first


# pytest


def test_pytest_writes_and_uses_a_baseline(pytester: pytest.Pytester) -> None:
    write_jsonl(pytester.path / "train.jsonl", [good(1), wrong(1), wrong(2), *ENOUGH])
    mode = "train.jsonl::image/unsupported-mode"
    assert pytester.runpytest(mode, "-p", "no:cacheprovider").ret == 1

    written = pytester.runpytest("--vft-data=train.jsonl", "--vft-write-baseline", "-p", "no:cacheprovider")
    assert written.ret == 0
    written.stdout.fnmatch_lines([f"vft: {DEFAULT}  2 known findings"])

    known = pytester.runpytest(mode, f"--vft-baseline={DEFAULT}", "-p", "no:cacheprovider")
    assert known.ret == 0
    known.stdout.fnmatch_lines(["vft: 2 known findings passed", "*1 passed*"])

    write_jsonl(pytester.path / "train.jsonl", [good(1), wrong(3), wrong(1), *ENOUGH])
    new = pytester.runpytest(mode, f"--vft-baseline={DEFAULT}", "-p", "no:cacheprovider")
    assert new.ret == 1
    new.stdout.fnmatch_lines(
        [
            "train.jsonl:2: mode is L*",
            "vft: 1 known finding passed",
            "vft: 1 known finding is gone; --vft-write-baseline removes it from the file",
        ]
    )
    new.stdout.no_fnmatch_line("train.jsonl:3: *")


def test_pytest_refuses_a_missing_baseline_at_once(pytester: pytest.Pytester) -> None:
    write_jsonl(pytester.path / "train.jsonl", [good(1)])
    result = pytester.runpytest("--vft-data=train.jsonl", "--vft-baseline=nothing.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*nothing.json: no such file; write it with vft check --write-baseline"])


def test_a_call_names_a_missing_baseline() -> None:
    with pytest.raises(UsageError, match=r"^nothing\.json: no such file"):
        lint("train.jsonl", baseline="nothing.json")
