"""Examples written in another format: words, roles, order and images are kept, or the loss is said."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import pytest
from forms import BARE, FORMS, HUMAN, Example, answered, asked, gpt, parts
from hypothesis import given
from hypothesis import strategies as st

from pytest_vft.formats.conversation import ChatTurn, Conversation, NotConvertedError, read_conversation
from pytest_vft.formats.registry import data_formats, load_format, load_writer, writers
from pytest_vft.formats.writers.base import OTHER_LOSSES, TRAINING_LOSSES, FileShape
from pytest_vft.formats.writers.survey import Survey, survey

PATH = "images/a.png"
URL = "https://img.example.com/a.png"
CALL = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"lot":7}'}}
TOOLS = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]
CHAT = {
    "messages": [
        {"role": "system", "content": "Name the fruit."},
        {"role": "user", "content": parts("Which is it?", {"type": "image_url", "image_url": {"url": URL}})},
        {"role": "assistant", "content": "A pear."},
    ]
}


def read(example: Example, name: str = "openai") -> Conversation:
    return read_conversation(load_format(name), example)


def written(example: Example, to: str, *, read_as: str = "openai", shape: FileShape | None = None) -> Any:
    """Return *example* in the format *to*, and the kinds of its losses."""
    conversation = read(example, read_as)
    shape = survey(conversation).shape(shape or FileShape())
    result = load_writer(to).write(conversation, shape)
    return result.example, sorted(result.losses)


def with_answers(*weights: int | None) -> Example:
    """Return an example with an answer for each of *weights*."""
    messages: list[Example] = []
    for number, weight in enumerate(weights):
        said = {} if weight is None else {"weight": weight}
        messages += [asked(f"Question {number}?"), {**answered(f"Answer {number}."), **said}]
    return {"messages": messages}


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("openai", CHAT),
        (
            "trl",
            {
                "messages": [
                    {"role": "system", "content": parts("Name the fruit.")},
                    {"role": "user", "content": parts("Which is it?", BARE)},
                    {"role": "assistant", "content": parts("A pear.")},
                ],
                "images": [URL],
            },
        ),
        (
            "llamafactory",
            {
                "messages": [
                    {"role": "system", "content": "Name the fruit."},
                    asked("Which is it?<image>"),
                    answered("A pear."),
                ],
                "images": [URL],
            },
        ),
        (
            "sharegpt",
            {
                "conversations": [
                    {"from": "system", "value": "Name the fruit."},
                    {"from": "human", "value": "Which is it?<image>"},
                    gpt("A pear."),
                ],
                "images": [URL],
            },
        ),
        (
            "swift",
            {
                "messages": [
                    {"role": "system", "content": "Name the fruit."},
                    asked("Which is it?<image>"),
                    answered("A pear."),
                ],
                "images": [URL],
            },
        ),
        (
            "axolotl",
            {
                "messages": [
                    {"role": "system", "content": parts("Name the fruit.")},
                    {"role": "user", "content": parts("Which is it?", {"type": "image", "url": URL})},
                    {"role": "assistant", "content": parts("A pear.")},
                ]
            },
        ),
        (
            "gemini",
            {
                "systemInstruction": {"role": "system", "parts": [{"text": "Name the fruit."}]},
                "contents": [
                    {
                        "role": "user",
                        "parts": [
                            {"text": "Which is it?"},
                            {"fileData": {"mimeType": "image/png", "fileUri": URL}},
                        ],
                    },
                    {"role": "model", "parts": [{"text": "A pear."}]},
                ],
            },
        ),
        (
            "bedrock",
            {
                "schemaVersion": "bedrock-conversation-2024",
                "system": [{"text": "Name the fruit."}],
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"text": "Which is it?"},
                            {"image": {"format": "png", "source": {"s3Location": {"uri": URL}}}},
                        ],
                    },
                    {"role": "assistant", "content": [{"text": "A pear."}]},
                ],
            },
        ),
    ],
)
def test_a_chat_in_each_format(to: str, expected: Example) -> None:
    assert written(CHAT, to) == (expected, [])


def test_a_chat_without_images_has_the_column_of_images() -> None:
    """The loader takes the columns from the first lines."""
    for to in ("trl", "llamafactory", "sharegpt", "swift"):
        assert written(with_answers(None), to)[0]["images"] == []


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (
            "trl",
            {
                "prompt": [{"role": "user", "content": parts("Which is lot 7?")}],
                "chosen": [{"role": "assistant", "content": parts("7")}],
                "rejected": [{"role": "assistant", "content": parts("?")}],
                "images": [],
            },
        ),
        (
            "llamafactory",
            {
                "messages": [asked("Which is lot 7?")],
                "chosen": answered("7"),
                "rejected": answered("?"),
                "images": [],
            },
        ),
        (
            "sharegpt",
            {
                "conversations": [{"from": "human", "value": "Which is lot 7?"}],
                "chosen": gpt("7"),
                "rejected": gpt("?"),
                "images": [],
            },
        ),
        (
            "swift",
            {"messages": [asked("Which is lot 7?"), answered("7")], "rejected_response": "?", "images": []},
        ),
        (
            "bedrock",
            {
                "schemaVersion": "bedrock-conversation-2024",
                "messages": [
                    {"role": "user", "content": [{"text": "Which is lot 7?"}]},
                    {
                        "role": "assistant",
                        "candidates": [
                            {"content": [{"text": "7"}], "preferenceLabel": "preferred"},
                            {"content": [{"text": "?"}], "preferenceLabel": "non-preferred"},
                        ],
                    },
                ],
            },
        ),
    ],
)
def test_two_answers_in_each_format(to: str, expected: Example) -> None:
    example = FORMS["openai-preference"].example(7, "")
    del example["input"]["messages"][0]

    assert written(example, to, read_as="openai-preference") == (expected, [])


def test_another_answer_is_a_loss_or_refused() -> None:
    example = FORMS["openai-preference"].example(7, "")

    assert written(example, "openai", read_as="openai-preference")[1] == ["preferences"]
    with pytest.raises(NotConvertedError, match="one answer; expected two"):
        written(CHAT, "openai-preference")


def test_one_answer_among_examples_with_two_is_refused() -> None:
    for to in ("trl", "llamafactory", "swift"):
        with pytest.raises(NotConvertedError, match="as in other examples"):
            load_writer(to).write(read(CHAT), FileShape(preferences=True))


@pytest.mark.parametrize(
    ("to", "weights", "losses"),
    [
        ("openai", (0, None), []),
        ("swift", (0, None), []),
        ("trl", (0, None), []),
        ("trl", (0, 0, 1), []),
        ("llamafactory", (0, None), []),
        ("trl", (0, 1, 1), ["weight"]),
        ("llamafactory", (1, 0), ["weight"]),
        ("axolotl", (0, 1), ["weight"]),
        ("gemini", (0, 1), ["weight"]),
        ("bedrock", (0, 1), ["weight"]),
        ("axolotl", (1, 1), []),
    ],
)
def test_answers_that_are_not_trained_on(to: str, weights: Sequence[int | None], losses: list[str]) -> None:
    assert written(with_answers(*weights), to)[1] == losses


def test_only_the_last_answer_is_the_completion() -> None:
    example, _ = written(with_answers(0, None), "trl")

    assert example["completion"] == [{"role": "assistant", "content": parts("Answer 1.")}]
    assert [message["role"] for message in example["prompt"]] == ["user", "assistant", "user"]
    assert [turn.trained for turn in read(example, "trl").turns] == [None, False, None, None]


def test_the_loss_of_swift_is_the_weight() -> None:
    example, _ = written(with_answers(0, 1), "swift")

    assert [message.get("loss") for message in example["messages"]] == [None, False, None, True]
    assert written(example, "openai", read_as="swift") == (with_answers(0, 1), [])


def test_answers_of_loss_zero_are_not_trained_on() -> None:
    """ms-swift tells values of loss by their truth."""
    turns = [
        asked("Which lot?"),
        {**answered("Lot 7."), "loss": 0},
        asked("And?"),
        {**answered("8"), "loss": 2},
    ]

    assert [turn.trained for turn in read({"messages": turns}, "swift").turns] == [None, False, None, True]
    with pytest.raises(NotConvertedError, match="expected 0 or 1"):
        read({"messages": [turns[0], {**turns[1], "weight": 0.5}]}, "swift")


def called() -> Example:
    return {
        "messages": [
            asked("Which lot?"),
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "Lot 7.", "tool_call_id": "call_1"},
            answered("Lot 7."),
        ],
        "tools": TOOLS,
    }


@pytest.mark.parametrize("to", ["openai", "llamafactory", "sharegpt", "swift"])
def test_tools_and_calls_come_back(to: str) -> None:
    example, losses = written(called(), to)

    assert losses == []
    assert written(example, "openai", read_as=to)[0] == called()


def test_tools_are_lost() -> None:
    pictured = called()
    pictured["messages"][0] = CHAT["messages"][1]

    assert written(called(), "trl")[1] == []
    assert written(called(), "trl", shape=FileShape(images=True))[1] == ["tools"]
    assert [written(pictured, to)[1] for to in ("trl", "axolotl")] == [["tools"]] * 2
    without = FileShape(drops=frozenset({"tools"}))
    assert [written(pictured, to, shape=without)[1] for to in ("gemini", "bedrock")] == [["tools"]] * 2
    assert written(pictured, "trl")[0]["tools"] == []


def test_an_answer_around_a_lost_call_stays_one_message() -> None:
    example = called()
    call = next(message for message in example["messages"] if message.get("tool_calls"))
    call["content"] = "Let me look."

    messages = written(example, "axolotl")[0]["messages"]

    assert [message["role"] for message in messages] == ["user", "assistant"]
    assert [part["text"] for part in messages[1]["content"]] == ["Let me look.", "Lot 7."]


def test_tools_are_lost_once_in_an_example() -> None:
    assert load_writer("axolotl").write(read(called()), FileShape()).losses == {"tools": 1}


@pytest.mark.parametrize(("tag", "to"), [("<video>", "swift"), ("<audio>", "swift"), ("<audio>", "bedrock")])
def test_a_tag_that_the_target_leaves_as_a_word_is_written(tag: str, to: str) -> None:
    example = {"messages": [asked(f"Is {tag} a tag?"), answered("Yes.")]}

    assert read(written(example, to)[0], to).turns[0].texts == [f"Is {tag} a tag?"]


def look(id_: str, name: str = "find", arguments: str = '{"lot":7}') -> Example:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(id_: str, content: Any = "7") -> Example:
    return {"role": "tool", "tool_call_id": id_, "content": content}


def calling(*calls: Example, results: Sequence[Example] = (), tools: Sequence[Example] = TOOLS) -> Example:
    """Return a chat with *calls* at once, and their *results*."""
    said = {"role": "assistant", "content": "Let me look.", **({"tool_calls": list(calls)} if calls else {})}
    return {"messages": [asked("?"), said, *results, answered("Done.")], "tools": list(tools)}


PARAMETERS = {
    "type": "object",
    "required": ["lot"],
    "additionalProperties": False,
    "properties": {
        "lot": {"type": ["integer", "null"], "minimum": 1},
        "type": {"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "null"}]},
        "many": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
    },
}


@pytest.mark.parametrize("to", ["gemini", "bedrock"])
def test_parallel_calls_and_their_results_come_back(to: str) -> None:
    tools = [
        {"type": "function", "function": {"name": "find", "description": "Finds.", "parameters": PARAMETERS}},
        {"type": "function", "function": {"name": "show", "description": "Shows.", "strict": True}},
    ]
    results = [result("b", "8"), result("a", '{"found": 7}'), result("c", "")]
    calls = look("a"), look("b"), look("c", "show", "{}")
    example = {**calling(*calls, results=results, tools=tools), "tool_choice": "auto"}

    there, losses = written(example, to)

    assert losses == ["ids", "key strict"][to == "bedrock" :]
    again = read(there, to)
    ids = ["call_1", "call_2", "call_3"] if to == "gemini" else ["a", "b", "c"]
    assert [(call.id, call.name, call.arguments) for call in again.turns[1].calls] == [
        (ids[0], "find", '{"lot":7}'),
        (ids[1], "find", '{"lot":7}'),
        (ids[2], "show", "{}"),
    ]
    assert {turn.call_id: turn.texts[0] for turn in again.turns if turn.role == "tool"} == dict(
        zip(ids, ['{"found": 7}', "8", ""], strict=True)
    )
    first, second = (tool["function"] for tool in again.tools)
    assert (first["name"], first["description"], first["parameters"]) == ("find", "Finds.", PARAMETERS)
    assert second["name"] == "show"
    assert written(written(there, "openai", read_as=to)[0], to)[0] == there


def test_tools_are_written_as_the_pages_show_them() -> None:
    gemini, bedrock = (written(called(), to)[0] for to in ("gemini", "bedrock"))

    assert gemini["contents"][1:3] == [
        {"role": "model", "parts": [{"functionCall": {"name": "find", "args": {"lot": 7}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "find", "response": {"output": "Lot 7."}}}]},
    ]
    assert gemini["tools"][0]["functionDeclarations"][0]["parameters"]["type"] == "OBJECT"
    use = {"toolUseId": "call_1", "name": "find", "input": {"lot": 7}}
    assert bedrock["messages"][1:3] == [
        {"role": "assistant", "content": [{"toolUse": use}]},
        {
            "role": "user",
            "content": [{"toolResult": {"toolUseId": "call_1", "content": [{"text": "Lot 7."}]}}],
        },
    ]
    assert bedrock["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]["type"] == "object"


IMAGE = {"type": "image_url", "image_url": {"url": "https://img.example.com/1.png"}}
REFUSED = [
    (calling(look("a", arguments="[7]")), "arguments of a call of find are no JSON object"),
    (calling(look("a", arguments="lot 7")), "arguments of a call of find are no JSON object"),
    (calling(look("a", arguments=f'{{"n":{10**30}}}')), "a number beyond 64 bits"),
    (calling(look("a", arguments='{"n":1,"n":2}')), "have a key twice"),
    (calling(look("a"), results=[result("a", [IMAGE])]), "result of a tool has an image"),
    (calling(look("a"), results=[result("b")]), "has the id b, which no call before it has"),
]
SCHEMAS = [
    ({"type": "object", "oneOf": []}, 'of the tool f have "oneOf", which the format gemini'),
    ({"properties": {"a": {"enum": [1]}}}, "an enum with a value that is no string"),
    ({"properties": {"a": {"type": ["string", "integer"]}}}, "f have type "),
    ({"items": 7}, "a schema that is no object"),
]


def test_what_a_call_cannot_say_is_refused() -> None:
    for example, words in REFUSED:
        for to in ("gemini", "bedrock"):
            with pytest.raises(NotConvertedError, match=words):
                written(example, to)
    with pytest.raises(NotConvertedError, match="two calls of tools have the id a"):
        written(calling(look("a"), look("a")), "bedrock")


@pytest.mark.parametrize(("schema", "words"), SCHEMAS)
def test_parameters_that_gemini_cannot_have_are_refused(schema: Example, words: str) -> None:
    function = {"name": "f", "description": "F.", "parameters": schema}

    with pytest.raises(NotConvertedError, match=words):
        written(calling(tools=[{"type": "function", "function": function}]), "gemini")


def test_settings_of_a_request_are_lost_and_said() -> None:
    asking = {"contents": [{"parts": [{"text": "?"}]}, {"role": "model", "parts": [{"text": "!"}]}]}
    config = {"functionCallingConfig": {"mode": "ANY"}}
    example = {**asking, "toolConfig": config, "generationConfig": {"temperature": 0}}

    conversation = read(example, "gemini")

    assert [turn.role for turn in conversation.turns] == ["user", "assistant"]  # the default of the service
    assert conversation.losses == {"key toolConfig": 1, "key generationConfig": 1}
    assert conversation.others == {}
    with pytest.raises(NotConvertedError, match="is no function"):
        written({**asking, "tools": [{"googleSearch": {}}]}, "bedrock", read_as="gemini")


def test_amazon_wants_a_system_message_in_all_examples_or_in_none() -> None:
    with pytest.raises(NotConvertedError, match="add one to each, or remove all"):
        load_writer("bedrock").write(read({"messages": [asked("?"), answered("!")]}), FileShape(system=True))


def test_refusals() -> None:
    refused = {
        "messages": [
            asked("Who is it?"),
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "I do not know people."}]},
        ]
    }

    assert written(refused, "openai") == (refused, [])
    example, losses = written(refused, "llamafactory")
    assert (losses, example["messages"][1]["content"]) == (["refusals"], "I do not know people.")
    example, losses = written(refused, "openai", shape=FileShape(drops=frozenset({"refusal"})))
    assert (losses, example["messages"][1]["content"]) == (["refusals"], parts("I do not know people."))


def test_names_and_details_are_lost_in_trainers() -> None:
    named: Any = {
        "messages": [
            {
                "role": "user",
                "name": "ann",
                "content": [{"type": "image_url", "image_url": {"url": URL, "detail": "low"}}],
            },
            answered("A pear."),
        ]
    }

    assert written(named, "openai") == (named, [])
    assert written(named, "trl")[1] == ["detail", "name"]
    example, losses = written(named, "gemini")
    assert losses == ["name"]
    assert example["contents"][0]["parts"][0]["mediaResolution"] == {"level": "MEDIA_RESOLUTION_LOW"}


def test_messages_of_one_role_become_one() -> None:
    twice = {"messages": [asked("This:"), CHAT["messages"][1], answered("A pear.")]}

    example, losses = written(twice, "llamafactory")

    assert losses == ["turns"]
    assert example["messages"] == [asked("This:\nWhich is it?<image>"), answered("A pear.")]


def test_a_late_system_message_changes_roles() -> None:
    late = {"messages": [asked("Which?"), {"role": "system", "content": "Be brief."}, answered("A pear.")]}

    assert written(late, "trl")[1] == []
    assert written(late, "openai")[1] == []
    assert [written(late, to)[1] for to in ("llamafactory", "bedrock")] == [["roles"]] * 2
    example, losses = written(late, "openai", shape=FileShape(one_system=True))
    assert (losses, example["messages"][0]["role"]) == (["roles"], "system")


def test_a_developer_is_a_system_message() -> None:
    developer = {"messages": [{"role": "developer", "content": "Be brief."}, *with_answers(1)["messages"]]}

    assert written(developer, "trl")[0]["messages"][0]["role"] == "system"


def test_keys_that_a_provider_refuses_are_dropped() -> None:
    example = {**called(), "parallel_tool_calls": False}
    shape = FileShape(drops=frozenset({"parallel_tool_calls"}))

    assert written(example, "openai") == (example, [])
    assert written(example, "openai", shape=shape) == (called(), ["key parallel_tool_calls"])


def test_a_provider_without_tools_gets_no_calls() -> None:
    example, losses = written(called(), "openai", shape=FileShape(drops=frozenset({"tools"})))

    assert losses == ["tools"]
    assert "tools" not in example
    assert example["messages"] == [asked("Which lot?"), answered("Lot 7.")]


def test_a_format_without_tools_has_neither_calls_nor_results() -> None:
    example, losses = written(called(), "axolotl")

    assert losses == ["tools"]
    assert written(example, "openai", read_as="axolotl")[0]["messages"] == [
        {"role": role, "content": [{"type": "text", "text": text}]}
        for role, text in (("user", "Which lot?"), ("assistant", "Lot 7."))
    ]


def test_contents_of_parts() -> None:
    example, _ = written(CHAT, "openai", shape=FileShape(parts=True))

    assert [message["content"][0]["type"] for message in example["messages"]] == ["text"] * 3


@pytest.mark.parametrize(
    ("example", "words", "read_as", "to"),
    [
        ({"messages": [asked("Is <image> a tag?"), answered("Yes.")]}, "<image>", "openai", "llamafactory"),
        ({"messages": [asked("Is <video> a tag?"), answered("Yes.")]}, "a video", "openai", "llamafactory"),
        ({"messages": [asked("Which?")]}, "no answer", "openai", "trl"),
        ({"messages": []}, "is empty", "openai", "trl"),
        ({"conversations": [HUMAN, gpt("A.")]}, "0 images for 1", "sharegpt", "trl"),
        ({"messages": [asked("?")], "videos": ["a.mp4"]}, '"videos"', "llamafactory", "openai"),
        ({"messages": [asked("?")], "objects": {"ref": []}}, '"objects"', "swift", "openai"),
        ({"messages": [{**asked("?"), "loss_scale": 2}]}, '"loss_scale"', "swift", "openai"),
        ({"messages": [{"role": "tool_call", "content": "find"}]}, "not JSON", "swift", "openai"),
        ({"messages": [{"role": "tool_call", "content": "[7]"}]}, "has no name", "swift", "openai"),
        ({"messages": [asked("?")], "tools": "find"}, "tools are not JSON", "swift", "openai"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "is video", "swift", "trl"),
    ],
)  # fmt: skip
def test_what_is_not_converted(example: Example, words: str, read_as: str, to: str) -> None:
    shape = FileShape(last_answer=True)
    with pytest.raises(NotConvertedError, match=words):
        load_writer(to).write(read(example, read_as), shape)


def test_keys_of_no_meaning_are_lost_with_a_count() -> None:
    example = {"id": 7, "image": PATH, "conversations": [{"from": "human", "value": "<image>?"}, gpt("A.")]}

    assert read(example, "sharegpt").losses == {"key id": 1}


def test_a_survey_is_that_of_all_examples() -> None:
    examples = [read(with_answers(0, 1)), read(with_answers(1)), read(called())]

    total = reduce(Survey.joined, map(survey, examples))

    assert total == Survey(untrained=True, last_only=False, tools=True)
    assert survey(examples[0]).joined(survey(examples[1])).shape(FileShape()).last_answer


def test_each_format_has_a_writer() -> None:
    assert set(data_formats()) <= set(writers())


def test_the_description_is_that_of_the_reader() -> None:
    """LLaMA-Factory reads the files by dataset_info.json."""
    preference = FORMS["openai-preference"].example(7, "")
    for to in ("llamafactory", "sharegpt"):
        for example, name in ((called(), "openai"), (preference, "openai-preference")):
            shape = survey(read(example, name)).shape(FileShape())
            described = load_writer(to).side_files(["train.jsonl"], shape)["dataset_info.json"]["train"]
            columns, tags = described["columns"], described["tags"]
            layout = {"formatting": described["formatting"], **columns, **tags}

            line = load_writer(to).write(read(example, name), shape).example

            again = read_conversation(load_format("llamafactory", layout), line)
            assert line.keys() == set(columns.values())
            assert [turn.role for turn in again.everything] == [
                turn.role for turn in read(example, name).everything
            ]


# Any chat

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="<>"), max_size=8)
IMAGE = st.builds(
    lambda number, detail: {
        "type": "image_url",
        "image_url": {"url": f"https://img.example.com/{number}.png", **detail},
    },
    st.integers(0, 9),
    st.sampled_from([{}, {}, {"detail": "low"}]),
)
TEXT = st.builds(lambda text: {"type": "text", "text": text}, WORDS)
PLAIN = st.one_of(WORDS, st.lists(TEXT, min_size=1, max_size=3))
MESSAGE = st.one_of(
    st.builds(lambda content: {"role": "user", "content": content}, PLAIN),
    st.builds(
        lambda content: {"role": "user", "content": content},
        st.lists(st.one_of(TEXT, IMAGE), min_size=1, max_size=4),
    ),
    st.builds(
        lambda content, more: {"role": "assistant", "content": content, **more},
        PLAIN,
        st.sampled_from([{}, {}, {"weight": 0}, {"weight": 1}, {"name": "ann"}]),
    ),
    st.builds(lambda content: {"role": "system", "content": content}, PLAIN),
)
CHATS = st.builds(
    lambda messages, last: {"messages": [*messages, answered(last)]},
    st.lists(MESSAGE, min_size=1, max_size=5),
    WORDS,
)


def said(turns: Sequence[ChatTurn]) -> list[tuple[str, list[str]]]:
    """Return the roles, and the words and images in order; texts and messages in a row are one."""
    found: list[tuple[str, list[str]]] = []
    for turn in turns:
        pieces: list[tuple[str, str]] = []
        for piece in turn.pieces:
            kind, value = ("text", piece) if isinstance(piece, str) else ("image", piece.reference)
            if pieces and kind == "text" == pieces[-1][0]:
                pieces[-1] = kind, f"{pieces[-1][1]}\n{value}"
            else:
                pieces.append((kind, value))
        found.append((turn.role, [value for _, value in pieces if value]))
    return found


def merged(turns: Sequence[tuple[str, list[str]]]) -> list[tuple[str, str]]:
    """Return *turns* with those of one role in a row as one, and system messages first."""
    found: list[tuple[str, str]] = []
    for role, pieces in sorted(turns, key=lambda turn: turn[0] != "system"):
        words = "\n".join(pieces).replace("\n", "")
        if found and found[-1][0] == role:
            found[-1] = role, found[-1][1] + words
        else:
            found.append((role, words))
    return found


def trained(conversation: Conversation) -> list[bool]:
    return [turn.trained is not False for turn in conversation.turns if turn.role == "assistant"]


@pytest.mark.parametrize("to", [name for name in data_formats() if name != "openai-preference"])
@given(CHATS)
def test_a_chat_comes_back_or_the_loss_is_said(to: str, example: Example) -> None:
    conversation = read(example)
    shape = survey(conversation).shape(FileShape())

    result = load_writer(to).write(conversation, shape)

    assert result.losses.keys() <= {*TRAINING_LOSSES, *OTHER_LOSSES}
    again = read(result.example, to)
    before, after = said(conversation.turns), said(again.turns)
    if result.losses.keys() & {"turns", "roles"} or to in ("gemini", "bedrock"):
        assert merged(after) == merged(before)
    else:
        assert after == before
    if not {"weight", "turns"} & result.losses.keys() and (to == "openai" or not shape.last_answer):
        assert trained(again) == trained(conversation)
    details = [image.detail for turn in conversation.turns for image in turn.images]
    kept = [image.detail for turn in again.turns for image in turn.images]
    assert "detail" in result.losses or kept == details
