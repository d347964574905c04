"""Datasets as people have them: each fault is named, with its cause, and valid data stays silent."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pytest_vft import build_example, lint
from pytest_vft.facts.hidden import image_in_text
from pytest_vft.facts.placeholders import placeholders
from pytest_vft.formats.openai import OpenAI
from pytest_vft.model import Report

Example = dict[str, Any]

IMAGES = " (images belong in the content of a user message, as image_url parts)"
NOT_JSON = "is not valid JSON: "
SVG = "an SVG as a data URL"
PARTS = "content parts as JSON"
PRINTED = "content parts as Python prints them"
NO_IMAGE = "image cannot be decoded: "


@cache
def drawn(number: int, kind: str = "JPEG") -> bytes:
    """Return an image of more than a kilobyte, another one for each number."""
    noise = Random(number).randbytes(32 * 24 * 3)  # noqa: S311 - noise, no secret
    image = Image.frombytes("RGB", (32, 24), noise).resize((64, 48))
    file = BytesIO()
    image.save(file, kind)
    return file.getvalue()


def encoded(number: int, kind: str = "JPEG") -> str:
    return base64.b64encode(drawn(number, kind)).decode()


def data_url(number: int, kind: str = "JPEG") -> str:
    return f"data:image/{kind.lower()};base64,{encoded(number, kind)}"


def small_url(kind: str = "PNG") -> str:
    """Return the data URL of an image of a few bytes."""
    file = BytesIO()
    Image.new("L", (4, 4)).save(file, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def good(number: int) -> Example:
    return build_example(f"Which lot is crate {number}?", f"Lot {number}", data_url(number))


def text_only(number: int, question: Any, **more: Any) -> Example:
    answer = {"role": "assistant", "content": f"Lot {number}"}
    return {"messages": [{"role": "user", "content": question, **more}, answer]}


def parts(number: int) -> list[Any]:
    content: list[Any] = good(number)["messages"][0]["content"]
    return content


def with_url(number: int, url: str) -> Example:
    return build_example(f"Which lot is crate {number}?", f"Lot {number}", "https://example.com/a.jpg") | {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": f"Which lot is crate {number}?"},
                    {"type": "image_url", "image_url": {"url": url}},
                ],
            },
            {"role": "assistant", "content": f"Lot {number}"},
        ]
    }


def in_part(number: int, **more: Any) -> Example:
    example = good(number)
    example["messages"][0]["content"][1] |= more
    return example


def in_messages(number: int, **more: Any) -> Example:
    example = good(number)
    for message in example["messages"]:
        message.update(more)
    return example


def called(number: int) -> Example:
    call = {"id": f"call_{number}", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    example = good(number)
    example["messages"].insert(1, {"role": "assistant", "content": None, "tool_calls": [call]})
    return example


def hf_column(number: int) -> Example:
    question = [{"type": "image"}, {"type": "text", "text": f"Which lot is crate {number}?"}]
    return {**text_only(number, question), "images": [data_url(number)]}


def share_gpt(number: int) -> Example:
    turns = [{"from": "human", "value": "<image>Which lot?"}, {"from": "gpt", "value": f"Lot {number}"}]
    return {"id": number, "image": f"{number}.jpg", "conversations": turns}


def pointer(number: int) -> str:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{number:064x}\nsize 20000\n"
    return f"data:image/png;base64,{base64.b64encode(text.encode()).decode()}"


def jsonl(example: Callable[[int], Example]) -> str:
    return "".join(json.dumps(example(number)) + "\n" for number in range(12))


def linted(content: str, **options: Any) -> Report:
    Path("train.jsonl").write_text(content, encoding="utf-8")
    return lint("train.jsonl", offline=True, cache=False, **options)


def found(report: Report) -> dict[str, str]:
    """Return the message of the first finding of each rule."""
    return {finding.rule: finding.message for finding in reversed(report.findings)}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "example",
    [
        good,
        lambda n: in_part(n, cache=None),
        lambda n: in_messages(n, name="ann", tool_calls=None, parsed=None) if n else good(n),
        lambda n: with_url(n, data_url(n, "PNG")),
        lambda n: text_only(n, f"What does data:image/png;base64,iVBORw0KGgo= number {n} mean?"),
        lambda n: text_only(n, f"Is {n} < 3 in <b>HTML</b>, [a] list or {{a}} set?"),
        lambda n: text_only(n, json.dumps({"type": "report", "number": n})),
        lambda n: {"messages": called(n)["messages"][:2]},  # the call is the answer
    ],
)
def test_valid_data_is_silent(example: Callable[[int], Example]) -> None:
    report = linted(jsonl(example))

    assert found(report) == {}
    assert report.notes == ()


def test_slashes_may_be_escaped() -> None:
    assert found(linted(jsonl(good).replace("/", "\\/"))) == {}


@pytest.mark.parametrize(
    ("example", "findings"),
    [
        (
            lambda n: text_only(n, f"Which lot? {data_url(n)}"),
            {"message/image-in-text": "text contains a JPEG as a data URL; expected an image_url part"},
        ),
        (
            lambda n: text_only(n, f"{n}: " + encoded(n, "PNG")),
            {"message/image-in-text": "text contains a PNG as base64; expected an image_url part"},
        ),
        (
            lambda n: text_only(n, json.dumps(parts(n))),
            {"message/image-in-text": "text contains content parts as JSON; expected an image_url part"},
        ),
        (
            lambda n: text_only(n, repr(parts(n))),
            {
                "message/image-in-text": "text contains content parts as Python prints them; "
                "expected an image_url part"
            },
        ),
        (
            lambda n: text_only(n, f"Which lot is {n}?", images=[encoded(n)]),
            {"message/unknown-key": "has an unknown key images" + IMAGES},
        ),
        (
            lambda n: text_only(n, f"<image>Which lot is {n}?"),
            {"example/missing-image": "has <image> in message 1, but no image"},
        ),
        (
            hf_column,
            {
                "example/invalid-shape": "the example is a line with images in a column (TRL, Unsloth); "
                "--data-format=trl reads a file of these"
            },
        ),
        (
            lambda n: {**text_only(n, f"<image>Which lot is {n}?"), "images": f"crates/{n}.jpg"},
            {
                "example/unknown-key": "has an unknown key images" + IMAGES,
                "example/missing-image": "has a key images, but no image",
            },
        ),
        (
            lambda n: in_part(n, detail="low"),
            {"image/unknown-key": "has an unknown key detail (detail belongs in image_url)"},
        ),
        (lambda n: in_messages(n, timestamp=n), {"message/unknown-key": "has an unknown key timestamp"}),
        (
            lambda n: {"messages": [*good(n)["messages"][:1], good(n)["messages"][1] | {"wieght": 0}]},
            {"message/unknown-key": "has an unknown key wieght (did you mean 'weight'?)"},
        ),
        (
            called,
            {
                "example/unanswered-call": "has a call without an answer: find in message 2",
                "example/repeated-role": "has 1 pair of consecutive assistant messages",
            },
        ),
        (
            lambda n: with_url(n, f"data:image/jpeg;base64,{drawn(n)!r}"),
            {
                "image/invalid-base64": "payload is not valid base64: it is Python's b'...'; "
                "encode with b64encode(data).decode()"
            },
        ),
        (
            lambda n: with_url(n, f"data:image/jpeg;base64,{data_url(n)}"),
            {
                "image/invalid-base64": "payload is not valid base64: it is another data URL; "
                "write the prefix data: once"
            },
        ),
        (
            lambda n: with_url(n, "data:image/jpeg;base64," + base64.b64encode(encoded(n).encode()).decode()),
            {"image/undecodable": NO_IMAGE + "it is base64 again: encoded twice; decode it once"},
        ),
        (
            lambda n: with_url(n, pointer(n)),
            {"image/undecodable": NO_IMAGE + "it is a Git LFS pointer; run git lfs pull"},
        ),
        (
            lambda n: with_url(n, " " + data_url(n)),
            {
                "image/unsupported-url-scheme": "URL is data: after white space (remove it); "
                "expected scheme data, http or https"
            },
        ),
        (
            lambda n: with_url(n, f"b'{data_url(n)}'"),
            {
                "image/unsupported-url-scheme": "URL is Python's b'...' (convert bytes with .decode()); "
                "expected scheme data, http or https"
            },
        ),
        (
            lambda n: with_url(n, f"data:image/jpeg;base64,crates/{n}.jpg"),
            {
                "image/invalid-base64": "payload is not valid base64: it is a path; "
                "encode the content of the file"
            },
        ),
    ],
)
def test_images_where_nobody_looks_and_their_causes_are_named(
    example: Callable[[int], Example], findings: dict[str, str]
) -> None:
    report = linted(jsonl(example), provider="openai")

    assert found(report) == findings
    assert {finding.line for finding in report.findings} == set(range(1, 13))
    assert not any("emove" in finding.advice for finding in report.findings)


@pytest.mark.parametrize(
    ("content", "findings"),
    [
        (
            jsonl(good).replace("}\n", "},\n"),
            {"line/invalid-json": f"{NOT_JSON}a comma after the record at column "},
        ),
        (
            jsonl(good).replace("}\n", "}"),
            {
                "line/invalid-json": f"{NOT_JSON}a second record on the line at column ",
                "file/too-few-examples": "has 1 example; expected at least 10",
            },
        ),
        (
            "".join(f"{good(number)!r}\n" for number in range(12)),
            {"line/invalid-json": f"{NOT_JSON}Python's single quote instead of a double quote at column 2"},
        ),
        (
            "question,answer,path\nWhich lot?,Lot 1,1.jpg\n",
            {"file/not-jsonl": "is CSV (question,answer,path), not JSON Lines"},
        ),
    ],
    ids=lambda value: ascii(value[:20]) if isinstance(value, str) else "",
)
def test_files_and_lines_that_are_not_json_lines_are_named(content: str, findings: dict[str, str]) -> None:
    report = linted(content)
    messages = found(report)

    assert messages.keys() == findings.keys()
    assert all(messages[rule].startswith(message) for rule, message in findings.items())
    assert report.notes == ()


@pytest.mark.parametrize(
    ("example", "name"),
    [
        (lambda n: {"custom_id": f"{n}", "method": "POST", "body": good(n)}, "a request of the Batch API"),
        (share_gpt, "a ShareGPT line"),
        (lambda n: {"contents": [{"role": "user", "parts": [{"text": f"{n}?"}]}]}, "a Gemini line"),
        (lambda n: {"query": f"<image>{n}?", "response": "1"}, "a query and response line (ms-swift)"),
        (
            lambda n: {"image": f"{n}.jpg", "prefix": "Which?", "suffix": "1"},
            "a line of Roboflow (prefix and suffix)",
        ),
        (
            lambda n: {"image": f"{n}.jpg", "question": "Which?", "answer": "1"},
            "a row of question and answer",
        ),
    ],
)
def test_lines_of_other_formats_are_named_without_a_note_about_answers(
    example: Callable[[int], Example], name: str
) -> None:
    report = linted(jsonl(example), provider="openai")

    assert found(report).keys() == {"example/invalid-shape"}
    assert found(report)["example/invalid-shape"].startswith(f"the example is {name}; ")
    assert report.notes == ()


def test_azure_refuses_two_assistant_messages_in_a_row() -> None:
    severities = {
        provider: {one.rule: one.severity for one in linted(jsonl(called), provider=provider).findings}
        for provider in ("openai", "azure")
    }

    assert severities["openai"]["example/repeated-role"] == "warning"
    assert severities["azure"]["example/repeated-role"] == "error"
    assert severities["azure"]["example/unanswered-call"] == "warning"


def test_images_beside_messages_of_a_test_split_are_missed() -> None:
    Path("test.jsonl").write_text(
        jsonl(lambda n: {"messages": text_only(n, f"{n}?")["messages"][:1], "image": "a"})
    )

    assert found(lint(test="test.jsonl", provider="openai", offline=True, cache=False)) == {
        "example/missing-image": "has a key image, but no image"
    }


# Texts.


@pytest.mark.parametrize(
    ("text", "what"),
    [
        # code, layouts and talk
        (f'<img src="{data_url(1, "WEBP")}">', "none"),
        (f"body {{ background: url({data_url(1)}) }}", "none"),
        (f"const logo = '{data_url(1)}'", "none"),
        (f"LOGO={data_url(1)}", "none"),
        (f"What is wrong?\n```html\n{data_url(1)}\n```\nNothing?", "none"),
        (f"# Tool\n![Logo]({data_url(1)})\nA tool.", "none"),
        (encoded(1)[:900], "none"),
        (f"What is {small_url()}", "none"),
        ("/9j/" + "A" * 5_000, "none"),
        (f"data:image/png;base64,{'iVBORw0KGgo' * 500}", "none"),
        ("data:application/octet-stream;base64," + "A" * 5_000, "none"),
        ("word " * 5_000, "none"),
        ("data:" * 50_000, "none"),
        ("/9j/" * 50_000 + "!", "none"),
        ('[{"type": "text", "text": "a"}]', "none"),
        ('[{"type": "text", "bbox": [1], "text": "a"}, {"type": "image", "bbox": [2]}]', "none"),
        ('{"elements": [{"type": "image", "bbox": [1]}]}', "none"),
        ('{"type": "image", "alt": "Logo"}', "none"),
        ('[{"type": "section", "text": {"type": "mrkdwn"}}, {"type": "image", "image_url": "a"}]', "none"),
        ('[{"type": "image", "image_url": "https://example.com/a.png", "alt_text": "A dog"}]', "none"),
        ('{"type": "doc", "content": [{"type": "image", "attrs": {"src": "a.png"}}]}', "none"),
        ("[{'type': 'image', 'bbox': [1, 2]}]", "none"),
        ('Write {"type": "image_url"}.', "none"),
        ("[see {'type': 'image'}", "none"),
        ('[{"type": "image"', "none"),
        ("[" * 5_000 + '"type": "image"' + "]" * 5_000, "none"),
        ("[{'" + "\\\\'" * 50_000 + "}", "none"),
        # images
        (f"![A crate]({data_url(1, 'GIF')})\nWhat is this?", "a GIF as a data URL"),
        (f"{data_url(1)}\nWhy?", "a JPEG as a data URL"),
        (f"One\n{data_url(1)}\nWhy?", "a JPEG as a data URL"),
        ("\n".join(encoded(1)[start : start + 76] for start in range(0, 9_000, 76)), "a JPEG as base64"),
        (encoded(1)[:2_000], "a JPEG as base64"),  # cut
        (encoded(1).replace("+", "-").replace("/", "_").replace("_9j_", "/9j/"), "a JPEG as base64"),
        (small_url(), "a PNG as a data URL"),
        (small_url().replace("+", "-").replace("/", "_").replace("image_", "image/"), "a PNG as a data URL"),
        (small_url("BMP"), "a BMP as a data URL"),
        (small_url("TIFF"), "a TIFF as a data URL"),
        ("data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=", SVG),
        ("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E", SVG),
        ('{"type": "input_image", "image_url": "https://example.com/a.jpg"}', PARTS),
        ('[{"image_url": {"url": "https://example.com/a.jpg"}}]', PARTS),
        (
            '[{"type": "text", "text": "a"}, {"type": "image_file", "image_file": {"file_id": "file-1"}}]',
            PARTS,
        ),
        ('[{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "a"}}]', PARTS),
        (json.dumps(json.dumps([{"type": "image", "image": "a.jpg"}])), PARTS),
        ("[{'text': 'it\\'s \"a\"', 'type': 'text'}, {'type': 'image', 'image': 'a.jpg'}]", PRINTED),
        ("[{'type': 'image', 'image': <PIL.Image.Image image mode=RGB size=4x4 at 0x7F00>}]", PRINTED),
        ("[{'type': 'image_url', 'image_url': {'url': 'a.jpg', 'detail': None}}]", PRINTED),
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_images_in_questions_are_told_from_code_and_talk_about_them(text: str, what: str) -> None:
    assert image_in_text([text], "user") == what


@pytest.mark.parametrize("role", ["assistant", "tool"])
def test_only_an_answer_that_is_nothing_but_an_image_is_reported(role: str) -> None:
    assert image_in_text([f"Here it is:\n{data_url(1)}"], role) == "none"
    assert image_in_text(['[{"type": "image", "image": "a.jpg"}]'], role) == "none"
    assert image_in_text([f" {data_url(1)}\n"], role) == "a JPEG as a data URL"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1" * 200_000 + "<", []),
        ("docker run <image>", []),
        ("docker run `<image>`", []),
        ("```\n<image>\n```", []),
        ("List<Image>", []),
        ("std::vector<image>", []),
        ("Is this right?\nstd::vector<image>", []),
        ("<image>\n<url>a.png</url>\n</image>", []),
        ('<image href="a.png"/>', []),
        ("<channel>\n<image>\n</channel>", []),
        ("[img]https://example.com/a.png[/img]", []),
        ("[image](a.png)", []),
        ("[image]: https://example.com/a.png", []),
        ("Usage: show <image>\n  <image>  the image", []),
        ("What does the tag <image> mean?", []),
        ("<image>Which?", ["<image>"]),
        ("<image>\nWhich?", ["<image>"]),
        ("Which?\n<image>", ["<image>"]),
        ("Which? <image>", ["<image>"]),
        ("<image><image>Which?", ["<image>", "<image>"]),
        ("Image 1: <image>\nImage 2: <image>\nWhich?", ["<image>", "<image>"]),
        ("Picture 1: <img>a.png</img>\nWhich?", ["<img>a.png</img>"]),
        ("[IMAGE]\nWhich?", ["[IMAGE]"]),
        ("{{image}}\r\nWhich?", ["{{image}}"]),
    ],
)
def test_placeholders_are_told_from_code_and_markup(text: str, found: list[str]) -> None:
    assert placeholders(text) == found


def test_questions_without_their_images_are_not_compared() -> None:
    def asked(number: int, **more: Any) -> Example:
        return text_only(number, "<image>\nWhat is this?" if not more else "What is this?", **more)

    for example in (asked, lambda number: asked(number, images=["a.jpg"])):
        assert not any(rule.startswith("dataset/") for rule in found(linted(jsonl(example))))


# Keys.


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    ["role", "content", "type", "text", "image_url", "url", "images", "\x1b", "id"]
                ),
                inner | st.sampled_from(["user", "assistant", "text", "image_url"]),
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
@settings(deadline=None)
def test_no_value_raises_and_no_key_is_printed_raw(messages: Any) -> None:
    chat = OpenAI().read({"messages": messages})

    unread = [fault for message in chat.messages for fault in message.unknown_keys]
    unread += [fault for message in chat.messages for image in message.images for fault in image.unknown_keys]
    assert all(str(fault).isprintable() for fault in unread)
