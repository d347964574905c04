"""What the statements of the provider together say of examples is what the checker of Together's client says.

The outcomes are those of check_file() in together 2.14.0, the last version that reads examples. They are
compared with the checker itself where .ci/targets has installed it.
"""
# ruff: noqa: E501 - tables of examples are read in lines

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from targets.environments import run_judge

from pytest_vft import lint
from pytest_vft.catalogue.cases import data_url
from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.catalogue.providers import load_provider
from pytest_vft.catalogue.select import bind_rules

STATED = {
    id_
    for id_, rule in bind_rules(shipped_rules(), load_provider("together")).items()
    if rule.severity == "error" and id_ in load_provider("together").rules
}
URL = data_url("jpeg 16x16 rgb")
CALL = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
TOOLS = [{"type": "function", "function": {"name": "f"}}]


class Line(NamedTuple):
    """A file with one or more lines, whether the checker takes it, and the rule that says why not."""

    name: str
    text: str
    taken: bool
    rule: str | None = None


def text(words: str = "Which fruit?") -> dict[str, Any]:
    return {"type": "text", "text": words}


def image(url: str = URL, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def says(role: str, content: Any = ..., **more: Any) -> dict[str, Any]:
    return {"role": role, **({} if content is ... else {"content": content}), **more}


ASKS = says("user", [text(), image()])
PEAR = says("assistant", [text("A pear.")])
APPLE = says("assistant", [text("An apple.")])


def chat(*messages: Any, **more: Any) -> str:
    return json.dumps({"messages": list(messages), **more})


def choice(*messages: Any, good: Any = None, bad: Any = None, inside: Any = (), **more: Any) -> str:
    asked = {"messages": list(messages), **dict(inside)}
    answers = {"preferred_output": good or [PEAR], "non_preferred_output": bad or [APPLE]}
    return json.dumps({"input": asked, **answers, **more})


def padded(url: str, characters: int) -> str:
    head, _, payload = url.partition(",")
    return f"{head},{payload + 'A' * (characters - len(head) - 1 - len(payload))}"


LINES = [
    Line("lists", chat(ASKS, PEAR), True),
    Line("strings", chat(says("user", "One?"), says("assistant", "1")), True),
    Line("lists without images", chat(says("user", [text()]), PEAR), True),
    Line("system", chat(says("system", [text("Answer.")]), ASKS, PEAR), True),
    Line("late system", chat(ASKS, says("system", [text("Answer.")]), PEAR), True),
    Line("two users", chat(ASKS, ASKS, PEAR), True),
    Line("two answers", chat(ASKS, PEAR, PEAR), True),
    Line("ends with user", chat(ASKS, PEAR, ASKS), True),
    Line("starts with assistant", chat(PEAR, ASKS, PEAR), True),
    Line("no answer", chat(ASKS), False, "example/no-assistant"),
    Line("mixed", chat(ASKS, says("assistant", "A pear.")), False, "example/mixed-content"),
    Line("mixed system", chat(says("system", "Hi."), ASKS, PEAR), False, "example/mixed-content"),
    Line("mixed with empty", chat(says("system", ""), ASKS, PEAR), True),
    Line("mixed with null", chat(ASKS, says("assistant", None, tool_calls=CALL), PEAR), True),
    Line("empty answer", chat(ASKS, says("assistant", "")), True),
    Line("png", chat(says("user", [image(data_url("png 16x16 rgba"))]), PEAR), True),
    Line("webp", chat(says("user", [image(data_url("webp 16x16 rgb"))]), PEAR), True),
    Line("grey", chat(says("user", [image(data_url("png 16x16 l"))]), PEAR), True),
    Line("gif", chat(says("user", [image(data_url("gif 16x16 p"))]), PEAR), False, "image/unsupported-data-url"),
    Line("gif as png", chat(says("user", [image(data_url("gif 16x16 p as=image/png"))]), PEAR), True),
    Line("png as jpeg", chat(says("user", [image(data_url("png 16x16 rgb as=image/jpeg"))]), PEAR), True),
    Line("jpg", chat(says("user", [image(data_url("jpeg 16x16 rgb as=image/jpg"))]), PEAR), False, "image/unsupported-data-url"),
    Line("upper case scheme", chat(says("user", [image(URL.replace("data:", "DATA:"))]), PEAR), False, "image/unsupported-data-url"),
    Line("upper case type", chat(says("user", [image(URL.replace("jpeg", "JPEG"))]), PEAR), False, "image/unsupported-data-url"),
    Line("charset", chat(says("user", [image(URL.replace(";", ";charset=utf-8;"))]), PEAR), False, "image/unsupported-data-url"),
    Line("not base64", chat(says("user", [image("data:image/jpeg;base64,!")]), PEAR), True),
    Line("cut off", chat(says("user", [image(data_url("jpeg 64x64 rgb cut=100"))]), PEAR), True),
    Line("https", chat(says("user", [image("https://example.com/a.png")]), PEAR), False, "image/unsupported-url-scheme"),
    Line("path", chat(says("user", [image("a.png")]), PEAR), False, "image/unsupported-url-scheme"),
    Line("empty url", chat(says("user", [image("")]), PEAR), False, "image/unsupported-url-scheme"),
    Line("url as string", chat(says("user", [{"type": "image_url", "image_url": URL}]), PEAR), False, "example/invalid-shape"),
    Line("detail", chat(says("user", [image(detail="low")]), PEAR), True),
    Line("unknown detail", chat(says("user", [image(detail="most")]), PEAR), True),
    Line("other keys of parts", chat(says("user", [{**image(), "id": 1}]), PEAR), True),
    Line("unknown part", chat(says("user", [{"type": "image", "path": "a.png"}]), PEAR), False, "example/invalid-shape"),
    Line("refusal part", chat(ASKS, says("assistant", [{"type": "refusal", "refusal": "No."}])), False, "message/refused-field"),
    Line("refusal key", chat(ASKS, {**PEAR, "refusal": "No."}), True),
    Line("image in an answer", chat(ASKS, says("assistant", [image()])), False, "message/assistant-image"),
    Line("image of the system", chat(says("system", [image()]), ASKS, PEAR), False, "message/image-outside-user"),
    Line("image of a tool", chat(ASKS, says("assistant", tool_calls=CALL), says("tool", [image()], tool_call_id="a"), PEAR), False, "message/image-outside-user"),
    Line("ten images", chat(says("user", [image()] * 10), PEAR), True),
    Line("eleven images", chat(says("user", [image()] * 11), PEAR), False, "example/too-many-images"),
    Line("eleven images in two turns", chat(says("user", [image()] * 6), PEAR, says("user", [image()] * 5), PEAR), False, "example/too-many-images"),
    Line("weight 0", chat(ASKS, {**APPLE, "weight": 0}, ASKS, PEAR), True),
    Line("weight 1", chat(ASKS, {**PEAR, "weight": 1}), True),
    Line("weight 0.0", chat(ASKS, {**APPLE, "weight": 0.0}, ASKS, PEAR), False, "message/unsupported-weight"),
    Line("weight 0 of an image", chat({**ASKS, "weight": 0}, PEAR), True),
    Line("weight 1 of an image", chat({**ASKS, "weight": 1}, PEAR), False, "message/weighted-image"),
    Line("weight true of an image", chat({**ASKS, "weight": True}, PEAR), False, "message/weighted-image"),
    Line("empty answer beside a weight", chat({**ASKS, "weight": 0}, says("assistant", "")), True),
    Line("no answer beside a weight", chat({**ASKS, "weight": 0}), False, "example/no-assistant"),
    Line("fault beside a weight", chat({**ASKS, "weight": 0, "name": None}, says("assistant")), False, "example/invalid-shape"),
    Line("name of a call", chat(ASKS, says("assistant", tool_calls=CALL), says("tool", [text("1")], tool_call_id="a", name=None), PEAR), True),
    Line("developer", chat(says("developer", [text()]), ASKS, PEAR), False, "example/invalid-shape"),
    Line("function", chat(ASKS, says("assistant", None, function_call={"name": "f", "arguments": "{}"}), says("function", [text()], name="f"), PEAR), False, "message/unsupported-role"),
    Line("call", chat(ASKS, says("assistant", tool_calls=CALL), says("tool", [text("1")], tool_call_id="a"), PEAR), True),
    Line("name", chat({**ASKS, "name": "Ann"}, PEAR), True),
    Line("unknown key of a message", chat({**ASKS, "id": 1}, PEAR), True),
    Line("tools", chat(ASKS, PEAR, tools=TOOLS), True),
    Line("parallel calls", chat(ASKS, PEAR, tools=TOOLS, parallel_tool_calls=False), False, "example/refused-key"),
    Line("functions", chat(ASKS, PEAR, functions=[{"name": "f"}]), False, "example/refused-key"),
    Line("unknown key", chat(ASKS, PEAR, id=1), False, "example/unknown-key"),
    Line("images beside", chat(ASKS, PEAR, images=[]), False, "example/unknown-key"),
    Line("no messages", json.dumps({"chat": []}), False, "example/invalid-shape"),
    Line("empty messages", chat(), False, "example/invalid-shape"),
    Line("no role", chat({"content": "One?"}, says("assistant", "1")), False, "example/invalid-shape"),
    Line("answer without content", chat(ASKS, says("assistant")), False, "example/invalid-shape"),
    Line("list", "[1]", False, "line/not-an-object"),
    Line("not JSON", "{", False, "line/invalid-json"),
    Line("blank line", f"{chat(ASKS, PEAR)}\n\n{chat(ASKS, APPLE)}", False, "line/blank"),
    Line("byte-order mark", "\ufeff" + chat(ASKS, PEAR), False, "file/byte-order-mark"),
    Line("key twice", chat(ASKS, PEAR)[:-1] + ', "messages": []}', False, "example/invalid-shape"),
    Line("preference", choice(ASKS), True),
    Line("preference of strings", choice(ASKS, good=[says("assistant", "A pear.")], bad=[says("assistant", "An apple.")]), True),
    Line("mixed input", choice(says("system", "Hi."), ASKS), False, "example/mixed-content"),
    Line("input that ends with an answer", choice(ASKS, PEAR), False, "example/several-answer-messages"),
    Line("two messages as answer", choice(ASKS, good=[PEAR, PEAR]), False, "example/several-answer-messages"),
    Line("two messages as other answer", choice(ASKS, bad=[APPLE, APPLE]), False, "example/several-answer-messages"),
    Line("answers of the user", choice(ASKS, good=[ASKS], bad=[ASKS]), False, "example/several-answer-messages"),
    Line("image in a preferred answer", choice(ASKS, good=[says("assistant", [image()])]), False, "message/assistant-image"),
    Line("keys inside the input", choice(ASKS, inside={"tools": TOOLS, "parallel_tool_calls": True}), True),
    Line("key beside the input", choice(ASKS, id=1), False, "example/unknown-key"),
    Line("weight of the input", choice({**ASKS, "weight": 0}), True),
    Line("weight of the input's image", choice({**ASKS, "weight": 1}), False, "message/weighted-image"),
    Line("fraction as weight of the input", choice({**ASKS, "weight": 0.5}), False, "message/unsupported-weight"),
    Line("weight of a preferred answer", choice(ASKS, good=[{**PEAR, "weight": 1}]), True),
    Line("name in the input", choice({**ASKS, "name": None}), True),
    Line("name of a preferred answer", choice(ASKS, good=[{**PEAR, "name": 1}]), True),
    Line("both kinds", f"{chat(ASKS, PEAR)}\n{choice(ASKS)}", False, "example/invalid-shape"),
]  # fmt: skip

# Messages of each role with values of keys that the checker reads (weight) and does not read (name).
TURNS = {
    "system": [says("system", [text("Answer.")]), says("user", [text()]), PEAR],
    "user": [says("user", [text()]), PEAR],
    "assistant": [says("user", [text()]), PEAR],
    "tool": [ASKS, says("assistant", tool_calls=CALL), says("tool", [text("1")], tool_call_id="a"), PEAR],
}
LINES += [
    Line(f"{key} {json.dumps(value)} of {role}", chat(*({**turn, key: value} if turn["role"] == role else turn for turn in turns)), taken, None if taken else "message/unsupported-weight")
    for key, values in {
        "weight": {0: True, 1: True, None: False, 0.5: False, 2: False, "1": False},
        "name": {None: True, 1: True, "": True, "a b": True},
    }.items()
    for value, taken in values.items()
    for role, turns in TURNS.items()
]  # fmt: skip

# The data format of this package is stricter than the checker: findings on what the server may refuse.
STRICTER = [
    Line("weight null of a preferred answer", choice(ASKS, good=[{**PEAR, "weight": None}]), True, "message/unsupported-weight"),
    Line("id of a tool that is null", chat(ASKS, says("assistant", tool_calls=CALL), says("tool", [text()], tool_call_id=None), PEAR), True, "example/invalid-shape"),
    Line("calls that are a text", chat(ASKS, {**PEAR, "tool_calls": "f"}), True, "example/invalid-shape"),
    Line("no calls", chat(ASKS, {**PEAR, "tool_calls": []}), True, "example/invalid-shape"),
    Line("function without a name", chat(ASKS, {**PEAR, "function_call": {}}), True, "example/invalid-shape"),
    Line("refusal that is a number", chat(ASKS, {**PEAR, "refusal": 1}), True, "example/invalid-shape"),
    Line("null of the user", chat(says("user", None), ASKS, PEAR), True, "example/invalid-shape"),
    Line("tool without an id", chat(ASKS, says("assistant", tool_calls=CALL), says("tool", [text()]), PEAR), True, "example/invalid-shape"),
    Line("tool that is no function", chat(ASKS, PEAR, tools=[1]), True, "example/invalid-shape"),
]  # fmt: skip


def write(folder: Path, line: Line) -> Path:
    path = folder / "train.jsonl"
    path.write_text(line.text + "\n", encoding="utf-8")
    return path


def refusals(path: Path) -> set[str]:
    """Return the rules with errors that the file of the provider states."""
    return {one.rule for one in lint(path, provider="together").findings if one.severity == "error"} & STATED


@pytest.mark.parametrize("line", LINES, ids=[line.name for line in LINES])
def test_statements_agree_with_the_checker(line: Line, tmp_path: Path) -> None:
    found = refusals(write(tmp_path, line))

    assert not found if line.taken else line.rule in found


@pytest.mark.parametrize("line", STRICTER, ids=[line.name for line in STRICTER])
def test_where_the_data_format_is_stricter(line: Line, tmp_path: Path) -> None:
    assert refusals(write(tmp_path, line)) == {line.rule}


@pytest.mark.parametrize(("media_type", "bytes_", "taken"), [("jpeg", 10_485_759, True), ("jpeg", 10_485_760, False), ("png", 10_485_759, True), ("png", 10_485_760, False)])  # fmt: skip
def test_longest_url(media_type: str, bytes_: int, *, taken: bool, tmp_path: Path) -> None:
    url = data_url(f"{media_type} 16x16 rgb bytes={bytes_}")
    path = write(tmp_path, Line("", chat(says("user", [image(url)]), PEAR), taken))

    assert (len(url) <= 13_981_036) == taken
    assert refusals(path) == (set() if taken else {"image/too-large"})


def test_outcomes_are_those_of_the_checker(tmp_path: Path) -> None:
    lines = [*LINES, *STRICTER]
    paths = [tmp_path / f"{number}.jsonl" for number in range(len(lines))]
    for path, line in zip(paths, lines, strict=True):
        path.write_text(line.text + "\n", encoding="utf-8")

    verdicts = run_judge("current", "together", *paths)

    found = {line.name: verdict.problem is None for line, verdict in zip(lines, verdicts, strict=True)}
    assert found == {line.name: line.taken for line in lines}
