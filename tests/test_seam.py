"""A data format is one module: facts, rules and reports work on it without a change.

The format here is made up for the test: rows of turns, images as local paths or URLs in a list of their
own, and two answers to choose from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import plan

from pytest_vft.catalogue.cases import data_url
from pytest_vft.checking.lint import lint_files
from pytest_vft.checking.results import LintResult
from pytest_vft.facts.example import measure_example
from pytest_vft.formats import registry
from pytest_vft.formats.base import Chat, Fault, KeyPath, pointer
from pytest_vft.formats.chat import read_messages
from pytest_vft.formats.conversation import read_conversation
from pytest_vft.formats.openai import OpenAI
from pytest_vft.formats.registry import load_writer
from pytest_vft.formats.writers.base import FileShape
from pytest_vft.model import Source
from pytest_vft.reading.context import FetchContext
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.report.example import render_example
from pytest_vft.runs.config import Config
from pytest_vft.runs.settings import Settings
from pytest_vft.runs.view import read_example

ROLES = {"ask": "user", "say": "assistant"}


class Rows:
    """{"rows": [["ask", "..."], ["say", "..."]], "images": [...], "better": "...", "worse": "..."}."""

    name = "rows"
    schema: Mapping[str, Any] = {"type": "object", "required": ["rows"]}

    def read(self, example: Any) -> Chat:
        rows = example["rows"]
        unknown = [number for number, row in enumerate(rows) if row[0] not in ROLES]
        faults = [Fault(("rows", number), f"row {number + 1} has no role") for number in unknown]
        unsound = {("messages", number): rows[number] for number in unknown}
        messages: list[Any] = [
            {"role": ROLES.get(row[0], "user"), "content": [{"type": "text", "text": row[1]}]} for row in rows
        ]
        for image in example.get("images", ()):
            part = (
                {"type": "image_url", "image_url": {"url": image}}
                if ":" in image
                else {"type": "image_path", "image_path": image}
            )
            messages[0]["content"].append(part)
        answers = [
            {"role": "assistant", "content": example[key]} for key in ("better", "worse") if key in example
        ]
        return Chat(
            read_messages([*messages, *answers], unsound),
            len(rows),
            faults,
            unsound=unsound,
            alternatives=len(answers),
        )

    def place(self, example: Any, path: KeyPath) -> KeyPath:
        position = int(path[1])
        if position >= len(example["rows"]):
            return (("better", "worse")[position - len(example["rows"])],)
        if len(path) == 4 and int(path[3]) > 0:
            return "images", int(path[3]) - 1
        return "rows", position, *((1,) if len(path) == 4 else ())


@pytest.fixture(autouse=True)
def _rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(registry._FORMATS, "rows", f"{__name__}:Rows")  # noqa: SLF001 - as a new format would
    yield
    registry._load.cache_clear()  # noqa: SLF001 - as above


def write(folder: Path, *examples: Mapping[str, Any]) -> Source:
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps(example) + "\n" for example in examples))
    return Source(str(path), data_format="rows")


def found(linted: LintResult) -> list[tuple[str, int | None, str]]:
    return [(placed.found.rule, placed.found.line, placed.found.pointer) for placed in linted.findings]


GOOD = {"rows": [["ask", "What is this?"], ["say", "A dog."]], "images": [data_url("png 16x16 rgb")]}


def test_sound_examples_are_silent(tmp_path: Path) -> None:
    source = write(tmp_path, *({**GOOD, "rows": [["ask", f"{n}?"], ["say", f"{n}."]]} for n in range(10)))

    linted = lint_files([source], plan())

    assert found(linted) == []
    assert (linted.files[0].examples, linted.files[0].images, linted.files[0].distinct_images) == (10, 10, 1)


def test_findings_point_into_the_example_as_it_was_written(tmp_path: Path) -> None:
    source = write(
        tmp_path,
        {**GOOD, "images": [data_url("png 16x16 rgb"), data_url("png 16x16 l"), "photos/a.jpg"]},
        {"rows": [["ask", "What?"], ["say", ""]]},
        {"rows": [["ask", "What?"], ["shout", "That!"], ["say", "That."]]},
        {"rows": [["ask", "Which?"]], "better": "This.", "worse": ""},
    )

    linted = lint_files([source], plan())

    assert found(linted)[1:] == [  # the first says that there are too few examples
        ("image/unsupported-mode", 1, "/images/1"),
        ("image/not-found", 1, "/images/2"),
        ("message/empty-content", 2, "/rows/1"),
        ("example/invalid-shape", 3, "/rows/1"),
        ("example/no-assistant", 4, ""),
        ("message/empty-content", 4, "/worse"),
    ]


def test_few_shot_answers_point_into_the_example_too(tmp_path: Path) -> None:
    shot = [["ask", "One?"], ["say", "One."]]
    source = write(
        tmp_path, *({**GOOD, "rows": [*shot, ["ask", f"{n}?"], ["say", f"{n}."]]} for n in range(10))
    )

    assert found(lint_files([source], plan())) == [("dataset/repeated-answer", 1, "/rows/1")]


def test_alternatives_are_no_part_of_the_conversation() -> None:
    chat = Rows().read({"rows": [["ask", "Which?"]], "better": "This.", "worse": "That."})

    example = measure_example(chat, "train", ImageStore(full=True), FetchContext({}), None)

    assert (example.facts["messages"], example.facts["assistant_messages"]) == (1, 0)
    assert example.facts["last_role"] == "user"
    assert len(example.messages) == 3
    assert example.turn is not None
    assert example.turn.answer is None


def test_without_a_tokenizer_tokens_are_unknown(tmp_path: Path) -> None:
    linted = lint_files([write(tmp_path, GOOD)], plan(image_tokens=None))

    assert linted.cost is None
    tally = linted.files[0].tallies["example/too-many-tokens"]
    assert (tally.passed, tally.unknown) == (0, 1)


def test_an_example_is_shown_as_it_is_read(tmp_path: Path) -> None:
    source = write(tmp_path, {**GOOD, "rows": [["ask", "What?"], ["shout", "!"], ["say", "That."]]})

    text = render_example(read_example(source.path, 1, Settings(config=Config(), data_format_name="rows")))

    assert "/rows/0  user\n  What?\n  [image 1] PNG 16x16 RGB, " in text
    assert "/rows/1\n  ['shout', '!']\n" in text
    assert "/rows/1  row 2 has no role" in text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
texts = st.text() | st.lists(st.builds(lambda text: {"type": "text", "text": text}, st.text()))
messages = st.lists(
    st.builds(lambda content: {"role": "user", "content": content}, texts)
    | st.builds(
        lambda content, weight: {"role": "assistant", "content": content, "weight": weight},
        texts,
        st.integers(0, 1),
    ),
    min_size=1,
)


@given(messages, st.dictionaries(st.sampled_from(["parallel_tool_calls"]), st.booleans()))
def test_what_is_read_as_openai_is_written_alike(listed: list[Any], others: dict[str, Any]) -> None:
    example = {"messages": listed, **others}

    written = load_writer("openai").write(read_conversation(OpenAI(), example), FileShape())

    assert written == (example, {})


@given(json_values | st.fixed_dictionaries({"messages": json_values}))
def test_any_value_is_read_without_an_error(value: Any) -> None:
    chat = OpenAI().read(value)

    assert chat.faults or chat.total == len(value["messages"])


def test_pointers_escape_keys() -> None:
    assert pointer(("a/b", 0, "~")) == "/a~1b/0/~0"
