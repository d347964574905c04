"""The facts of an example, for any content."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pytest_vft.facts.example import Example, measure_example
from pytest_vft.facts.image_facts import ImageFacts
from pytest_vft.facts.tokens import TileTokens
from pytest_vft.formats.base import MAX_FAULTS
from pytest_vft.formats.openai import OpenAI
from pytest_vft.json_schema import fast_validator
from pytest_vft.model import Split
from pytest_vft.reading.context import FetchContext
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.images import measure_image
from pytest_vft.reading.remote import Remote

READ = OpenAI().read
STORE = ImageStore(full=True)
COUNT_IMAGE = TileTokens(base=85, tile=170).count


def png(shade: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 8), (shade, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def url(shade: int = 0, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(png(shade)).decode()}"


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def image(link: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": link, **more}}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def measure(*messages: Any, split: Split = "train", **more: Any) -> Example:
    chat = READ({"messages": list(messages), **more})
    return measure_example(chat, split, STORE, FetchContext({}), COUNT_IMAGE)


def image_of(link: str, remotes: dict[str, Remote] | None = None, **more: Any) -> ImageFacts:
    example = {"messages": [user(image(link, **more))]}
    (found,) = measure_example(READ(example), "train", STORE, FetchContext(remotes or {}), COUNT_IMAGE).images
    return found.facts


def asked(measured: Example) -> int:
    """Return the key of the target turn."""
    assert measured.turn is not None
    return measured.turn.key


ASKED = user(text("What is this?"), image(url()))
DOG = assistant("A dog.")


def test_strings_are_measured() -> None:
    measured = measure({"role": "system", "content": "Be brief."}, user("One?"), assistant("1"))

    assert measured.facts == {
        "split": "train",
        "shape_faults": (),
        "unknown_keys": (),
        "messages": 3,
        "assistant_messages": 1,
        "images": 0,
        "placeholders": 0,
        "listed_images": None,
        "unchecked_media": 0,
        "missing_image": "none",
        "unanswered_calls": (),
        "repeated_assistants": 0,
        "repeated_images": 0,
        "last_role": "assistant",
        "tokens_at_least": 4,
        "tokens_at_most": 31,
    }
    assert list(measured.messages.values()) == [
        {
            "split": "train",
            "role": role,
            "content": "string",
            "images": 0,
            "shape_faults": 0,
            "text_length": length,
            "invisible_characters": 0,
            "calls": 0,
            "unknown_keys": (),
            "image_in_text": "none",
            "image_in_answer": "none",
        }
        for role, length in (("system", 9), ("user", 4), ("assistant", 1))
    ]


def test_parts_are_measured_where_they_stand() -> None:
    measured = measure(user(text("Ab"), image(url()), text("c"), image(url(1))), assistant([text("d")]))

    assert measured.facts["images"] == 2
    assert measured.messages[0]["content"] == "parts"
    assert [facts["images"] for facts in measured.messages.values()] == [2, 0]
    assert [facts["text_length"] for facts in measured.messages.values()] == [3, 1]
    assert [(one.message, one.part) for one in measured.images] == [(0, 1), (0, 3)]


def test_two_user_messages_in_a_row_are_one_turn() -> None:
    together = measure(user("What is this?"), user(image(url())), DOG)

    assert list(together.messages) == [0, 1, 2]
    assert asked(together) != asked(measure(user(image(url())), DOG))


def test_test_split_has_no_answers() -> None:
    measured = measure(ASKED, split="test")

    assert measured.facts == {
        "split": "test",
        "shape_faults": (),
        "unknown_keys": (),
        "messages": 1,
        "assistant_messages": 0,
        "images": 1,
        "placeholders": 0,
        "listed_images": None,
        "unchecked_media": 0,
        "missing_image": "none",
        "unanswered_calls": (),
        "repeated_assistants": 0,
        "repeated_images": 0,
        "last_role": "user",
        "tokens_at_least": 88,
        "tokens_at_most": 1125,
    }
    assert measured.images[0].facts["split"] == "test"
    assert asked(measured) == asked(measure(ASKED, DOG))


def test_absent_and_null_content_are_told_apart() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    measured = measure(
        ASKED,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": ""},
        assistant(None, function_call={"name": "look", "arguments": "{}"}),
    )

    assert not measured.facts["shape_faults"]
    assert [facts["content"] for facts in measured.messages.values()] == [
        "parts",
        "absent",
        "string",
        "null",
    ]
    assert [facts["text_length"] for facts in measured.messages.values()][1:] == [0, 0, 0]


def test_refusals_have_a_length() -> None:
    measured = measure(ASKED, assistant([{"type": "refusal", "refusal": "I cannot."}]))

    assert measured.messages[1]["text_length"] == 9


def test_refused_part_leaves_the_rest_measured() -> None:
    measured = measure(
        user(text("One"), {"type": "input_text", "text": "Two"}, image(url()), {"type": "text"}), DOG
    )

    assert [fault.path for fault in measured.facts["shape_faults"]] == [
        ("messages", 0, "content", 1, "type"),
        ("messages", 0, "content", 3),
    ]
    assert [one.part for one in measured.images] == [2]
    assert measured.messages[0]["text_length"] == 3
    assert measured.facts["last_role"] == "assistant"
    assert measured.turn is None


@pytest.mark.parametrize(
    "refused", ["A dog.", {}, {"role": "gpt", "content": "1"}, {"role": "user", "content": None}]
)
def test_refused_message_leaves_the_rest_measured(refused: Any) -> None:
    measured = measure(refused, ASKED, DOG)

    assert len(measured.facts["shape_faults"]) in {1, 2}
    assert measured.facts["messages"] == 3
    assert list(measured.messages) == [1, 2]
    assert [one.message for one in measured.images] == [1]


@pytest.mark.parametrize("harmless", [{"name": 1}, {"weight": 1}])
def test_message_with_a_fault_beside_its_content_is_measured(harmless: dict[str, Any]) -> None:
    measured = measure({**ASKED, **harmless}, DOG)

    assert len(measured.facts["shape_faults"]) == 1
    assert len(measured.images) == 1


@pytest.mark.parametrize("tools", [{}, [1], [{"type": "function"}]])
def test_fault_outside_the_messages_leaves_them_measured(tools: Any) -> None:
    measured = measure(ASKED, DOG, tools=tools)

    assert len(measured.facts["shape_faults"]) == 1
    assert len(measured.images) == 1
    assert len(measured.messages) == 2


@pytest.mark.parametrize("messages", [[], {}, "x", None, 3])
def test_messages_that_are_none_yield_nothing(messages: Any) -> None:
    measured = measure_example(READ({"messages": messages}), "train", STORE, FetchContext({}), COUNT_IMAGE)

    assert len(measured.facts["shape_faults"]) == 1
    assert measured.facts["messages"] == 0
    assert measured.facts["last_role"] is None
    assert not measured.messages
    assert measured.turn is None


@pytest.mark.parametrize("number", [MAX_FAULTS - 1, MAX_FAULTS, MAX_FAULTS + 50])
def test_any_number_of_faults_is_survived(number: int) -> None:
    measured = measure(*["x"] * number, ASKED)

    assert len(measured.facts["shape_faults"]) == min(number, MAX_FAULTS)


@pytest.mark.parametrize("depth", [100, 300, 1000])
@pytest.mark.parametrize(
    "before", ['{"messages": ', '{"messages": [{"role": "user", "content": ', '{"tools": ']
)
def test_any_depth_is_survived(before: str, depth: int) -> None:
    closing = "".join({"{": "}", "[": "]"}[letter] for letter in reversed(before) if letter in "{[")
    example = orjson.loads(before + "[" * depth + "]" * depth + closing)

    measured = measure_example(READ(example), "train", STORE, FetchContext({}), COUNT_IMAGE)

    assert measured.facts["shape_faults"]
    assert not measured.images


def test_unknown_keys_of_any_depth_are_none_of_its_business() -> None:
    measured = measure(ASKED, DOG, metadata=orjson.loads("[" * 1000 + "]" * 1000))

    assert not measured.facts["shape_faults"]
    assert len(measured.images) == 1


# Target turns: what makes two examples the same.


@pytest.mark.parametrize(
    "other",
    [
        [ASKED, assistant("A hound.")],
        [ASKED],
        [{"role": "system", "content": "Be brief."}, ASKED, DOG],
        [user("One?"), assistant("1", weight=0), ASKED, DOG],
        [user(text("Who?"), image(url(9))), assistant("Ann", weight=0), ASKED, DOG],
        [user(text("What is this?"), image(url(), detail="low")), DOG],
        [user(text("What is this?"), image(url(media_type="image/jpeg"))), DOG],
        [user(image(url()), text("What is this?")), DOG],
        [{**ASKED, "name": "Ann"}, DOG],
    ],
    ids=[
        "answer",
        "no-answer",
        "system",
        "few-shot",
        "few-shot-images",
        "detail",
        "media-type",
        "order",
        "name",
    ],
)
def test_what_is_asked_of_the_same_image_is_the_same_turn(other: list[Any]) -> None:
    assert asked(measure(*other)) == asked(measure(ASKED, DOG))


@pytest.mark.parametrize(
    "other",
    [
        [user(text("Where is it?"), image(url())), DOG],
        [user(text("What is this?"), image(url(1))), DOG],
        [user(text("What is this?"), image(url()), image(url())), DOG],
        [user(text("What is this?"), image("https://example.com/a.png")), DOG],
        [user("What is this?"), DOG],
        [user(text("What is"), text(" this?"), image(url())), DOG],
        [user("What"), user(text("What is this?"), image(url())), DOG],
    ],
    ids=["question", "image", "two-images", "link", "no-image", "parts", "before"],
)
def test_what_differs_in_text_or_image_is_another_turn(other: list[Any]) -> None:
    assert asked(measure(*other)) != asked(measure(ASKED, DOG))


def test_text_alone_is_the_same_turn_in_the_same_context_only() -> None:
    system = {"role": "system", "content": "Be brief."}

    assert asked(measure(user("One?"), assistant("1"))) == asked(measure(user("One?"), assistant("I")))
    assert asked(measure(system, user("One?"))) != asked(measure(user("One?")))


def test_question_without_a_image_is_about_the_earlier_ones() -> None:
    more = user("And what colour is it?")
    first = measure(ASKED, DOG, more, assistant("Red."))

    assert asked(first) == asked(measure(ASKED, DOG, more, assistant("Brown.")))
    assert asked(first) != asked(
        measure(user(text("What is this?"), image(url(1))), DOG, more, assistant("Red."))
    )
    assert asked(first) != asked(measure(ASKED, assistant("A cat."), more, assistant("Red.")))


def test_what_a_tool_was_asked_belongs_to_the_context() -> None:
    def with_call(arguments: str) -> Example:
        call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": arguments}}
        answer = {"role": "tool", "tool_call_id": "call_1", "content": "1"}
        return measure(user("One?"), assistant(None, tool_calls=[call]), answer, user("And?"), assistant("1"))

    assert asked(with_call('{"at": 1}')) == asked(with_call('{"at": 1}'))
    assert asked(with_call('{"at": 1}')) != asked(with_call('{"at": 2}'))


def test_calls_of_anybody_else_are_an_unknown_key() -> None:
    measured = measure({**ASKED, "tool_calls": [{}]}, DOG)

    assert not measured.facts["shape_faults"]
    assert asked(measured) == asked(measure(ASKED, DOG))


def test_where_no_user_speaks_is_no_turn() -> None:
    assert measure({"role": "system", "content": "Be brief."}, assistant("1")).turn is None


# Images.


def test_embedded_image_is_measured() -> None:
    assert image_of(url()) == {
        "split": "train",
        "role": "user",
        "detail": "auto",
        "unknown_keys": (),
        "scheme": "data",
        "address": "of scheme data",
        "media_type": "image/png",
        "media_type_match": "exact",
        "encoding": "base64",
        "encoding_error": None,
        "base64_variant": None,
        "bytes": len(png()),
        "format": "PNG",
        "openable": True,
        "mode": "RGB",
        "width": 12,
        "height": 8,
        "pixels": 96,
        "frames": 1,
        "orientation": 1,
        "geotagged": False,
        "damage": "none",
        "decoder_error": None,
        "reachable": None,
        "unreachable_because": None,
        "host": None,
        "public": None,
        "served": None,
        "redirected_to": None,
        "expires": "never",
        "expired": False,
        "days_left": None,
        "local": False,
        "path": None,
        "leads_to": None,
        "outside_because": None,
        "outside_path": None,
        "read_error": None,
    }


def test_scheme_may_be_in_capitals() -> None:
    assert image_of("DATA" + url()[4:]) == image_of(url())
    assert image_of("HTTPS://example.com/a.png")["scheme"] == "https"


@pytest.mark.parametrize(
    ("detail", "fact"),
    [
        ("low", "low"),
        ("LOW", "LOW"),
        ("", ""),
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (0.5, "0.5"),
        ([], "[...]"),
        (["low"] * 1000, "[...]"),
        ({"a": "low"}, "{...}"),
    ],
)
def test_detail_is_as_written(detail: Any, fact: str) -> None:
    assert image_of(url(), detail=detail)["detail"] == fact


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("data:image/png;base64,!", "character 1 is '!'"),
        ("data:image/png,abc", 'the URL does not contain ";base64"'),
        ("data:image/png", 'the URL does not contain ";base64"'),
        ("data:", 'the URL does not contain ";base64"'),
    ],
)
def test_data_url_without_base64_has_no_image(link: str, problem: str) -> None:
    facts = image_of(link)

    assert (facts["encoding"], facts["encoding_error"]) == ("other", problem)
    assert (facts["format"], facts["openable"], facts["bytes"]) == ("none", False, None)


@pytest.mark.parametrize(
    ("link", "scheme"),
    [
        ("", "none"),
        ("a.png", "none"),
        ("/data/a.png", "none"),
        ("file:///a.png", "file"),
        ("C:\\a.png", "none"),
        ("az://a/b.png", "az"),
    ],
)
def test_link_that_nobody_fetches_is_settled(link: str, scheme: str) -> None:
    facts = image_of(link)

    assert (facts["scheme"], facts["format"], facts["openable"]) == (scheme, "none", False)
    assert (facts["encoding"], facts["media_type"], facts["reachable"]) == (None, None, None)


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_link_into_object_storage_is_not_settled(scheme: str) -> None:
    facts = image_of(f"{scheme}://a/b.png")

    assert (facts["scheme"], facts["format"], facts["openable"]) == (scheme, None, None)


@pytest.mark.parametrize(
    ("declared", "match"),
    [
        ("image/png", "exact"),
        ("IMAGE/PNG", "exact"),
        (" image/png ", "exact"),
        ("image/x-png", "alias"),
        ("image/jpg", "none"),
        ("image/jpeg", "none"),
        ("png", "none"),
        ("", "none"),
    ],
)
def test_media_type_is_compared_with_the_bytes(declared: str, match: str) -> None:
    facts = image_of(url(media_type=declared))

    assert (facts["media_type"], facts["media_type_match"]) == (declared or "text/plain", match)


@pytest.mark.parametrize("payload", ["", "!", "R0lGODlh"])
def test_media_type_of_what_cannot_be_opened_is_not_compared(payload: str) -> None:
    assert image_of(f"data:image/png;base64,{payload}")["media_type_match"] is None


def test_link_is_unknown_until_it_is_fetched() -> None:
    facts = image_of("https://example.com/a.png")

    assert (facts["format"], facts["openable"], facts["bytes"], facts["reachable"]) == (None,) * 4


def test_fetched_image_is_measured() -> None:
    link = "https://example.com/a.png"
    facts = image_of(link, {link: Remote(reachable=True, image=measure_image(png(), full=False))})

    assert (facts["reachable"], facts["format"], facts["mode"], facts["width"]) == (True, "PNG", "RGB", 12)
    assert facts["encoding"] is None


def test_unreachable_link_has_no_image() -> None:
    link = "https://example.com/a.png"
    facts = image_of(link, {link: Remote(reachable=False, cause="404 Not Found")})

    assert (facts["reachable"], facts["unreachable_because"]) == (False, "404 Not Found")
    assert (facts["format"], facts["openable"]) == ("none", False)


# Anything at all.

KEYS = ["messages", "role", "content", "type", "text", "image_url", "url", "detail", "tool_calls", "function"]
KEYS += ["arguments", "refusal", "weight", "name", "tools", "function_call", "conversations", "input"]
WORDS = [
    "user",
    "assistant",
    "system",
    "tool",
    "text",
    "image_url",
    "refusal",
    "function",
    url(),
    "data:;base64,",
]
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-1, 2)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
)
anything = st.recursive(
    leaves | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=10,
)


def nearly(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with *fields*, of which some are missing or anything; now and then no object at all."""
    return (
        st.fixed_dictionaries({}, optional={key: field | anything for key, field in fields.items()})
        | anything
    )


