"""A value of a wrong type, wherever it is in an example, is a finding and never an exception."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from forms import FORMS, Example, answered, images

from pytest_vft import compare_providers, lint
from pytest_vft.formats.foreign import recognise
from pytest_vft.formats.registry import data_formats

WRONG: list[Any] = [None, 1, "x", [], ["x"], [{}], {}, {"a": 1}]
CALLS: Example = {
    "messages": [
        {"role": "user", "content": "Which lot? <image>", "name": "Ann"},
        {
            "role": "assistant",
            "content": "I look.",
            "weight": 0,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "7"},
        answered("7"),
    ],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}],
}
OPENAI: Example = {
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Which lot?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
            ],
        },
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}], "refusal": None},
    ]
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def examples(name: str) -> tuple[str, Example]:
    """Return the data format and the example *name*."""
    if name in FORMS:
        form = FORMS[name]
        return form.data_format, form.example(0, images(1)[0])
    if name == "openai":
        return "openai", OPENAI
    data_format = name.partition(" ")[2]
    beside = {} if data_format in ("openai", "axolotl") else {"images": images(1)}
    return data_format, {**CALLS, **beside}


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*place, key))


def changed(example: Example) -> Iterator[Example]:
    """Yield *example* with each of its values replaced by a value of another type, or left out."""
    for place in places(example):
        for wrong in [*WRONG, ...]:
            copied = deepcopy(example)
            within: Any = copied
            for key in place[:-1]:
                within = within[key]
            if wrong is ...:
                del within[place[-1]]
            else:
                within[place[-1]] = wrong
            yield copied


NAMES = [*FORMS, "openai", *(f"calls {name}" for name in ("openai", "trl", "swift", "axolotl"))]


@pytest.mark.parametrize("name", NAMES)
def test_wrong_type(name: str) -> None:
    data_format, example = examples(name)
    lines = [example, *changed(example)]
    Path("train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    for line in lines:
        recognise(line)
    report = lint("train.jsonl", data_format=data_format, offline=True, cache=False, depth="header")

    assert report.files[0].examples == len(lines)
    assert not [one for one in report.findings if one.line == 1 and one.rule == "example/invalid-shape"]


def test_each_data_format_reads_wrong_types_of_all() -> None:
    lines = [line for name in NAMES for line in list(changed(examples(name)[1]))[::5]]
    Path("train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    for data_format in data_formats():
        report = lint("train.jsonl", data_format=data_format, offline=True, cache=False, depth="header")

        assert report.files[0].examples == len(lines)


def test_comparison_of_wrong_types() -> None:
    lines = [line for name in NAMES for line in list(changed(examples(name)[1]))[::31]]
    Path("train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    comparison = compare_providers("train.jsonl", offline=True, cache=False, depth="header")

    assert comparison.files[0].lines == len(lines)


@pytest.mark.parametrize("data_format", ["swift", "trl", "axolotl"])
def test_a_call_without_an_id_is_answered_by_a_message_without_one(data_format: str) -> None:
    call = {"type": "function", "function": {"name": "look", "arguments": "{}"}}
    asked = {"role": "user", "content": "Which lot?"}
    calling = {"role": "assistant", "content": "I look.", "tool_calls": [call]}
    shown = {"messages": [asked, calling, {"role": "tool", "content": "7"}, answered("7")]}
    left = {"messages": [asked, calling, {"role": "user", "content": "Well?"}, answered("7")]}
    Path("train.jsonl").write_text(f"{json.dumps(shown)}\n{json.dumps(left)}\n")

    report = lint("train.jsonl", data_format=data_format, provider=data_format, cache=False)

    found = [(one.line, one.message) for one in report.findings if one.rule == "example/unanswered-call"]
    assert [line for line, _ in found] == [2]
    assert "look in message 2" in found[0][1]
