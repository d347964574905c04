"""What is wrong with the shape of an example is said in our own words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft.formats.base import MAX_FAULTS
from pytest_vft.formats.shape import ExampleShape
from pytest_vft.json_schema import schema_problems
from pytest_vft.resources import read_schema

SHAPE = ExampleShape(read_schema("example.schema.json"))
LONG = "x" * 5_000_000
ANSWER = {"role": "assistant", "content": "1"}


def faults(*messages: Any, **more: Any) -> list[tuple[tuple[str | int, ...], str]]:
    return [tuple(fault) for fault in SHAPE.faults({"messages": list(messages), **more})]


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


@pytest.mark.parametrize(
    "example",
    [
        {"messages": [{"role": "user", "content": "One?"}, ANSWER]},
        {
            "messages": [{"role": "user", "content": "One?"}],
            "input": 1,
            "contents": [],
            "prompt": "",
            "completion": "",
        },
        {"messages": [{"role": "user", "content": ""}]},
        {"messages": [user()]},
        {"messages": [user({"type": "text", "text": "", "cache": {}})]},
        {"messages": [user({"type": "image_url", "image_url": {"url": "", "detail": 3}})]},
        {"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": ""}}]}]},
        {"messages": [{**ANSWER, "weight": 1.0, "audio": None, "annotations": []}]},
        {"messages": [ANSWER], "metadata": {"type": "input_text"}, "response_format": 1},
    ],
)
def test_what_other_rules_say_is_no_fault(example: dict[str, Any]) -> None:
    assert SHAPE.is_valid(example)
    assert SHAPE.faults(example) == []


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ({"conversations": [{"from": "human", "value": "One?"}]}, "a ShareGPT line"),
        ({"conversations": [], "image": "a.jpg", "id": 1}, "a ShareGPT line"),
        ({"contents": [{"role": "user", "parts": []}]}, "a Gemini line"),
        ({"instruction": "One?", "input": "", "output": "1"}, "an Alpaca line (LLaMA-Factory)"),
        ({"query": "One?", "response": "1", "images": []}, "a query and response line (ms-swift)"),
        ({"prompt": "One?", "completion": "1"}, "a prompt and completion line"),
        (
            {"input": {"messages": []}, "preferred_output": [], "non_preferred_output": []},
            "a preference (DPO) line",
        ),
        ({"input": "One?", "target": "1"}, "an inspect line"),
        ({"input": [{"role": "user", "content": "One?"}], "ideal": "1"}, "a sample of OpenAI Evals"),
        ({"item": {"question": "One?"}}, "an item of the Evals API"),
        ({"prompt": "One?", "completion": "1", "label": True}, "a KTO line"),
        ({"prompt": "One?", "chosen": "1", "rejected": "2"}, "a preference line (chosen and rejected)"),
        ({"conversations": [], "chosen": {}, "rejected": {}}, "a ShareGPT line"),
        (
            {"messages": [], "chosen": {"role": "assistant"}, "rejected": {"role": "assistant"}},
            "a preference line of LLaMA-Factory",
        ),
        ({"custom_id": "1", "method": "POST", "body": {"messages": []}}, "a request of the Batch API"),
        ({"id": "1", "custom_id": "1", "response": {}}, "a result of the Batch API"),
        ({"image": "a.jpg", "prefix": "One?", "suffix": "1"}, "a line of Roboflow (prefix and suffix)"),
        ({"image": "a.jpg", "question": "One?", "answer": "1"}, "a row of question and answer"),
        ({"image": "a.jpg", "question": "One?", "answers": ["1"]}, "a row of question and answers"),
        ({"image": "a.jpg", "caption": "One."}, "a row of image and caption"),
        ({"image": "a.jpg", "text": "One."}, "a row of image and text"),
        (
            {"messages": [user({"type": "image"}, {"type": "text", "text": "One?"})], "images": ["a.jpg"]},
            "a line with images in a column (TRL, Unsloth)",
        ),
        ({"input": [{"role": "user", "content": "One?"}]}, "a Responses API line"),
    ],
)
def test_foreign_format_is_named_once(example: dict[str, Any], words: str) -> None:
    (fault,) = SHAPE.faults(example)

    assert fault.path == ()
    assert fault.words.startswith(f"the example is {words}; ")


def test_fault_beside_an_unknown_key_is_named_by_itself() -> None:
    found = faults(ANSWER, 1, {"role": "user", "content": [2]}, user({"type": ["image"]}), id=1)

    assert found[0] == (("messages", 1), "message 2 is a number; expected an object")


@pytest.mark.parametrize(
    "example", [{}, {"message": []}, {"instruction": "One?"}, {"prompt": ""}, {"query": ""}]
)
def test_what_is_no_foreign_format_just_has_no_messages(example: dict[str, Any]) -> None:
    (fault,) = SHAPE.faults(example)

    assert fault == ((), "the example has no messages")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("input_text", "a Responses API part"),
        ("output_text", "a Responses API part"),
        ("input_image", "a Responses API part"),
        ("image", "a Hugging Face or Anthropic part"),
        ("input_audio", "an audio part"),
        ("file", "a file part"),
    ],
)
def test_foreign_part_is_named(kind: str, words: str) -> None:
    ((path, said),) = faults(user({"type": "text", "text": "One?"}, {"type": kind, "source": {}}), ANSWER)

    assert path == ("messages", 0, "content", 1, "type")
    assert said.startswith(f'type is "{kind}"; expected text, image_url or refusal (it is {words}: ')


def test_hugging_face_part_without_a_type_is_a_part_without_a_type() -> None:
    ((path, said),) = faults(user({"image": "a.jpg"}))

    assert (path, said) == (("messages", 0, "content", 0), "content part 1 has no type")


@pytest.mark.parametrize("kind", ["x", "audio", "", "video"])
def test_part_of_no_known_type_is_quoted(kind: str) -> None:
    ((_, said),) = faults(user({"type": kind}))

    assert said == f'type is "{kind}"; expected text, image_url or refusal'


def test_foreign_word_elsewhere_is_no_part() -> None:
    tool = {"type": "file", "function": {"name": "look"}}

    assert faults(ANSWER, tools=[tool]) == [(("tools", 0, "type"), 'type is "file"; expected function')]


def test_each_place_has_a_fault_of_its_own() -> None:
    assert faults(
        "x", {"role": "gpt", "content": "1"}, user(1, {"type": "text"}), {**ANSWER, "weight": 2}
    ) == [
        (("messages", 0), "message 1 is a string; expected an object"),
        (("messages", 1, "role"), 'role is "gpt"; expected system, user, assistant, tool or function'),
        (("messages", 2, "content", 0), "content part 1 is a number; expected an object"),
        (("messages", 2, "content", 1), "content part 2 has no text"),
        (("messages", 3, "weight"), "weight is 2; expected 0 or 1"),
    ]


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (0.5, "0.5"),
        (True, "a boolean"),
        (None, "null"),
        ("1", '"1"'),
        ([1], "an array"),
        ({"a": 1}, "an object"),
        (10**300, "1" + "0" * 58 + "…"),
    ],
)
def test_wrong_value_is_shown_as_json_knows_it(weight: Any, words: str) -> None:
    assert faults({**ANSWER, "weight": weight}) == [
        (("messages", 0, "weight"), f"weight is {words}; expected 0 or 1")
    ]


@pytest.mark.parametrize(
    "message",
    [
        LONG,
        [LONG],
        {"role": LONG},
        {"role": "user", "content": {"url": LONG}},
        user(LONG),
        user({"type": LONG}),
        user({"type": "text", "text": [LONG]}),
        user({"type": "image_url", "image_url": LONG}),
        user({"type": "image_url", "image_url": {"url": [LONG]}}),
        user({"type": "image_url", "image_url": {"link": LONG}}),
        {**ANSWER, "weight": LONG},
        {"role": "user", "content": "x", "weight": LONG},
        {"role": "assistant", "tool_calls": LONG},
        {"role": "assistant", "tool_calls": [{"id": LONG, "type": LONG, "function": {"name": LONG}}]},
    ],
)
def test_value_itself_is_never_printed(message: Any) -> None:
    found = faults(message)

    assert found
    assert all(len(words) < 200 and "x" * 60 not in words for _, words in found)


def test_long_foreign_example_is_not_printed() -> None:
    (fault,) = SHAPE.faults({"conversations": [LONG]})

    assert len(fault.words) < 200


def test_hostile_value_is_made_safe() -> None:
    (fault,) = faults({"role": "\x1b[31m\n::error::\u202e", "content": "1"})

    assert fault[0] == ("messages", 0, "role")
    assert fault[1].startswith(r'role is "\x1b[31m\x0a::error::\u202e"; expected system, user, ')


def test_faults_are_at_most_so_many() -> None:
    assert len(faults(*["x"] * (MAX_FAULTS - 1))) == MAX_FAULTS - 1
    assert len(faults(*["x"] * 10_000)) == MAX_FAULTS


def test_what_misses_several_keys_is_one_fault() -> None:
    call = {"role": "assistant", "tool_calls": [{}]}

    assert faults(call) == [
        (("messages", 0, "tool_calls", 0), "tool call 1 has no id and no type and no function")
    ]


@given(st.text(max_size=70))
@settings(deadline=None)
def test_both_validators_read_a_name_alike(name: str) -> None:
    example = {"messages": [ANSWER], "tools": [{"type": "function", "function": {"name": name}}]}

    assert SHAPE.is_valid(example) == (not SHAPE.faults(example))


@pytest.mark.parametrize("name", ["look\n", "look\r\n", "\nlook", "look up", "é", "", "x" * 65, "٣"])
def test_name_of_a_function_is_plain(name: str) -> None:
    example = {"messages": [ANSWER], "functions": [{"name": name}]}

    assert not SHAPE.is_valid(example)
    assert len(SHAPE.faults(example)) == 1


# The same words for rule files and configurations.

DOCUMENT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "description": "What it is called."},
        "size": {"enum": ["small", "large"]},
        "limits": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "integer", "minimum": 0},
        },
        "ids": {"type": "array", "items": {"type": "string", "hint": "in quotes"}},
    },
}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, "the file has no key 'name' (What it is called.)"),
        ({"nam": "a", "name": "b"}, "unknown key 'nam' (did you mean 'name'?)"),
        ({"xyz": 1, "name": "b"}, "unknown key 'xyz'"),
        ({"name": 3}, "name is a number; expected a string"),
        ({"name": "a", "size": "tiny"}, 'size is "tiny"; expected small or large'),
        ({"name": "a", "limits": {}}, "limits is empty"),
        ({"name": "a", "limits": {"max": -1}}, "limits.max is -1; expected at least 0"),
        ({"name": "a", "limits": {"max": "1"}}, "limits.max is a string; expected a whole number"),
        ({"name": "a", "ids": ["a", 1]}, "ids.1 is a number; expected a string (in quotes)"),
    ],
)
def test_document_is_judged_by_its_keys(document: dict[str, Any], problem: str) -> None:
    assert list(schema_problems(DOCUMENT, document)) == [problem]


def test_sound_document_has_no_problems() -> None:
    assert (
        list(schema_problems(DOCUMENT, {"name": "a", "size": "small", "limits": {"max": 0}, "ids": []})) == []
    )
