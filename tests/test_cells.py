"""What each provider says of small examples: which rules fail, with the reason in the name of the example.

The rows are conditions of data, the columns are providers. A cell lists the rules with errors, and those with
warnings in brackets; a dot means that nothing fails. An example is checked in its own data format.
"""
# ruff: noqa: E501 - a table

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_vft import lint, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.catalogue.providers import load_provider, provider_ids

OPENAI_SHAPED = ("openai", "azure", "together", "fireworks", "trl", "swift", "axolotl", "unsloth")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def image(spec: str = "jpeg 32x32 rgb", **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(spec), **more}}


def text(words: str = "Which fruit?") -> dict[str, Any]:
    return {"type": "text", "text": words}


def says(role: str, *parts: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": list(parts), **more}


ASKS, PEAR = says("user", text(), image()), says("assistant", text("A pear."))
CALL = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
TOOLS = [{"type": "function", "function": {"name": "f"}}]
URL = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
Example = dict[str, Any]


def chat(*messages: Any, **more: Any) -> Example:
    return {"messages": list(messages), **more}


def prefers(*messages: Any) -> Example:
    other = says("assistant", text("An apple."))
    return {
        "input": {"messages": list(messages)},
        "preferred_output": [PEAR],
        "non_preferred_output": [other],
    }


# Each condition with its example, and the rules that fail for some of the providers.
OPENAI: dict[str, tuple[Example, dict[str, str]]] = {
    "nothing is wrong": (chat(ASKS, PEAR), {}),
    "mixed: only Together compares the forms of contents": (
        chat({"role": "system", "content": "Answer."}, ASKS, PEAR),
        {"together": "example/mixed-content"},
    ),
    "two user turns: all of these take them": (chat(ASKS, ASKS, PEAR), {}),
    "late system: Fireworks takes one at the start only, and ms-swift a string": (
        chat(ASKS, says("system", text("Answer.")), PEAR),
        {"fireworks": "example/late-system", "swift": "message/list-content"},
    ),
    "two answers in a row: Azure's schema, a warning elsewhere": (
        chat(ASKS, PEAR, PEAR),
        {"azure": "example/repeated-role", "*": "(example/repeated-role)"},
    ),
    "weight 0: trainers do not read it": (
        chat(ASKS, {**PEAR, "weight": 0}, says("user", text("And?")), PEAR),
        dict.fromkeys(("trl", "swift", "axolotl", "unsloth"), "message/unread-field")
    ),
    "weight 0.0: Together takes whole numbers": (
        chat(ASKS, {**PEAR, "weight": 0.0}, says("user", text("And?")), PEAR),
        {"together": "message/unsupported-weight"} | dict.fromkeys(("trl", "swift", "axolotl", "unsloth"), "message/unread-field"),
    ),
    "a fraction as weight: Together refuses it, and trainers do not read it": (
        chat(ASKS, {**PEAR, "weight": 0.5}),
        {**dict.fromkeys(("openai", "azure", "fireworks"), "example/invalid-shape"), "together": "message/unsupported-weight", **dict.fromkeys(("trl", "swift", "axolotl", "unsloth"), "message/unread-field")},
    ),
    "a weight of 1 is what trainers do anyway": (chat(ASKS, {**PEAR, "weight": 1}), {}),
    "name: lost without an effect on training": (
        chat({**ASKS, "name": "Ann"}, PEAR),
        dict.fromkeys(("together", "trl", "swift", "axolotl", "unsloth"), "(message/ignored-field)"),
    ),
    "tools: TRL removes the column in a file with images": (
        chat(ASKS, PEAR, tools=TOOLS),
        {"trl": "example/unread-field"},
    ),
    "parallel_tool_calls: Together takes tools only": (
        chat(ASKS, PEAR, tools=TOOLS, parallel_tool_calls=False),
        {"together": "example/refused-key", "trl": "example/unread-field"},
    ),
    "refusal: an empty answer in TRL, Axolotl and Unsloth": (
        chat(ASKS, says("assistant", {"type": "refusal", "refusal": "No."})),
        {"together": "message/refused-field", "swift": "message/refused-field", **dict.fromkeys(("trl", "axolotl", "unsloth"), "message/unread-field")},
    ),
    "call without content: a KeyError in Axolotl and Unsloth": (
        chat(ASKS, {"role": "assistant", "tool_calls": CALL}, {"role": "tool", "tool_call_id": "a", "content": [text("1")]}, PEAR),
        dict.fromkeys(("axolotl", "unsloth"), "message/missing-content"),
    ),
    "call with null: ms-swift deletes the example": (
        chat(ASKS, {"role": "assistant", "content": None, "tool_calls": CALL}, {"role": "tool", "tool_call_id": "a", "content": [text("1")]}, PEAR),
        {"swift": "message/missing-content", **dict.fromkeys(("axolotl", "unsloth"), "message/null-content")},
    ),
    "11 images: Azure takes 64, Fireworks and trainers state none": (
        chat(says("user", *[image(f"jpeg {32 + n}x32 rgb") for n in range(11)]), PEAR),
        dict.fromkeys(("openai", "together"), "example/too-many-images"),
    ),
    "WEBP: Fireworks takes PNG and JPEG": (
        chat(says("user", text(), image("webp 32x32 rgb")), PEAR),
        {"fireworks": "image/unsupported-format"},
    ),
    "GIF: what Pillow opens is fine for trainers; Together reads the start of the URL": (
        chat(says("user", text(), image("gif 32x32 p")), PEAR),
        {"openai": "image/unsupported-format", "azure": "image/unsupported-format", "fireworks": "image/unsupported-format", "together": "image/unsupported-data-url (image/unsupported-format)"},
    ),
    "image/jpg: Together compares the start of the URL": (
        chat(says("user", text(), image("jpeg 32x32 rgb as=image/jpg")), PEAR),
        {"together": "image/unsupported-data-url (image/nonstandard-media-type)", "*": "(image/nonstandard-media-type)"},
    ),
    "grey: OpenAI and Azure take RGB and RGBA": (
        chat(says("user", text(), image("png 32x32 l")), PEAR),
        dict.fromkeys(("openai", "azure"), "image/unsupported-mode"),
    ),
    "transparency: trainers remove it": (
        chat(says("user", text(), image("png 32x32 rgba")), PEAR),
        dict.fromkeys(("trl", "swift", "axolotl", "unsloth"), "(image/hidden-colour)"),
    ),
    "rotated: the loader of TRL and Axolotl turns images": (
        chat(says("user", text(), image("jpeg 32x32 rgb exif=rotated")), PEAR),
        {"trl": ".", "axolotl": ".", "*": "(image/rotated-by-exif)"},
    ),
    "long and narrow: Unsloth stops at 200 to 1": (
        chat(says("user", text(), image("png 4020x20 rgb")), PEAR),
        {"unsloth": "image/too-elongated"},
    ),
    "URL: only embedded images for Together and Fireworks": (
        chat(says("user", text(), URL), PEAR),
        dict.fromkeys(("together", "fireworks"), "image/unsupported-url-scheme"),
    ),
    "s3: nobody fetches from a bucket": (
        chat(says("user", text(), {"type": "image_url", "image_url": {"url": "s3://bucket/a.png"}}), PEAR),
        {"*": "image/unsupported-url-scheme"},
    ),
    "unknown key: OpenAI, Azure and Together refuse it, a table has more columns": (
        chat(ASKS, PEAR, id=7),
        dict.fromkeys(("openai", "azure", "together"), "example/unknown-key"),
    ),
}  # fmt: skip
PREFERENCES: dict[str, tuple[Example, dict[str, str]]] = {
    "text only: managed fine-tuning of Fireworks reads strings": (
        prefers(says("user", text())),
        {"fireworks": "example/list-in-preference"},
    ),
    "an image: OpenAI trains preferences on text; Azure does not say": (
        prefers(ASKS),
        {"openai": "example/image-in-preference", "fireworks": "example/image-in-preference example/list-in-preference"},
    ),
    "an answer in the input: Together takes one message at the end": (
        prefers(ASKS, PEAR, says("user", text("And?")), PEAR),
        {"openai": "example/image-in-preference (example/repeated-role)", "fireworks": "example/image-in-preference example/list-in-preference (example/repeated-role)", "together": "example/several-answer-messages (example/repeated-role)", "azure": "example/repeated-role"},
    ),
}  # fmt: skip


def contents(*parts: Any, **more: Any) -> Example:
    turns = [
        {"role": "user", "parts": [{"text": "Which?"}, *parts]},
        {"role": "model", "parts": [{"text": "A pear."}]},
    ]
    return {"contents": turns, **more}


def stored(uri: str = "gs://bucket/a.png") -> Example:
    return {"fileData": {"mimeType": "image/png", "fileUri": uri}}


VERTEX: dict[str, tuple[Example, dict[str, str]]] = {
    "in a bucket": (contents(stored()), {}),
    "30 images": (contents(*[stored(f"gs://bucket/{n}.png") for n in range(30)]), {}),
    "31 images": (contents(*[stored(f"gs://bucket/{n}.png") for n in range(31)]), {"vertex": "example/too-many-images"}),
    "weight 0: the format has none": (
        {"contents": [contents(stored())["contents"][0], {"role": "model", "parts": [{"text": "A pear."}], "weight": 0}]},
        {"vertex": "message/unread-field (message/unknown-key)"},
    ),
    "an alias as media type: the page does not list it": (
        contents({"fileData": {"mimeType": "image/jpg", "fileUri": "gs://bucket/a.jpg"}}),
        {"vertex": "(message/unsupported-image-format)"},
    ),
    "a type that is not listed": (
        contents({"fileData": {"mimeType": "image/gif", "fileUri": "gs://bucket/a.gif"}}),
        {"vertex": "(message/unsupported-image-format)"},
    ),
    "HEIC: of all providers, only Gemini takes it": (contents({"fileData": {"mimeType": "image/heic", "fileUri": "gs://bucket/a"}}), {}),
    "role assistant: the answers are of the model": (
        {"contents": [*contents(stored())["contents"][:1], {"role": "assistant", "parts": [{"text": "A pear."}]}]},
        {"vertex": "example/invalid-shape"},
    ),
    "behind s3: the page names gs and public URLs": (contents(stored("s3://bucket/a.png")), {"vertex": "(image/unsupported-url-scheme)"}),
}  # fmt: skip


def converse(*parts: Any, answer: str = "A pear.", turns: Sequence[Example] = (), **more: Any) -> Example:
    asked = {"role": "user", "content": [{"text": "Which?"}, *parts]}
    messages = [*turns, asked, {"role": "assistant", "content": [{"text": answer}]}]
    return {"schemaVersion": "bedrock-conversation-2024", "messages": messages, **more}


def placed(uri: str = "s3://bucket/a.png", format_: str = "png") -> Example:
    return {
        "image": {"format": format_, "source": {"s3Location": {"uri": uri, "bucketOwner": "123456789012"}}}
    }


def chosen(*candidates: Example) -> Example:
    asked = {"role": "user", "content": [{"text": "Which?"}, placed()]}
    messages = [asked, {"role": "assistant", "candidates": list(candidates)}]
    return {"schemaVersion": "bedrock-conversation-2024", "messages": messages}


TURN = {"role": "user", "content": [placed(f"s3://bucket/{n}.png") for n in range(6)]}
BEDROCK: dict[str, tuple[Example, dict[str, str]]] = {
    "in a bucket": (converse(placed()), {}),
    "11 images in a message: Nova's limit is by message": (
        converse(*[placed(f"s3://bucket/{n}.png") for n in range(11)]),
        {"bedrock-nova": "message/too-many-images"},
    ),
    "12 images in two messages": (
        converse(*[placed(f"s3://bucket/b{n}.png") for n in range(6)], turns=[TURN, {"role": "assistant", "content": [{"text": "Apples."}]}]),
        {},
    ),
    "two user turns: unproved for Llama": (
        converse(placed(), turns=[{"role": "user", "content": [{"text": "Look."}]}]),
        {"bedrock-nova": "example/role-order", "bedrock-llama": "(example/role-order)"},
    ),
    "reserved words in the answer": (converse(placed(), answer="User: A pear."), {"bedrock-nova": "message/reserved-text"}),
    "a space in the name: Nova's page lists the characters": (converse(placed("s3://bucket/a b.png")), {"bedrock-nova": "image/unsupported-uri"}),
    "jpg as format: the API knows jpeg": (converse(placed(format_="jpg")), {"*": "example/invalid-shape"}),
    "an image in the answer: always textual, by the page of Llama": (
        {"schemaVersion": "bedrock-conversation-2024", "messages": [{"role": "user", "content": [{"text": "Draw."}]}, {"role": "assistant", "content": [{"text": "A pear."}, placed()]}]},
        {"bedrock-llama": "(message/assistant-image)"},
    ),
    "weight 0: the format of Bedrock has none": (
        {"schemaVersion": "bedrock-conversation-2024", "messages": [converse(placed())["messages"][0], {"role": "assistant", "content": [{"text": "A pear."}], "weight": 0}]},
        {"*": "message/unread-field (message/unknown-key)"},
    ),
    "behind https: images are in the bucket": (converse(placed("https://example.com/a.png")), {"*": "image/unsupported-url-scheme"}),
    "an empty answer": (converse(placed(), answer=""), {"*": "(message/empty-content)"}),
    "no owner of the bucket: Amazon's validator wants one": (
        converse({"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/a.png"}}}}),
        {"bedrock-nova": "(message/no-bucket-owner)"},
    ),
    "tools: Amazon's converter refuses them for Nova 1": (
        converse(placed(), toolConfig={"tools": []}),
        {"bedrock-nova": "(example/refused-key)"},
    ),
    "preferences: SageMaker takes them for Nova 1": (
        chosen({"content": [{"text": "A pear."}], "preferenceLabel": "preferred"}, {"content": [{"text": "An apple."}], "preferenceLabel": "non-preferred"}),
        {"*": "(example/unsupported-preference)"},
    ),
}  # fmt: skip
TABLES = (
    (OPENAI, OPENAI_SHAPED, {"images": []}),
    (PREFERENCES, ("openai", "azure", "together", "fireworks"), {}),
    (VERTEX, ("vertex",), {}),
    (BEDROCK, ("bedrock-nova", "bedrock-llama"), {}),
)
CELLS = [
    pytest.param(example, provider, cells.get(provider, cells.get("*", ".")), columns, id=f"{condition}-{provider}")
    for table, providers, columns in TABLES
    for condition, (example, cells) in table.items()
    for provider in providers
]  # fmt: skip


