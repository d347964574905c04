"""pytest_vft.lint and assert_clean: files in, a report out, and never an exception for data."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_vft import (
    ConfigError,
    Report,
    RuleFileError,
    UsageError,
    assert_clean,
    build_example,
    lint,
    write_jsonl,
)
from pytest_vft.catalogue.cases import data_url
from pytest_vft.runs.config import Config, load_config

GOOD = "png 24x24 rgb"
GREY = "png 24x24 l"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, image: str = GOOD, *, start: int = 0, answers: bool = True) -> str:
    """Write ten examples to *name*, the last one with *image*, numbered from *start*."""
    examples = [
        build_example(
            f"What is on image {number}?",
            f"It is {number}." if answers else None,
            data_url(image if number == start + 9 else GOOD),
        )
        for number in range(start, start + 10)
    ]
    write_jsonl(name, examples)
    return name


def failed(report: Report) -> dict[str, int]:
    return {rule.id: rule.tally.failed for rule in report.rules if rule.tally.failed}


def splits(report: Report) -> dict[str, str]:
    return {file.path: file.split for file in report.files}


# What passes


def test_clean_file_is_ok() -> None:
    report = lint(write("train.jsonl"))

    assert report.ok
    assert (report.findings, report.failing, report.notes) == ((), (), ())
    assert (report.depth, report.offline, report.fail_on) == ("auto", True, "error")
    assert_clean(report)


def test_file_without_answers_may_be_the_test_split() -> None:
    write_jsonl("train.jsonl", [{"messages": build_example(f"{n}?", "")["messages"][:1]} for n in range(10)])

    report = lint("train.jsonl")

    assert {finding.rule for finding in report.findings} == {"example/no-assistant"}
    assert report.notes == (
        "train.jsonl: no example has an answer; if this is the test split, pass it as --test-data",
    )
    assert lint(test="train.jsonl").notes == ()


def test_rule_that_counts_the_findings_of_others_is_not_run_without_them() -> None:
    rule = "file/too-many-skipped"

    (counting,) = (one for one in lint(write("train.jsonl"), select=[rule]).rules if one.id == rule)

    assert (counting.tally.passed, counting.tally.unknown) == (0, 1)


def test_paths_are_strings_or_path_likes_and_may_be_many() -> None:
    write("a.jsonl")
    write("b.jsonl", start=10)

    expected = {"a.jsonl": "train", "b.jsonl": "train"}
    assert splits(lint("a.jsonl", Path("b.jsonl"))) == expected
    assert splits(lint(*Path().glob("?.jsonl"))) == expected
    assert splits(lint("?.jsonl")) == expected
    assert set(splits(lint(Path()))) == {"./a.jsonl", "./b.jsonl"}


def test_splits_are_one_path_or_many() -> None:
    write("a.jsonl")
    write("b.jsonl", start=10)
    write("c.jsonl", start=20, answers=False)
    write("d.jsonl", start=30, answers=False)

    report = lint("a.jsonl", validation="b.jsonl", test=[Path("c.jsonl"), "d.jsonl"])
    assert report.ok
    assert splits(report) == {
        "a.jsonl": "train",
        "b.jsonl": "validation",
        "c.jsonl": "test",
        "d.jsonl": "test",
    }
    assert splits(lint(validation=Path("b.jsonl"))) == {"b.jsonl": "validation"}


def test_without_paths_the_configuration_names_them() -> None:
    Path("vft.toml").write_text('[data]\ntrain = "a.jsonl"\ntest = "b.jsonl"')
    write("a.jsonl")
    write("b.jsonl", start=10, answers=False)

    assert splits(lint()) == {"a.jsonl": "train", "b.jsonl": "test"}
    assert splits(lint("b.jsonl")) == {"b.jsonl": "test"}


def test_configuration_is_found_named_or_given() -> None:
    write("train.jsonl", GREY)
    Path("mine.toml").write_text('[ignore]\n"image/unsupported-mode" = "grey is fine"')

    assert not lint("train.jsonl").ok
    assert lint("train.jsonl", config="mine.toml").ok
    assert lint("train.jsonl", config=Path("mine.toml")).ok
    assert lint("train.jsonl", config=load_config(Path("mine.toml"))).ok
    Path("mine.toml").rename("vft.toml")
    assert lint("train.jsonl").ok
    assert not lint("train.jsonl", config=Config()).ok


# What fails


def test_findings_say_where_and_what() -> None:
    report = lint(write("train.jsonl", GREY))

    (finding,) = report.findings
    assert not report.ok
    assert [rule.id for rule in report.failing] == ["image/unsupported-mode"]
    assert (finding.rule, finding.severity, finding.path) == (
        "image/unsupported-mode",
        "error",
        "train.jsonl",
    )
    assert (finding.line, finding.pointer) == (10, "/messages/0/content/1")
    assert finding.message == "mode is L; expected RGB or RGBA"


def test_assert_clean_shows_the_whole_report() -> None:
    with pytest.raises(AssertionError) as raised:
        assert_clean(lint(write("train.jsonl", GREY)))

    assert "  train.jsonl:10  mode is L; expected RGB or RGBA (/messages/0/content/1)\n" in str(raised.value)
    assert (
        "\nFAILED  1 of 10 lines has errors (1 finding); [*] 1 can be repaired: vft fix train.jsonl\n"
        in str(raised.value)
    )


def test_patterns_may_be_one_string() -> None:
    write("train.jsonl", "png 24x24 l")

    assert failed(lint("train.jsonl", select="image/unsupported-mode,file")) == {"image/unsupported-mode": 1}
    assert failed(lint("train.jsonl", ignore="image")) == failed(lint("train.jsonl", ignore=["image"]))


@pytest.mark.parametrize("select", [[], "", [""], ()])
def test_empty_selection_is_not_given(select: Any) -> None:
    write("train.jsonl", GREY)
    Path("vft.toml").write_text("select = []")

    assert lint("train.jsonl", select=select) == lint("train.jsonl")
    assert failed(lint("train.jsonl", select=select)) == {"image/unsupported-mode": 1}


def test_select_and_ignore() -> None:
    write("train.jsonl", GREY)

    assert failed(lint("train.jsonl", select=["image"])) == {"image/unsupported-mode": 1}
    assert failed(lint("train.jsonl", select=["image/too-large"])) == {}
    assert failed(lint("train.jsonl", ignore=["image/unsupported-*"])) == {}


def test_depth() -> None:
    url = data_url("png 64x64 rgb")
    middle = len(url) // 2
    broken = url[:middle] + ("AAAA" if url[middle : middle + 4] != "AAAA" else "BBBB") + url[middle + 4 :]
    good = [build_example(f"{number}?", f"{number}.", data_url(GOOD)) for number in range(9)]
    write_jsonl("train.jsonl", [*good, build_example("What is this?", "A dog.", broken)])

    assert lint("train.jsonl", depth="header").ok
    assert (
        failed(lint("train.jsonl")) == failed(lint("train.jsonl", depth="full")) == {"image/undecodable": 1}
    )


def test_fail_on_and_require_checked() -> None:
    Path("vft.toml").write_text('severity = {"image/unsupported-mode" = "warning"}')
    write("grey.jsonl", GREY)
    good = [build_example(f"{number}?", f"{number}.", data_url(GOOD)) for number in range(9)]
    write_jsonl("url.jsonl", [*good, build_example("What is this?", "A dog.", "https://example.com/a.png")])

    assert lint("grey.jsonl").ok
    assert not lint("grey.jsonl", fail_on="warning").ok
    assert lint("url.jsonl").ok
    assert not lint("url.jsonl", require_checked=True).ok


def test_provider_and_model() -> None:
    report = lint(write("train.jsonl"), provider="azure", model="gpt-4.1-2025-04-14")

    assert (report.provider, report.provider_name, report.model) == (
        "azure",
        "Azure OpenAI",
        "gpt-4.1-2025-04-14",
    )


# What cannot be followed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "no files: give some"),
        ({"validation": "none.jsonl"}, "none.jsonl: no such file"),
        (
            {"test": ["train.jsonl"], "validation": "train.jsonl"},
            "train.jsonl: is given as validation and as test",
        ),
        ({"test": "train.jsonl", "provider": "opnai"}, "did you mean 'openai'"),
        ({"test": "train.jsonl", "model": "gpt-4o"}, "OpenAI has no vision fine-tuning for model 'gpt-4o'"),
        ({"test": "train.jsonl", "select": ["imag"]}, "did you mean 'image'"),
        ({"test": "train.jsonl", "ignore": ["imag"]}, "did you mean 'image'"),
        (
            {"test": "train.jsonl", "depth": "ful"},
            "depth is 'ful' (did you mean 'full'?); expected auto, header or full",
        ),
        ({"test": "train.jsonl", "fail_on": "warn"}, "fail_on is 'warn' (did you mean 'warning'?)"),
    ],
)
def test_wrong_arguments_are_usage_errors(arguments: dict[str, Any], said: str) -> None:
    write("train.jsonl")

    with pytest.raises(UsageError) as raised:
        lint(**arguments)
    assert said in str(raised.value)
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize("wrong", [{"model": "gpt-4o"}, {"select": ["imag"]}, {"ignore": ["imag"]}])
def test_wrong_arguments_are_told_before_data_is_read(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any]
) -> None:
    monkeypatch.setattr("pytest_vft.runs.run.measure_files", lambda *_: pytest.fail("data was read"))

    with pytest.raises(UsageError):
        lint(write("train.jsonl"), **wrong)


def test_file_in_two_splits_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"^train\.jsonl: is given as train and as test split$"):
        lint(write("train.jsonl"), test="train.jsonl")


def test_wrong_configuration_is_an_error_of_its_own() -> None:
    write("train.jsonl")

    with pytest.raises(ConfigError, match=r"^none\.toml: No such file"):
        lint("train.jsonl", config="none.toml")
    Path("vft.toml").write_text('provder = "azure"')
    with pytest.raises(ConfigError, match="did you mean 'provider'"):
        lint("train.jsonl")


def test_wrong_rule_file_is_an_error_of_its_own() -> None:
    Path("vft.toml").write_text('rules = ["mine"]')
    Path("mine/imgae").mkdir(parents=True)
    Path("mine/imgae/tiny.toml").touch()

    with pytest.raises(
        RuleFileError, match=r"mine/imgae/tiny\.toml: no scope 'imgae' \(did you mean 'image'\?\)"
    ):
        lint(write("train.jsonl"))


# Data never raises


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n\n",
        b"\0" * 100,
        b"\xff\xfe" + "{}\n".encode("utf-16-le"),
        gzip.compress(b"{}", mtime=0),
        b"{" * 10_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"messages": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"messages": ' + b"9" * 5_000 + b"}",
        b'{"messages": 1e999}',
        b'{"messages": [{"role": "", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]}',
        b'{"messages": [{"role": "", "content": [{"type": "image_url", "image_url": {"url": ""}}]}]}',
        b'null\ntrue\n3\n"text"\n[]\n{}\n',
    ],
)
def test_bytes_are_never_an_exception(content: bytes) -> None:
    Path("train.jsonl").write_bytes(content)

    report = lint("train.jsonl")

    assert not report.ok
    assert all(finding.path == "train.jsonl" for finding in report.findings)


def test_file_without_permission_and_folder_that_goes_away_are_findings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allowed = os.open

    def refuse(path: str, *rest: Any, **more: Any) -> int:
        if Path(path).name == "train.jsonl":
            raise PermissionError(13, "Permission denied")
        return allowed(path, *rest, **more)

    write("train.jsonl")
    monkeypatch.setattr("os.open", refuse)

    report = lint("train.jsonl", config=Config())

    assert failed(report)["file/unreadable"] == 1


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
keys = st.sampled_from(
    ["role", "content", "type", "text", "image_url", "url", "detail", "weight", "tool_calls"]
)
values = st.recursive(
    scalars | st.sampled_from(["user", "assistant", "text", "image_url", "data:image/png;base64,AAAA"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
messages = st.dictionaries(keys, values, max_size=4) | values


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.fixed_dictionaries({"messages": st.lists(messages, max_size=3) | values}) | values)
def test_any_json_is_never_an_exception(value: Any) -> None:
    Path("train.jsonl").write_text(json.dumps(value) + "\n", encoding="utf-8")

    report = lint("train.jsonl", config=Config())

    assert not report.ok
