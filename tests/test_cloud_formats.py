"""Files for Gemini and Bedrock: calls, answers to choose from, and images that are in object storage."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from forms import Example, checked, examples_of, found, in_s3, png, write

from pytest_vft.catalogue.cases import draw
from pytest_vft.formats.foreign import recognise
from pytest_vft.formats.registry import load_format
from pytest_vft.model import Report
from pytest_vft.report.text import render_text

PNG = base64.b64encode(draw("png 64x64 rgb")[1]).decode()
CALL = {"name": "look", "args": {"lot": 1}}
USE = {"toolUseId": "t1", "name": "look", "input": {"lot": 1}}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def gemini(*contents: tuple[str, list[Example]], **more: Any) -> Example:
    return {"contents": [{"role": role, "parts": parts} for role, parts in contents], **more}


def bedrock(*messages: tuple[str, list[Example]], **more: Any) -> Example:
    return {"messages": [{"role": role, "content": content} for role, content in messages], **more}


GEMINI_CALL = gemini(
    ("user", [{"text": "Which lot?"}]),
    ("model", [{"functionCall": CALL}]),
    ("user", [{"functionResponse": {"name": "look", "response": {"lot": 7}}}, {"text": "And?"}]),
    ("model", [{"text": "7"}]),
)
BEDROCK_CALL = bedrock(
    ("user", [{"text": "Which lot?"}]),
    ("assistant", [{"toolUse": USE}]),
    ("user", [{"toolResult": {"toolUseId": "t1", "content": [{"json": {"lot": 7}}]}}, {"text": "And?"}]),
    ("assistant", [{"text": "7"}]),
)


@pytest.mark.parametrize(("name", "example"), [("gemini", GEMINI_CALL), ("bedrock", BEDROCK_CALL)])
def test_calls_are_read_with_their_results_as_messages(name: str, example: Example) -> None:
    chat = load_format(name).read(example)

    assert (chat.faults, chat.unknown_keys, chat.divided) == ((), (), 1)
    assert [(one.role, list(one.texts)) for one in chat.messages] == [
        ("user", ["Which lot?"]),
        ("assistant", []),
        ("tool", ['{"lot":7}']),
        ("user", ["And?"]),
        ("assistant", ["7"]),
    ]
    (call,) = chat.messages[1].source["tool_calls"]
    assert call["function"] == {"name": "look", "arguments": '{"lot":1}'}
    assert chat.messages[2].source["tool_call_id"] == call["id"]
    key = "contents" if name == "gemini" else "messages"
    assert load_format(name).place(example, ("messages", 3)) == (key, 2)


def test_the_preferred_answer_comes_first() -> None:
    answers = [
        {"content": [{"text": "?"}], "preferenceLabel": "non-preferred"},
        {"content": [{"text": "7"}], "preferenceLabel": "preferred"},
    ]
    example = bedrock(("user", [{"text": "Which lot?"}]))
    example["messages"].append({"role": "assistant", "candidates": answers})

    chat = load_format("bedrock").read(example)

    assert (chat.faults, chat.alternatives, chat.total) == ((), 1, 2)
    assert [one.texts for one in chat.messages] == [["Which lot?"], ["7"], ["?"]]
    assert load_format("bedrock").place(example, ("messages", 2)) == ("messages", 1, "candidates", 0)


def detail_of(resolution: Any) -> Any:
    part = {"fileData": png(fileUri="a.png"), "mediaResolution": resolution}
    (message,) = load_format("gemini").read(gemini(("user", [part]))).messages
    return message.images[0].detail


def test_the_resolution_of_a_part_is_the_detail_of_its_image() -> None:
    assert detail_of(None) == "auto"
    assert detail_of({"level": "MEDIA_RESOLUTION_UNSPECIFIED"}) == "auto"
    assert detail_of({"level": "MEDIA_RESOLUTION_LOW"}) == "low"
    assert detail_of("MEDIA_RESOLUTION_HIGH") == "high"
    assert detail_of({"level": "MEDIA_RESOLUTION_ULTRA_HIGH"}) == "ultra_high"


INSIDE = {
    "gemini": [
        gemini(
            ("user", [{"inlineData": png(data=PNG)}, {"text": f"Which is {n}?"}]),
            ("model", [{"text": f"{n}"}]),
        )
        for n in range(12)
    ],
    "bedrock": [
        bedrock(
            ("user", [{"image": {"format": "png", "source": {"bytes": PNG}}}, {"text": f"Which is {n}?"}]),
            ("assistant", [{"text": f"{n}"}]),
        )
        for n in range(12)
    ],
    "axolotl": [
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image", "base64": PNG}, {"type": "text", "text": f"Which is {n}?"}],
                },
                {"role": "assistant", "content": f"{n}"},
            ]
        }
        for n in range(12)
    ],
}


@pytest.mark.parametrize("name", INSIDE)
def test_images_inside_are_measured(name: str) -> None:
    write(*INSIDE[name])

    report = checked(ignore=["image/unsupported-url-scheme"])  # the providers read object storage

    assert found(report) == []
    assert report.files[0].data_format == name
    assert (report.files[0].images, report.files[0].distinct_images) == (12, 1)


def stored(name: str) -> list[Example]:
    """Return examples whose images are in object storage."""
    if name == "gemini":
        return [
            gemini(
                ("user", [{"fileData": png(fileUri=f"gs://labels/{n}.png")}, {"text": "Which lot?"}]),
                ("model", [{"text": f"{n}"}]),
            )
            for n in range(120)
        ]
    return [
        bedrock(
            ("user", [in_s3(f"s3://labels/{n}.png"), {"text": "Which lot?"}]),
            ("assistant", [{"text": f"{n}"}]),
            schemaVersion="bedrock-conversation-2024",
        )
        for n in range(120)
    ]


def about_content(report: Report) -> set[str]:
    """Return the image rules with findings other than that on the URL, which depends on the provider."""
    rules = {one.rule for one in report.findings if one.rule.startswith("image/")}
    return rules - {"image/unsupported-url-scheme"}


@pytest.mark.parametrize("name", ["gemini", "bedrock"])
def test_images_in_object_storage_are_counted_as_not_checked(name: str) -> None:
    write(*stored(name))

    report = checked()

    assert about_content(report) == set()
    assert "not checked: 120 images: not opened (image/" in render_text(report)


def test_videos_and_documents_in_parts_are_counted_as_not_checked() -> None:
    examples = examples_of("gemini")
    files = [("video/mp4", "gs://b/a.mp4"), ("application/pdf", "gs://b/a.pdf")]
    for media_type, uri in files:
        file = {"fileData": {"mimeType": media_type, "fileUri": uri}}
        examples[0]["contents"][0]["parts"].append(file)
    write(*examples)

    assert "not checked: 2 video, audio or document files; vft checks texts and images" in checked().notes


FOREIGN: list[tuple[Example, str | None]] = [
    (bedrock(("user", [{"text": "One?"}])), "openai"),  # a part without a type is a fault there
    (bedrock(("user", [{"text": "One?"}]), schemaVersion="bedrock-conversation-2024"), "bedrock"),
    (bedrock(("user", [{"text": "One?"}, in_s3("s3://b/a.png")])), "bedrock"),
    (bedrock(("user", [{"text": "One?"}, {"image": "a.png"}])), "openai"),
    (gemini(("user", [{"text": "One?"}])), "gemini"),
    ({**gemini(("user", [{"text": "One?"}])), "completions": [{"score": 1}]}, None),  # a preference
    ({"contents": "One?"}, None),
    ({"messages": [{"role": "user", "content": [{"type": "image", "path": "a.png"}]}]}, "axolotl"),
    ({"messages": [{"role": "user", "content": [{"type": "image", "image": "a.png"}]}]}, "swift"),
    ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "trl"),
]


@pytest.mark.parametrize(("example", "data_format"), FOREIGN)
def test_an_example_is_of_the_format_that_its_parts_show(example: Example, data_format: str | None) -> None:
    entry = recognise(example)

    assert (entry and entry.get("data_format")) == data_format


def test_a_part_of_no_known_kind_is_named() -> None:
    (fault,) = load_format("gemini").read(gemini(("user", [{"txt": "One?"}]))).faults
    assert fault.words.startswith("content part 1 has no text, fileData, ")
    (fault,) = load_format("bedrock").read(bedrock(("user", [{"txt": "One?"}]))).faults
    assert fault.words == "content part 1 has no text, image, toolUse or toolResult"
