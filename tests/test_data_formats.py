"""Files as trainers have them: each form is read to the chat that it means, and findings have its places."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from forms import (
    BARE,
    FORMS,
    Example,
    answered,
    checked,
    examples_of,
    found,
    gpt,
    images,
    in_s3,
    parts,
    png,
    write,
)
from hypothesis import given
from hypothesis import strategies as st

from pytest_vft import lint, show
from pytest_vft.formats.base import Chat, pointer
from pytest_vft.formats.registry import data_formats, load_format


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", FORMS)
def test_sound_files_are_silent_and_their_format_is_found_out(name: str) -> None:
    write(*examples_of(name))

    report = checked()

    assert found(report) == []
    assert (report.files[0].data_format, report.provider) == (FORMS[name].data_format, FORMS[name].provider)
    assert report.files[0].images == (0 if name == "openai-preference" else 12)
    assert report.files[0].answered == 12
    assert [note for note in report.notes if not note.startswith("lengths of examples")] == []


def planted(name: str, change: Callable[[Example], None]) -> list[tuple[str, int | None, str]]:
    """Return the findings on a file in which the third example has one more fault."""
    examples = json.loads(json.dumps(examples_of(name)))
    change(examples[2])
    write(*examples)
    return found(checked())


SHAPE = "example/invalid-shape"
EMPTY = "message/empty-content"
KEY = "message/unknown-key"
ROLE = "message/unsupported-role"
F_DATA = "/contents/0/parts/0/fileData"
B_PATH = ("messages", 0, "content", 0, "image", "source")
B_SOURCE = "/messages/0/content/0/image/source"
A_PART = "/messages/1/content/0"
B_LABEL = ("messages", 1, "candidates", 0, "preferenceLabel")


def put(*path: str | int, value: Any) -> Callable[[Example], None]:
    """Return a function that sets the value at *path* of an example; ... removes it."""

    def change(example: Any) -> None:
        for key in path[:-1]:
            example = example[key]
        if value is ...:
            del example[path[-1]]
        else:
            example[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("name", "change", "rule", "place"),
    [
        ("sharegpt", put("conversations", 1, "value", value=" "), EMPTY, "/conversations/1"),
        ("sharegpt", put("conversations", 0, "from", value="humen"), SHAPE, "/conversations/0/from"),
        ("sharegpt", put("conversations", 1, "value", value=...), SHAPE, "/conversations/1"),
        ("sharegpt", put("conversations", 1, value=7), SHAPE, "/conversations/1"),
        ("sharegpt", put("images", 0, value=7), SHAPE, "/images/0"),
        ("sharegpt", put("conversations", value="none"), SHAPE, "/conversations"),
        ("sharegpt ranking", put("rejected", "value", value=7), SHAPE, "/rejected/value"),
        ("llamafactory", put("messages", 0, "role", value="sistem"), SHAPE, "/messages/0/role"),
        ("llamafactory", put("messages", 2, "content", value=""), EMPTY, "/messages/2"),
        ("alpaca", put("output", value=""), EMPTY, "/output"),
        ("alpaca", put("instruction", value=["a"]), SHAPE, "/instruction"),
        ("alpaca", put("history", value=[["a", 1]]), SHAPE, "/history/0/1"),
        ("alpaca ranking", put("chosen", value=""), EMPTY, "/chosen"),
        ("trl", put("messages", 0, "role", value="developer"), SHAPE, "/messages/0/role"),
        ("trl completion", put("completion", 0, "content", value=""), EMPTY, "/completion/0"),
        ("trl completion", put("prompt", 0, "content", value=7), SHAPE, "/prompt/0/content"),
        ("trl preference", put("rejected", value=7), SHAPE, "/rejected"),
        ("swift query", put("response", value=" "), EMPTY, "/response"),
        ("swift query", put("query", value=7), SHAPE, "/query"),
        ("swift preference", put("messages", 1, "role", value="modell"), SHAPE, "/messages/1/role"),
        ("openai-preference", put("preferred_output", 0, "content", value=""), EMPTY, "/preferred_output/0"),
        ("openai-preference", put("input", "messages", 1, value=7), SHAPE, "/input/messages/1"),
        ("openai-preference", put("non_preferred_output", value=...), SHAPE, ""),
        ("axolotl path", put("messages", 1, "content", 0, "path", value=7), SHAPE, f"{A_PART}/path"),
        ("axolotl path", put("messages", 1, "role", value="humen"), ROLE, "/messages/1"),
        ("axolotl path", put("messages", 2, "content", value=""), EMPTY, "/messages/2"),
        ("axolotl path", put("messages", 1, "content", 0, "pth", value="a"), KEY, f"{A_PART}/pth"),
        ("gemini", put("contents", 0, "role", value="usr"), SHAPE, "/contents/0/role"),
        ("gemini", put("contents", 1, "parts", 0, "text", value=" "), EMPTY, "/contents/1"),
        ("gemini", put("contents", 1, "parts", 0, value={}), SHAPE, "/contents/1/parts/0"),
        ("gemini", put("contents", 1, "parts", value="a"), SHAPE, "/contents/1/parts"),
        ("gemini", put("contents", 0, "parts", 0, "fileData", "fileUri", value=...), SHAPE, F_DATA),
        ("gemini", put("contents", 0, "parts", 0, "fileData", "uri", value="a"), KEY, f"{F_DATA}/uri"),
        ("gemini", put("contents", 0, "part", value=[]), KEY, "/contents/0/part"),
        ("gemini", put("systemInstruction", "parts", 0, "text", value=" "), EMPTY, "/systemInstruction"),
        ("gemini", put("systemInstruction", value="Read."), SHAPE, "/systemInstruction"),
        ("bedrock", put("messages", 0, "role", value="human"), SHAPE, "/messages/0/role"),
        ("bedrock", put("messages", 1, "content", 0, "text", value=" "), EMPTY, "/messages/1"),
        ("bedrock", put("messages", 1, "content", value="a"), SHAPE, "/messages/1/content"),
        ("bedrock", put("messages", 1, "content", 0, value={}), SHAPE, "/messages/1/content/0"),
        ("bedrock", put("messages", 1, "weight", value=1), KEY, "/messages/1/weight"),
        ("bedrock", put("messages", 0, "content", 0, "image", "source", value={}), SHAPE, B_SOURCE),
        ("bedrock", put(*B_PATH, "s3Location", "url", value="a"), KEY, f"{B_SOURCE}/s3Location/url"),
        ("bedrock", put("system", value="Read."), SHAPE, "/system"),
        ("bedrock", put("system", 0, "text", value=" "), EMPTY, "/system"),
        ("bedrock preference", put(*B_LABEL, value="best"), SHAPE, pointer(B_LABEL)),
    ],
)  # fmt: skip
def test_planted_fault_is_found_at_its_place(
    name: str, change: Callable[[Example], None], rule: str, place: str
) -> None:
    assert planted(name, change) == [(rule, 3, place)]


@pytest.mark.parametrize(
    ("name", "pointer"),
    [
        ("sharegpt", "/images/0"),
        ("llava", "/image"),
        ("llamafactory", "/images/0"),
        ("llamafactory, one image", "/images"),
        ("alpaca ranking", "/images/0"),
        ("trl", "/images/0"),
        ("trl, strings", "/image"),
        ("trl preference", "/images/0"),
        ("swift query", "/images/0"),
        ("swift parts", "/messages/0/content/0"),
        ("axolotl path", "/messages/1/content/0"),
        ("gemini", "/contents/0/parts/0"),
        ("gemini, underscores", "/contents/0/parts/0"),
        ("bedrock", "/messages/0/content/0"),
        ("bedrock preference", "/messages/0/content/0"),
    ],
)
def test_faulty_image_is_found_at_its_place(name: str, pointer: str) -> None:
    images()
    Path("images/2.png").write_bytes(b"no image")
    sound = [FORMS[name].example(n, f"images/{n}.png") for n in range(12)]
    write(*sound)

    assert found(checked()) == [("image/undecodable", 3, pointer)]


def test_videos_and_audios_are_known_and_counted() -> None:
    examples = [
        {**one, "videos": ["a.mp4", "b.mp4"], "audios": "c.wav"} for one in examples_of("swift query")
    ]
    write(*examples)

    report = checked()

    assert found(report) == []
    assert report.notes == ("not checked: 36 video, audio or document files; vft checks texts and images",)


def test_an_answer_without_loss_is_no_repeated_answer() -> None:
    shot = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "1", "loss": False}]
    examples = examples_of("swift parts")
    write(*({"messages": [*shot, *one["messages"]]} for one in examples))

    assert found(checked()) == []

    shot[1]["loss"] = True
    write(*({"messages": [*shot, *one["messages"]]} for one in examples))
    assert found(checked()) == [("dataset/repeated-answer", 1, "/messages/1")]


def test_an_answer_that_is_only_read_is_no_repeated_answer() -> None:
    shot = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"}]
    turns = [
        [
            {"role": "user", "content": [{"type": "text", "text": f"{n}?"}]},
            {"role": "assistant", "content": f"{n}"},
        ]
        for n in range(12)
    ]
    worse = [{"role": "assistant", "content": "None."}]
    selected = ["dataset/repeated-answer"]

    write(*({"prompt": [*shot, ask], "completion": [answer]} for ask, answer in turns))
    assert found(checked(select=selected)) == []
    write(*({"prompt": [*shot, ask], "chosen": [answer], "rejected": worse} for ask, answer in turns))
    assert found(checked(select=selected)) == []

    write(*({"prompt": shot[:1], "completion": [*shot[1:], *turn]} for turn in turns))
    assert found(checked(select=selected)) == [("dataset/repeated-answer", 1, "/completion/0")]


def test_parts_with_values_are_read_and_placed() -> None:
    value = [{"type": "image", "value": "a.png"}, {"type": "text", "value": "Which lot?"}]
    example = {"conversations": [{"from": "human", "value": value}, gpt("1")]}
    data_format = load_format("sharegpt")

    chat = data_format.read(example)

    assert pieces_of(chat) == [
        Turn("user", [{"path": "a.png"}, "Which lot?"]),
        Turn("assistant", ["1"]),
    ]
    place = data_format.place(example, ("messages", 0, "content", 0))
    assert place == ("conversations", 0, "value", 0)


# What is written is read.

Piece = str | Example
texts = st.text(min_size=1).filter(lambda text: "<image>" not in text)
paths = st.text("abc/.é ", min_size=1).filter(lambda path: "//" not in path)


class Turn(NamedTuple):
    """A message that the test writes: its role in a chat, texts, and images as {"path": ...}."""

    role: str
    pieces: Sequence[Piece]


def pieces_of(chat: Chat) -> list[Turn]:
    """Return the messages of *chat* as the test writes them."""
    turns = []
    for message in chat.messages:
        shown = {image.part: {"path": image.reference} for image in message.images if image.local}
        rest = iter(message.texts)
        number = len(message.texts) + len(shown)
        turns.append(Turn(message.role, [shown.get(part) or next(rest) for part in range(number)]))
    return turns


def with_images(most: int = 3) -> st.SearchStrategy[list[Piece]]:
    """Return lists of texts and images, with a text at least and no two texts in a row."""
    image = st.builds(lambda path: {"path": path}, paths)
    lists: st.SearchStrategy[list[Piece]] = st.lists(texts | image, min_size=1, max_size=most)
    return lists.filter(
        lambda pieces: (
            any(isinstance(one, str) for one in pieces)
            and not any(isinstance(a, str) and isinstance(b, str) for a, b in pairwise(pieces))
        )
    )


def _chats(draw: st.DrawFn) -> list[Turn]:
    turns = [Turn("system", [draw(texts)])] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        turns += [Turn("user", draw(with_images())), Turn("assistant", [draw(texts)])]
    return turns


chats = st.composite(_chats)()


def tagged(turn: Turn) -> str:
    return "".join(piece if isinstance(piece, str) else "<image>" for piece in turn.pieces)


def listed(turns: Sequence[Turn]) -> list[str]:
    return [piece["path"] for turn in turns for piece in turn.pieces if isinstance(piece, dict)]


def bare(turn: Turn) -> list[Example]:
    return parts(*(piece if isinstance(piece, str) else BARE for piece in turn.pieces))


def as_sharegpt(turns: Sequence[Turn]) -> Example:
    roles = {"user": "human", "assistant": "gpt", "system": "system"}
    return {
        "conversations": [{"from": roles[turn.role], "value": tagged(turn)} for turn in turns],
        "images": listed(turns),
    }


def as_messages(turns: Sequence[Turn]) -> Example:
    return {
        "messages": [{"role": turn.role, "content": tagged(turn)} for turn in turns],
        "images": listed(turns),
    }


def as_alpaca(turns: Sequence[Turn]) -> Example:
    system = {"system": tagged(turns[0])} if turns[0].role == "system" else {}
    rest = [tagged(turn) for turn in turns if turn.role != "system"]
    history = [list(pair) for pair in zip(rest[:-2:2], rest[1:-2:2], strict=True)]
    last = {"instruction": rest[-2], "output": rest[-1]}
    return {**system, "history": history, **last, "images": listed(turns)}


def as_query(turns: Sequence[Turn]) -> Example:
    example = as_alpaca(turns)
    asked, answer = example.pop("instruction"), example.pop("output")
    return {**example, "query": asked, "response": answer}


def as_swift_parts(turns: Sequence[Turn]) -> Example:
    def part(piece: Piece) -> Piece:
        return piece if isinstance(piece, str) else {"type": "image", "image": piece["path"]}

    return {
        "messages": [
            {"role": turn.role, "content": parts(*map(part, turn.pieces))}
            if turn.role == "user"
            else {"role": turn.role, "content": tagged(turn)}
            for turn in turns
        ]
    }


def as_axolotl(turns: Sequence[Turn]) -> Example:
    def part(piece: Piece) -> Piece:
        return piece if isinstance(piece, str) else {"type": "image", **piece}

    return {"messages": [{"role": turn.role, "content": parts(*map(part, turn.pieces))} for turn in turns]}


def as_gemini(turns: Sequence[Turn]) -> Example:
    def content(turn: Turn) -> Example:
        return {
            "role": {"assistant": "model"}.get(turn.role, turn.role),
            "parts": [
                {"text": one} if isinstance(one, str) else {"fileData": png(fileUri=one["path"])}
                for one in turn.pieces
            ],
        }

    contents = [content(turn) for turn in turns]
    system = {"systemInstruction": contents.pop(0)} if turns[0].role == "system" else {}
    return {**system, "contents": contents}


def as_bedrock(turns: Sequence[Turn]) -> Example:
    def content(turn: Turn) -> list[Example]:
        return [{"text": one} if isinstance(one, str) else in_s3(one["path"]) for one in turn.pieces]

    messages = [{"role": turn.role, "content": content(turn)} for turn in turns]
    system = {"system": messages.pop(0)["content"]} if turns[0].role == "system" else {}
    return {"schemaVersion": "bedrock-conversation-2024", **system, "messages": messages}


def as_trl(turns: Sequence[Turn]) -> Example:
    return {
        "messages": [{"role": turn.role, "content": bare(turn)} for turn in turns],
        "images": listed(turns),
    }


def as_completion(turns: Sequence[Turn]) -> Example:
    messages = as_trl(turns)["messages"]
    return {"prompt": messages[:-1], "completion": messages[-1:], "images": listed(turns)}


WRITERS: list[tuple[str, Callable[[Sequence[Turn]], Example]]] = [
    ("sharegpt", as_sharegpt),
    ("llamafactory", as_sharegpt),
    ("llamafactory", as_messages),
    ("llamafactory", as_alpaca),
    ("swift", as_messages),
    ("swift", as_query),
    ("trl", as_trl),
    ("trl", as_completion),
]
IN_PARTS: list[tuple[str, Callable[[Sequence[Turn]], Example]]] = [
    ("axolotl", as_axolotl),
    ("gemini", as_gemini),
    ("bedrock", as_bedrock),
    ("swift", as_swift_parts),
]


@given(chats)
def test_what_the_test_writes_is_read_to_the_same_chat(turns: list[Turn]) -> None:
    for name, writer in [*WRITERS, *IN_PARTS]:
        example = json.loads(json.dumps(writer(turns)))
        chat = load_format(name).read(example)

        assert (chat.faults, chat.unknown_keys) == ((), ()), name
        assert pieces_of(chat) == turns, name
        images = sum(isinstance(piece, dict) for turn in turns for piece in turn.pieces)
        in_parts = (name, writer) in IN_PARTS
        assert (chat.placeholders, chat.listed) == ((0, None) if in_parts else (images, images))


@given(chats, texts)
def test_a_second_answer_is_no_part_of_the_conversation(turns: list[Turn], other: str) -> None:
    *prompt, answer = turns
    said = answer.pieces[0]
    written: list[tuple[str, Example]] = [
        ("sharegpt", {**as_sharegpt(prompt), "chosen": gpt(str(said)), "rejected": gpt(other)}),
        ("llamafactory", {**as_messages(prompt), "chosen": answered(str(said)), "rejected": answered(other)}),
        ("swift", {**as_messages(turns), "rejected_response": other}),
        ("swift", {**as_messages(turns), "rejected_response": [answered(other)]}),
        ("swift", {**as_query(turns), "rejected_response": other}),
        (
            "trl",
            {
                "prompt": as_trl(prompt)["messages"],
                "chosen": [answered(str(said))],
                "rejected": [answered(other)],
                "images": listed(turns),
            },
        ),
    ]
    for name, example in written:
        chat = load_format(name).read(example)

        assert (chat.faults, chat.alternatives, chat.total) == ((), 1, len(turns)), name
        assert pieces_of(chat) == [*turns, Turn("assistant", [other])], name


@pytest.mark.parametrize("name", FORMS)
def test_an_example_is_shown_as_it_is_read(name: str) -> None:
    path = write(*examples_of(name))

    shown = show(path, 3)

    finding = "warning example/unsupported-preference" if name == "bedrock preference" else "no findings"
    assert f"\n{finding}\n" in shown
    if name == "openai-preference":
        assert "/non_preferred_output/0  assistant\n  ?" in shown
    else:
        assert "  [image 1] PNG 66x64 RGB, " in shown
        assert ", detail " not in shown
        assert "Which" in shown


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    [
        *("messages", "conversations", "instruction", "input", "output", "history", "system", "query"),
        *("response", "prompt", "completion", "chosen", "rejected", "rejected_response", "rejected_messages"),
        *("images", "image", "videos", "preferred_output", "non_preferred_output"),
        *("contents", "systemInstruction", "system_instruction", "schemaVersion"),
    ]
)
inner = st.sampled_from(
    [
        *("role", "from", "content", "value", "type", "text", "image", "image_url", "path", "url", "bytes"),
        *("user", "human", "gpt", "model", "assistant", "parts", "fileData", "mimeType", "fileUri"),
        *("inlineData", "functionCall", "functionResponse", "name", "toolUse", "toolResult", "toolUseId"),
        *("source", "format", "s3Location", "uri", "candidates", "preferenceLabel", "preferred"),
    ]
)
values = st.recursive(
    json_values | inner,
    lambda one: st.lists(one, max_size=3) | st.dictionaries(inner, one, max_size=4),
    max_leaves=12,
)


@given(json_values | st.dictionaries(keys, values, max_size=5))
def test_any_value_is_read_and_placed(value: Any) -> None:
    for name in data_formats():
        data_format = load_format(name)
        chat = data_format.read(value)

        assert chat.faults or isinstance(value, dict)
        positions = [path for path in chat.unsound if len(path) > 1]
        for path in [*positions, *(("messages", message.position) for message in chat.messages)]:
            data_format.place(value, path)
        for message in chat.messages:
            for image in message.images:
                data_format.place(value, ("messages", message.position, "content", image.part))


def calls_in_a_row() -> Example:
    call = {"role": "tool_call", "content": '{"name": "f", "arguments": {}}'}
    results = [{"role": "tool_response", "content": result} for result in "12"]
    messages = [{"role": "user", "content": "Both?"}, call, call, *results, answered("1 and 2")]
    return {"messages": messages, "loss_scale": 1}


def test_calls_in_a_row_are_no_repeated_role() -> None:
    Path("train.jsonl").write_text(json.dumps(calls_in_a_row()) + "\n", encoding="utf-8")

    report = lint("train.jsonl", data_format="swift", select="example/repeated-role", provider="swift")

    assert report.findings == ()


def test_answers_in_a_row_are_a_repeated_role() -> None:
    example = {"messages": [{"role": "user", "content": "Both?"}, answered("1"), answered("2")]}
    Path("train.jsonl").write_text(json.dumps(example) + "\n", encoding="utf-8")

    report = lint("train.jsonl", data_format="swift", select="example/repeated-role", provider="swift")

    assert [one.rule for one in report.findings] == ["example/repeated-role"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, []),
        ({"rejected": {"from": "human", "value": "2"}}, ['from is "human"; expected gpt or function_call']),
        ({"rejected": None}, ['the example has "chosen" without "rejected"; expected both']),
        ({"chosen": None}, ['the example has "rejected" without "chosen"; expected both']),
        ({"chosen": None, "rejected": None}, []),
    ],
)
def test_ranked_answers_are_two_of_the_assistant(changed: Example, words: list[str]) -> None:
    asked = {"conversations": [{"from": "human", "value": "One?"}], "chosen": gpt("1"), "rejected": gpt("2")}

    chat = load_format("sharegpt").read({**asked, **changed})

    assert list(map(str, chat.faults)) == words


def test_ranked_instructions_have_two_answers() -> None:
    read = load_format("llamafactory").read

    assert not read({"instruction": "One?", "chosen": "1", "rejected": "2"}).faults
    assert not read({"instruction": "One?", "output": "1", "chosen": None}).faults
    assert list(map(str, read({"instruction": "One?", "chosen": "1"}).faults)) == [
        'the example has "chosen" without "rejected"; expected both'
    ]