@pytest.mark.parametrize(("example", "provider", "cell", "columns"), CELLS)
def test_cell(example: Example, provider: str, cell: str, columns: Example) -> None:
    write_jsonl("train.jsonl", [{**example, **(columns if provider == "trl" else {})}])

    report = lint(
        "train.jsonl", provider=provider, offline=True, cache=False, ignore=["file/too-few-examples"]
    )

    found = dict.fromkeys(
        finding.rule if finding.severity == "error" else f"({finding.rule})" for finding in report.findings
    )
    assert sorted(found) == sorted(cell.split() if cell != "." else ())


@pytest.mark.parametrize(
    ("provider", "model", "rule", "value"),
    [
        ("azure", "gpt-4.1-2025-04-14", "example/too-many-tokens", {"max_tokens": 65_536}),
        ("vertex", None, "file/too-many-validation-examples", {"max_validation_examples": 5_000}),
        ("vertex", "gemini-2.5-pro", "example/too-many-tokens", {"max_tokens": 131_072}),
        ("bedrock-llama", None, "example/too-many-tokens", {"max_tokens": 16_000}),
        ("bedrock-llama", "meta.llama3-2-90b-instruct-v1:0:128k", "example/too-many-tokens", {"max_tokens": 10_000}),
        ("bedrock-nova", None, "file/too-few-examples", {"min_examples": 8}),
        ("bedrock-nova", "amazon.nova-2-lite-v1:0:256k", "file/too-few-examples", {"min_examples": 200}),
        ("bedrock-nova", None, "image/unsupported-format", {"formats": ["JPEG", "PNG", "GIF", "WEBP"]}),
        ("bedrock-nova", "amazon.nova-2-lite-v1:0:256k", "image/unsupported-format", {"formats": ["JPEG", "PNG", "GIF"]}),
        ("bedrock-nova", "amazon.nova-2-lite-v1:0:256k", "file/unused-split", {"splits": ["train", "test"]}),
        ("bedrock-nova", "amazon.nova-2-lite-v1:0:256k", "example/unsupported-preference", {}),
        ("bedrock-nova", "amazon.nova-2-lite-v1:0:256k", "example/refused-key", {"refused": ["toolConfig"]}),
        ("together", None, "file/too-few-examples", {"min_examples": 1}),
        ("fireworks", None, "file/too-few-examples", {"min_examples": 3}),
    ],
)  # fmt: skip
def test_value_of_a_model(provider: str, model: str | None, rule: str, value: Example) -> None:
    of = load_provider(provider)

    assert of.for_model(of.model(model)).rules[rule].limits == value


def test_each_provider_has_a_column() -> None:
    columns = {provider for _, providers, _ in TABLES for provider in providers}

    assert columns | {"llamafactory"} == set(
        provider_ids()
    )  # tests/test_trainers.py has the column of llamafactory


def test_rules_in_the_cells_exist() -> None:
    cells = json.dumps([cell for table, _, _ in TABLES for _, cell in table.values()])

    named = {word.strip('(),"{}[]') for word in cells.split() if "/" in word}
    assert named <= shipped_rules().keys()
