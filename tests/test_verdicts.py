"""Verdicts of single providers: what a provider takes, loses and refuses, and what is worth a note."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from forms import BARE, Example, answered, asked, images, parts, write

from pytest_vft import UsageError, compare_providers
from pytest_vft.catalogue.cases import data_url, draw
from pytest_vft.cli import main
from pytest_vft.compatibility import Compatibility
from pytest_vft.report.matrix_text import render_matrix_text

NOVA_2 = "amazon.nova-2-lite-v1:0:256k"
CALL = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def judged(provider: str, *examples: Example, name: str = "train.jsonl", **options: Any) -> Compatibility:
    """Return the verdict of *provider* on *examples*, repeated until there are 210."""
    write(*[examples[n % len(examples)] for n in range(210)], name=name)
    return compare_providers(name, providers=provider, offline=True, cache=False, **options)[provider]


def reasons(one: Compatibility) -> list[tuple[str, str | None]]:
    return [(reason.effect, reason.rule) for reason in one.reasons]


def shown(**part: Any) -> Example:
    return {"messages": [{"role": "user", "content": [part, *parts("Which lot?")]}, answered("7")]}


def stored(kind: str = "png", **answer: Any) -> Example:
    location = {"uri": f"s3://lots/a.{kind}", "bucketOwner": "123456789012"}
    image = {"image": {"format": kind, "source": {"s3Location": location}}}
    return {
        "schemaVersion": "bedrock-conversation-2024",
        "messages": [
            {"role": "user", "content": [image, {"text": "Which lot?"}]},
            {"role": "assistant", "content": [{"text": "7"}], **answer},
        ],
    }


def preference(content: Any, *preferred: Example) -> Example:
    return {
        "input": {"messages": [{"role": "user", "content": content}]},
        "preferred_output": list(preferred or [answered("7")]),
        "non_preferred_output": [answered("8")],
    }


def openai(**more: Any) -> Example:
    image = {"type": "image_url", "image_url": {"url": data_url("png 64x64 rgb")}}
    return {"messages": [{"role": "user", "content": parts(image, "Which lot?"), **more}, answered("7")]}


@pytest.mark.parametrize("key", ["path", "url", "base64"])
def test_unsloth_opens_parts_with_image_or_image_url_only(key: str) -> None:
    path = images(1)[0]
    value = base64.b64encode(draw("png 64x64 rgb")[1]).decode() if key == "base64" else path

    assert judged("unsloth", shown(type="image", image=path)).verdict == "takes"
    assert judged("axolotl", shown(type="image", **{key: value})).verdict == "takes"
    assert reasons(judged("unsloth", shown(type="image", **{key: value}))) == [
        ("refuses", "message/unsupported-image-key")
    ]


@pytest.mark.parametrize("provider", ["openai", "fireworks", "swift", "axolotl"])
def test_an_image_at_a_key_of_a_message_is_lost(provider: str) -> None:
    """A key that has nothing to do with images is not."""
    ollama = {"messages": [{**asked("Which lot?"), "images": ["iVBORw0KGgo="]}, answered("7")]}

    assert judged(provider, openai(note="A")).verdict == "takes"
    assert reasons(judged(provider, ollama)) == [("loses", "message/unknown-key")]


def test_a_placeholder_without_an_image_is_a_note() -> None:
    one = judged("fireworks", {"messages": [asked("<image>\nWhich lot?"), answered("7")]})

    assert (one.verdict, reasons(one)) == ("takes", [("note", "example/missing-image")])
    comparison = compare_providers("train.jsonl", providers="fireworks")
    text = " ".join(render_matrix_text(comparison).split())
    assert "takes note: 210 examples have <image> in message 1, but no image" in text


def test_fireworks_reads_preferences_of_strings() -> None:
    image = {"type": "image_url", "image_url": {"url": data_url("png 64x64 rgb")}}

    assert judged("fireworks", preference("Which lot?")).verdict == "takes"
    assert reasons(judged("fireworks", preference(parts("Which lot?")))) == [
        ("refuses", "example/list-in-preference")
    ]
    assert ("refuses", "example/image-in-preference") in reasons(
        judged("fireworks", preference(parts(image, "Which lot?")))
    )


def test_together_takes_one_message_in_an_answer() -> None:
    talk = preference("Which lot?", answered("7"), asked("Sure?"), answered("Yes."))

    assert judged("together", preference("Which lot?")).verdict == "takes"
    assert reasons(judged("together", talk)) == [("refuses", "example/several-answer-messages")]


@pytest.mark.parametrize("provider", ["bedrock-nova", "bedrock-llama"])
def test_bedrock_has_no_weight(provider: str) -> None:
    assert "message/unread-field" not in {rule for _, rule in reasons(judged(provider, stored(weight=1)))}
    assert ("loses", "message/unread-field") in reasons(judged(provider, stored(weight=0)))


def test_nova_2_refuses_a_format_that_a_line_states() -> None:
    refused = ("refuses", "message/unsupported-image-format")

    assert refused not in reasons(judged("bedrock-nova", stored("webp")))
    assert refused not in reasons(judged("bedrock-nova", stored("png"), model=NOVA_2))
    assert refused in reasons(judged("bedrock-nova", stored("webp"), model=NOVA_2))


def test_what_only_the_validator_of_nova_refuses_is_a_note() -> None:
    text = {"messages": [{"role": role, "content": [{"text": "7"}]} for role in ("user", "assistant")]}

    one = judged("bedrock-nova", stored(), {**text, "schemaVersion": "bedrock-conversation-2024"})

    assert ("note", "file/images-in-some-examples") in reasons(one)


@pytest.mark.parametrize("provider", ["fireworks", "openai", "together"])
def test_who_reads_json_lines_refuses_an_array(provider: str) -> None:
    Path("train.json").write_text(json.dumps([openai()] * 12))

    assert reasons(compare_providers("train.json", providers=provider)[provider])[0] == (
        "refuses",
        "file/json-array",
    )


@pytest.mark.parametrize("provider", ["axolotl", "unsloth"])
def test_null_is_lost_and_absent_content_refused(provider: str) -> None:
    calling = {"role": "assistant", "tool_calls": [CALL]}
    null = {"messages": [asked("Which lot?"), {**calling, "content": None}]}
    absent = {"messages": [asked("Which lot?"), calling]}

    assert reasons(judged(provider, null)) == [("loses", "message/null-content")]
    assert reasons(judged(provider, absent)) == [("refuses", "message/missing-content")]


def test_roles_that_a_trainer_does_not_know() -> None:
    """LLaMA-Factory and ms-swift leave the example out; Axolotl gives any role to the template."""
    developer = {"messages": [{"role": "developer", "content": "Read labels."}, *openai()["messages"]]}
    tagged = {"conversations": [{"from": "developer", "value": "Read."}, {"from": "gpt", "value": "7"}]}

    assert {
        name: judged(name, developer).verdict for name in ("axolotl", "unsloth", "swift", "fireworks")
    } == {
        "axolotl": "takes",
        "unsloth": "takes",
        "swift": "loses",
        "fireworks": "refuses",
    }
    assert judged("llamafactory", tagged).verdict == "loses"
    assert judged("llamafactory", {"conversations": [{"from": "gpt"}]}).verdict == "refuses"
    assert judged("swift", {"body": openai()}).verdict == "refuses"


def test_reasons_are_sentences() -> None:
    """One example is a subject with a verb, and so are twelve; a file that is one of its lines is none."""
    batch = {"custom_id": "1", "method": "POST", "url": "/v1", "body": openai()}

    assert judged("openai", {"text": "7"}).reasons[0].message == "210 examples have no messages"
    assert judged("openai", batch).reasons[0].message.startswith("210 examples: each is a request of the ")


def test_a_model_that_a_provider_does_not_have_is_a_note() -> None:
    write(*[openai()] * 12)
    comparison = compare_providers("train.jsonl", providers=["openai", "azure"], model="gpt-4.1-2025-04-14")

    assert [reason.message for reason in comparison["openai"].reasons] == [
        "OpenAI does not have the model gpt-4.1-2025-04-14: judged for gpt-4o-2024-08-06"
    ]
    assert comparison["azure"].reasons == ()
    assert ", model gpt-4.1-2025-04-14, " in render_matrix_text(comparison)


def test_a_model_that_no_provider_has_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    write(*[openai()] * 12)

    assert main(["providers", "train.jsonl", "--provider=openai", "--model=nope"]) == 2
    assert "model 'nope': " in capsys.readouterr().err
    with pytest.raises(UsageError):
        compare_providers("train.jsonl", providers="bedrock-nova", model="nope")


def test_a_rule_runs_for_the_providers_that_state_it(capsys: pytest.CaptureFixture[str]) -> None:
    write(*[openai()] * 12)
    select = ["check", "train.jsonl", "--select=example/mixed-content", "--provider"]

    assert main([*select, "together,trl"]) == 1
    assert "example/mixed-content" in capsys.readouterr().out
    assert main([*select, "openai,trl"]) == 2
    assert "example/mixed-content: OpenAI does not state it" in capsys.readouterr().err


def test_what_could_not_be_checked_does_not_hide_what_is_lost() -> None:
    """Images that OpenAI skips are lost; other images, which were not fetched, may be lost."""
    old = "https://lots.s3.amazonaws.com/a.png?X-Amz-Date=20200101T000000Z&X-Amz-Expires=60"
    expired = shown(type="image_url", image_url={"url": old})
    other = shown(type="image_url", image_url={"url": "https://example.com/a.png"})

    assert judged("openai", other).verdict == "takes"
    assert [reason.message for reason in judged("openai", other).reasons] == [
        "210 images not checked: offline"
    ]
    assert judged("openai", expired, other).verdict == "loses"


def test_a_file_that_is_not_read_has_one_reason() -> None:
    Path("train.jsonl").write_text("id,question\n" + "1,Which?\n" * 12)

    assert len(compare_providers("train.jsonl", providers="azure")["azure"].reasons) == 1


def test_bare_parts_belong_to_images_in_a_column() -> None:
    example = {"messages": [{"role": "user", "content": parts(BARE, "Which lot?")}, answered("7")]}

    assert judged("trl", {**example, "images": images(1)}).verdict == "takes"
