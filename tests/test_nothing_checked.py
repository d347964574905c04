"""A rule or a file that was named and yields nothing is never a pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pytest_vft import LintError, build_example, encode_image, lint, write_jsonl
from pytest_vft.cli import main


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = encode_image(Image.new("RGB", (64, 64)))
    write_jsonl("train.jsonl", [build_example(f"What is on page {n}?", f"A {n}.", image) for n in range(10)])
    write_jsonl("texts.jsonl", [build_example(f"What is {n}?", f"It is {n}.") for n in range(10)])
    Path("empty.jsonl").touch()


@pytest.mark.parametrize(
    "select",
    ["image", "image/truncated", "dataset", "image/truncated,image/unreachable", "dataset/split-leak"],
)
def test_rules_with_something_to_check_pass(select: str) -> None:
    assert main(["check", "train.jsonl", f"--select={select}"]) == 0


def test_scope_without_subjects_passes() -> None:
    assert main(["check", "texts.jsonl", "--select=image"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["texts.jsonl", "--select=image/truncated"],
        ["train.jsonl", "--select=image/unreachable"],
        ["train.jsonl", "--select=image/truncated", "--ignore=image/truncated"],
    ],
    ids=" ".join,
)
def test_rule_that_has_nothing_to_check_is_an_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *arguments]) == 2
    assert "nothing was checked: the files have nothing for " in capsys.readouterr().err


def test_reason_why_nothing_was_checked_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    url = "https://images.example.com/a.png"
    write_jsonl("urls.jsonl", [build_example(f"What is on page {n}?", f"A {n}.", url) for n in range(10)])

    assert main(["check", "urls.jsonl", "--select=image/truncated,image/dark", "--offline"]) == 2
    assert capsys.readouterr().err == "vft: nothing was checked by image/dark, image/truncated: offline\n"


def test_depth_that_does_not_decode_images_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "train.jsonl", "--select=image/dark", "--depth=header"]) == 2
    assert "nothing was checked by image/dark: not decoded at depth header" in capsys.readouterr().err


def test_rules_on_the_dataset_that_could_judge_nothing_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("copy.jsonl").write_bytes(Path("train.jsonl").read_bytes())
    arguments = ["check", "train.jsonl", "--validation-data=copy.jsonl", "--depth=header"]
    near = "dataset/near-split-leak"

    assert main([*arguments, f"--select={near}"]) == 2
    assert f"nothing was checked by {near}: not decoded at depth header" in capsys.readouterr().err


def test_rule_that_is_ignored_in_one_file_has_checked_another(capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.jsonl").write_bytes(Path("train.jsonl").read_bytes())
    Path("vft.toml").write_text('[per-file-ignores."train.jsonl"]\n"image/truncated" = "ours"')
    arguments = ["check", "--select=image/truncated"]

    assert main([*arguments, "train.jsonl", "other.jsonl"]) == 0
    assert main([*arguments, "train.jsonl", "texts.jsonl"]) == 2
    assert "or the rules are ignored" in capsys.readouterr().err


def test_pattern_of_rules_that_the_provider_does_not_state_is_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "train.jsonl", "--provider=azure", "--select=image,image/unfetch*"]) == 2
    assert "image/unfetch*: Azure OpenAI states nothing about these rules" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_file_without_examples_is_an_error_whatever_is_selected(
    content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.jsonl").write_text(content)

    assert main(["check", "empty.jsonl", "--select=image"]) == 2
    assert "empty.jsonl: has no examples, so nothing was checked" in capsys.readouterr().err
    with pytest.raises(LintError, match=r"empty\.jsonl"):
        lint("train.jsonl", "empty.jsonl", select="image")


def test_validation_file_without_examples_has_an_error_unless_ignored() -> None:
    report = lint("train.jsonl", validation="empty.jsonl")

    assert [rule.id for rule in report.failing] == ["file/empty"]
    assert lint("train.jsonl", validation="empty.jsonl", ignore="file/empty").ok
