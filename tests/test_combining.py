"""Files with different configurations: each has its own verdicts, and there is one report."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_vft import Report, build_example, lint, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main
from pytest_vft.model import UnsettledUrl
from pytest_vft.runs.combining import combine

MODE = "image/unsupported-mode"
LEAK = "dataset/split-leak"
Check = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders; in the second one, grey images are warnings."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path(name).mkdir()
        Path(name, "vft.toml").touch()
    Path("b/vft.toml").write_text(f'[severity]\n"{MODE}" = "warning"')
    return tmp_path


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = main(["check", *arguments, "--format=json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def write(name: str, *, grey: int = 0, about: str | None = None) -> None:
    shades = ["png 24x24 l" if line < grey else "png 24x24 rgb" for line in range(10)]
    write_jsonl(
        name,
        [
            build_example(f"What is {line} of {about or name}?", "A square.", data_url(shade))
            for line, shade in enumerate(shades)
        ],
    )


def mode_rule(report: dict[str, Any]) -> tuple[str, int]:
    (rule,) = [rule for rule in report["rules"] if rule["id"] == MODE]
    return rule["severity"], rule["failed"]


def test_clean_files_with_two_configurations_pass(check: Check) -> None:
    write("a/one.jsonl")
    write("b/two.jsonl")

    code, report = check("a", "b")

    assert (code, report["findings"], report["provider"]) == (0, [], "openai")
    assert [file["path"] for file in report["files"]] == ["a/one.jsonl", "b/two.jsonl"]
    assert mode_rule(report) == ("error", 0)


def test_file_passes_if_its_own_configuration_says_so(check: Check) -> None:
    write("a/one.jsonl")
    write("b/two.jsonl", grey=2)

    code, report = check("a", "b")

    assert (code, mode_rule(report)) == (0, ("warning", 2))
    assert {finding["severity"] for finding in report["findings"]} == {"warning"}


def test_file_fails_beside_one_whose_configuration_only_warns(check: Check) -> None:
    write("a/one.jsonl", grey=1)
    write("b/two.jsonl", grey=2)

    code, report = check("a", "b")

    assert (code, mode_rule(report)) == (1, ("error", 3))
    severities = [(finding["path"], finding["severity"]) for finding in report["findings"]]
    assert severities == [("a/one.jsonl", "error"), *[("b/two.jsonl", "warning")] * 2]


def test_configuration_that_is_given_applies_to_all_files(check: Check) -> None:
    write("a/one.jsonl", grey=1)
    write("b/two.jsonl", grey=2)

    assert check("a", "b", "--config=b/vft.toml")[0] == 0
    assert check("a", "b", "--config=a/vft.toml")[0] == 1
    assert lint("a", "b", config="b/vft.toml").ok


def test_python_checks_by_the_nearest_configurations_too() -> None:
    write("a/one.jsonl", grey=1)
    write("b/two.jsonl", grey=2)

    assert [lint("b").ok, lint("a").ok, lint("a", "b").ok] == [True, False, False]


def test_tokens_and_prices_add_up() -> None:
    write("a/one.jsonl")
    write("b/two.jsonl")

    one, two, both = (lint(*paths).cost for paths in (["a"], ["b"], ["a", "b"]))

    assert one
    assert two
    assert both
    assert both.tokens_at_most == one.tokens_at_most + two.tokens_at_most
    assert both.price == one.price


def test_leak_between_configurations_is_not_found_and_that_is_said() -> None:
    write("a/train.jsonl", about="squares")
    write("b/test.jsonl", about="squares")

    apart, together = lint("a", "b", select=LEAK), lint("a", "b", select=LEAK, config="a/vft.toml")

    assert [apart.ok, together.ok] == [True, False]
    (note,) = [note for note in apart.notes if "2 configurations" in note]
    assert "--config=FILE" in note
    assert not [note for note in together.notes if "configurations" in note]


def test_what_the_depth_leaves_out_fails_in_no_configuration() -> None:
    for name in ("a", "b"):
        write(f"{name}/train.jsonl", about=name)
        write(f"{name}/validation.jsonl", about=f"validation of {name}")
    names = ["a/train.jsonl", "b/train.jsonl"], ["a/validation.jsonl", "b/validation.jsonl"]

    report = lint(names[0], validation=names[1], depth="header", require_checked=True)

    (near,) = [rule for rule in report.rules if rule.id == "dataset/near-split-leak"]
    assert near.tally.unknown == near.gaps["header_only"] == 4  # once in each split
    assert near not in report.failing


def test_each_field_of_a_report_is_combined_or_the_same_for_all_files() -> None:
    same = {"depth", "offline", "fail_on", "require_checked"}
    names = "provider provider_name closes model files rules findings dataset notes urls unsettled cost"
    combined = {*names.split(), "by_data_format", "known", "baselines", "faces"}

    assert {one.name for one in dataclasses.fields(Report)} == same | combined


def test_urls_of_several_configurations_are_listed_once() -> None:
    def report(path: str, *urls: str) -> Report:
        unsettled = tuple(UnsettledUrl(url, "timeout", ((path, 1),)) for url in urls)
        write(path)
        return dataclasses.replace(lint(path), urls=len(urls), unsettled=unsettled)

    both = combine([report("a/one.jsonl", "x", "y"), report("b/two.jsonl", "y")])

    assert both.urls == 3
    assert [(one.url, one.places) for one in both.unsettled] == [
        ("x", (("a/one.jsonl", 1),)),
        ("y", (("a/one.jsonl", 1), ("b/two.jsonl", 1))),
    ]


def test_providers_are_listed() -> None:
    Path("b/vft.toml").write_text('provider = "azure"')
    write("a/one.jsonl")
    write("b/two.jsonl")

    report = lint("a", "b")

    assert report.provider == "openai, azure"
    assert report.closes is None
    assert report.cost is None or report.cost.price is None


def test_split_from_a_name_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a/train.jsonl", "a/validation.jsonl", "a/test.jsonl"):
        write(name, about="squares")

    assert main(["check", "a"]) == 1

    out = " ".join(capsys.readouterr().out.split())
    assert f"error {LEAK}" in out
    assert "note: split by file name: a/test.jsonl (test), a/validation.jsonl (validation); state" in out
    assert main(["check", "--data=a/train.jsonl", "--test-data=a/test.jsonl"]) == 1
    assert "split by file name" not in capsys.readouterr().out


def test_each_file_counts_by_its_own_severity(capsys: pytest.CaptureFixture[str]) -> None:
    write("a/one.jsonl", grey=1)
    write("b/two.jsonl", grey=3)

    code = main(["check", "a", "b"])
    text = capsys.readouterr().out
    main(["check", "a", "b", "--format=junit"])
    junit = capsys.readouterr().out

    assert code == 1
    assert "\nFAILED  1 of 20 lines has errors (4 findings) in 1 of 2 files; [*] 4 can be repaired: " in text
    assert junit.count("<failure") == 1