images = nearly(
    url=st.sampled_from([url(), "https://example.com/a.png", "data:image/png;base64,!"]), detail=leaves
)
parts = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": st.text(max_size=3)}),
    st.fixed_dictionaries({"type": st.just("image_url"), "image_url": images}),
    nearly(
        type=st.sampled_from(["text", "image_url", "refusal"]), text=leaves, image_url=images, refusal=leaves
    ),
)
calls = nearly(
    id=st.just("call_1"),
    type=st.just("function"),
    function=nearly(name=st.just("look"), arguments=st.just("{}")),
)
messages = st.one_of(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]), "content": st.lists(parts, max_size=3)}
    ),
    nearly(
        role=st.sampled_from(["user", "assistant", "system", "tool", "function"]),
        content=st.text(max_size=3) | st.lists(parts, max_size=3),
        tool_calls=st.lists(calls, max_size=2),
        function_call=nearly(name=st.just("look"), arguments=st.just("{}")),
        tool_call_id=st.just("call_1"),
        weight=st.integers(0, 1),
    ),
)
examples = st.one_of(
    st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), anything, max_size=4),
    st.fixed_dictionaries({"messages": st.lists(messages, max_size=4)}, optional={"tools": anything}),
)


@given(examples, st.sampled_from(["train", "validation", "test"]))
@settings(deadline=None, max_examples=400)
def test_no_object_raises(example: dict[str, Any], split: Split) -> None:
    example = orjson.loads(json.dumps(example))
    measured = measure_example(READ(example), split, STORE, FetchContext({}), COUNT_IMAGE)

    assert bool(measured.facts["shape_faults"]) != fast_validator(OpenAI().schema)(example)
    assert (
        measured.facts["images"]
        == len(measured.images)
        == sum(facts["images"] for facts in measured.messages.values())
    )
    assert len(measured.messages) <= measured.facts["messages"]


@given(examples)
@settings(deadline=None, max_examples=100)
def test_measuring_again_gives_the_same(example: dict[str, Any]) -> None:
    example = orjson.loads(json.dumps(example))

    first = measure_example(READ(example), "train", ImageStore(full=True), FetchContext({}), COUNT_IMAGE)

    assert measure_example(READ(example), "train", STORE, FetchContext({}), COUNT_IMAGE) == first
