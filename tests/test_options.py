"""The tables of commands and options, and what is made from them."""

from __future__ import annotations

import argparse
import re
import runpy
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pytest_vft.cli.parser import parse
from pytest_vft.errors import UsageError
from pytest_vft.model import DEPTHS, SEVERITIES
from pytest_vft.options import COMMANDS, FORMATS, OPTIONS, Command, Option
from pytest_vft.runs.settings import read_settings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "options.md"
GENERATE = runpy.run_path(str(ROOT / "docs" / "generate.py"))
LINTED = ("check", "pytest")

every_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
every_option = pytest.mark.parametrize(
    "option", OPTIONS, ids=lambda option: f"{option.name}-{option.commands[0]}"
)


def choices(name: str, command: str) -> tuple[str, ...]:
    (found,) = [option for option in OPTIONS if option.name == name and command in option.commands]
    return found.choices


@every_command
def test_option_is_one_of_a_command_once(command: Command) -> None:
    assert set(Counter(option.name for option in command.options).values()) <= {1}


def test_option_is_one_of_pytest_once() -> None:
    names = Counter(option.pytest_name for option in OPTIONS if option.pytest_name)

    assert set(names.values()) == {1}


def test_choices_are_those_of_the_model() -> None:
    assert {choices("depth", command) for command in (*LINTED, "submit")} == {DEPTHS}
    assert {choices("fail-on", command) for command in LINTED} == {SEVERITIES}


@pytest.mark.parametrize("name", FORMATS)
def test_report_format_is_a_module(name: str) -> None:
    assert callable(getattr(import_module(f"pytest_vft.report.{name}"), f"render_{name}"))


@every_option
def test_value_is_never_optional(option: Option) -> None:
    """`--option file` must mean one thing: an optional value would swallow the file, or not."""
    assert option.settings.get("nargs") is None
    assert (option.kind == "flag") == (not option.values)
    for command in COMMANDS:
        if option in command.options:
            given = [
                command.name,
                *("plan" if a.choices else "x" for a in command.arguments),
                f"--{option.name}",
            ]
            problem = f"argument --{option.name}: expected one argument"
            if option.kind == "flag":
                assert vars(parse(given)[1])[option.name.replace("-", "_")] is True
            else:
                with pytest.raises(UsageError, match=re.escape(problem)):
                    parse(given)


@every_option
def test_help_is_one_line_that_argparse_can_show(option: Option) -> None:
    assert option.help or (option.name, option.commands) == ("base-url", ("check",))  # has no effect
    assert "%" not in option.help  # argparse would fill it in
    assert not option.help.endswith(".")
    assert option.kind == "choice" or not option.choices


@every_command
def test_command_is_a_function(command: Command) -> None:
    module, _, function = command.run.partition(":")

    run: Callable[[argparse.Namespace], int] = getattr(import_module(module), function)

    assert callable(run)


def test_page_is_fresh() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert GENERATE["fill"](text) == text, "run: python docs/generate.py"


def test_page_shows_each_option() -> None:
    text = PAGE.read_text(encoding="utf-8")
    names = {name for option in OPTIONS for name in (f"--{option.name}", option.pytest_name) if name}
    names -= {f"--{option.name}" for option in OPTIONS if all("pytest" in name for name in option.commands)}

    assert {name for name in names if not re.search(f"^[|].*`{name}[`=]", text, re.MULTILINE)} == set()


def test_pages_with_a_stale_part_are_noticed() -> None:
    text = PAGE.read_text(encoding="utf-8").replace("`--vft-offline`", "`--vft-online`")

    assert GENERATE["fill"](text) != text


# Settings

SAID: Mapping[str, Any] = {
    "sample": 5,
    "data_format": "sharegpt",
    "provider": "azure",
    "model": "gpt-4o-2024-08-06",
    "select": ["image, line", "file"],
    "extend_select": ["image/plain-http"],
    "ignore": ["image/truncated"],
    "depth": "header",
    "fail_on": "warning",
    "require_checked": True,
    "offline": True,
    "allow_private": True,
    "proxy": "env",
    "url_budget": 90,
    "no_cache": True,
    "max_findings": 7,
    "max_tokens": 1000,
    "image_root": ["images"],
    "baseline": "known.json",
    "write_baseline": True,
    "jobs": 2,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VFT_OFFLINE", raising=False)


def test_settings_follow_the_options() -> None:
    settings = read_settings(SAID)

    assert (settings.provider_id, settings.model_name) == ("azure", "gpt-4o-2024-08-06")
    assert (settings.select, settings.ignore) == (["image", "line", "file"], ["image/truncated"])
    assert (settings.extend_select, settings.max_findings) == (["image/plain-http"], 7)
    assert (settings.depth, settings.fail_on, settings.require_checked) == ("header", "warning", True)
    assert (settings.network.offline, settings.network.allow_private) == (True, True)
    assert (settings.network.proxy, settings.network.cache, settings.jobs) == (True, False, 2)
    assert settings.url_budget == 90


def test_none_is_an_option_that_was_not_given() -> None:
    assert read_settings(dict.fromkeys(SAID)) == read_settings({})


def test_each_option_of_a_check_has_an_effect_on_settings_or_on_what_is_read_and_written() -> None:
    elsewhere = {
        "config",
        "data",
        "validation-data",
        "test-data",
        "format",
        "report",
        "max-shown",
        "no-images",
        "good-examples",
        "statistics",
        "quiet",
        "exit-zero",
        "base-url",
        "since",
        "cluster",
    }

    names = {option.name for option in OPTIONS if "check" in option.commands} - elsewhere

    assert {name.replace("-", "_") for name in names} == set(SAID)
    for name, value in SAID.items():
        assert read_settings({name: value}) != read_settings({}), name


@pytest.mark.parametrize(
    ("given", "selected"),
    [(None, None), ([], None), ([""], None), ([" , "], None), (["a", "b,c"], ["a", "b", "c"])],
)
def test_empty_value_selects_all_rules(given: list[str] | None, selected: list[str] | None) -> None:
    assert read_settings({"select": given}).select == selected


def test_environment_says_offline_where_the_option_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFT_OFFLINE", "1")

    assert read_settings({}).network.offline
    assert not read_settings({"offline": False}).network.offline
