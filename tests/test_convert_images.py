"""No image is lost in silence by vft convert, and none that it writes goes unchecked."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from forms import Example, answered

from pytest_vft import build_example, compare_providers, convert, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main

ASKED = {"role": "user", "content": "?"}
BASE64 = data_url("png 64x64 rgb").partition(",")[2]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def examples(count: int = 12, image: str = "png 64x64 rgb") -> list[Example]:
    return [build_example(f"Which is it, {n}?", f"It is {n}.", data_url(image)) for n in range(count)]


def with_key(content: Any, **keys: Any) -> Example:
    return {"messages": [{"role": "user", "content": content, **keys}, answered("A lot.")]}


@pytest.mark.parametrize(
    "one",
    [
        with_key("Which lot?", images=[BASE64]),
        with_key([{"type": "text", "text": "Which lot?", "image": BASE64}]),
        {**with_key("Which lot?"), "picture": BASE64},
    ],
)
def test_images_in_keys_that_are_not_read_are_a_loss_that_changes_training(one: Example) -> None:
    write_jsonl("train.jsonl", [one] * 12)

    result = convert("train.jsonl", to="together", out="out")
    comparison = compare_providers("train.jsonl", providers="together", offline=True)

    assert not result.written
    assert result.refused[0].why.endswith("(--allow-loss=images)")
    assert convert("train.jsonl", to="together", out="out", allow_loss="images").losses == {"images": 12}
    after = comparison["together"].after
    assert after is not None
    assert (after.verdict, after.left) == ("loses", ("12 images in keys that are not read",))


def test_a_key_of_images_that_has_none_is_no_loss_of_images() -> None:
    write_jsonl("train.jsonl", [with_key("Which lot?", images=[])] * 12)

    assert convert("train.jsonl", to="openai", out="out").losses == {"key images": 12}


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("png 64x64 rgb cut=40", "image ends too early"),
        ("png 64x64 rgb bytes=10485761", "image has 10,485,761 bytes"),
        ("png 64x64 rgb", None),
    ],
)
def test_images_that_are_written_for_a_bucket_are_judged(image: str, why: str | None) -> None:
    write_jsonl("train.jsonl", [*examples(), *examples(1, image)])
    options: dict[str, Any] = {
        "to": "bedrock-nova",
        "image_prefix": "s3://acme/x/",
        "bucket_owner": "123456789012",
    }

    result = convert("train.jsonl", out="out", **options)
    after = compare_providers("train.jsonl", providers="bedrock-nova", offline=True)["bedrock-nova"].after

    assert after is not None
    assert (result.ok, after.verdict) == ((True, "takes") if why is None else (False, "refuses"))
    if why is not None:
        assert result.refused[0].why.startswith(why)
        assert result.refused[0].place == "13"
        assert convert("train.jsonl", out="out", drop=True, **options).outputs[0].kept == 12


def late(one: Example) -> str:
    """Write a file of which one example beyond the first ones is *one*, and two are late and sound."""
    write_jsonl("train.jsonl", [*examples(150), one, *examples(2)])
    return "train.jsonl"


@pytest.mark.parametrize(
    ("to", "one", "verdict", "left"),
    [
        ("axolotl", {"messages": [ASKED, {**answered("A."), "weight": 0}]}, "loses", "weight"),
        ("together", examples(1, "png 64x64 rgb cut=40")[0], "refuses", "1 image ends too early"),
        ("together", examples(1, "png 64x64 rgb bytes=10485761")[0], "refuses", "1 image has 10,485,"),
        ("together", {"messages": [ASKED, *examples(1)[0]["messages"]]}, "takes", ""),
    ],
)
def test_faults_beyond_the_first_examples_are_tried(
    to: str, one: Example, verdict: str, left: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = late(one)

    after = compare_providers(path, providers=to, offline=True)[to].after

    assert after is not None
    assert (after.verdict, after.sampled) == (verdict, True)
    assert "; ".join(after.left).startswith(left)
    code = main(shlex.split(after.command)[1:])
    assert (code == 0) == (verdict != "refuses"), capsys.readouterr().out


def test_what_counts_a_whole_file_is_unknown_after_a_conversion_of_a_sample() -> None:
    path = late({"messages": [ASKED, *examples(1)[0]["messages"]]})
    Path("small.toml").write_text(
        'name = "Small"\nsource = "https://example.com"\nchecked = 2026-11-30\nextends = "together"\n'
        '[rules."file/too-many-examples"]\nlimits = { max_examples = 150 }\n'
        'source = "https://example.com"\nchecked = 2026-11-30\n'
    )

    (one,) = compare_providers(path, providers="small.toml", offline=True).providers

    assert (one.verdict, one.after and one.after.verdict) == ("refuses", "unknown")


def test_what_was_not_fetched_is_taken_after_a_conversion() -> None:
    url = {"type": "image_url", "image_url": {"url": "https://example.com/1.png"}}
    write_jsonl("train.jsonl", [with_key([{"type": "text", "text": f"{n}?"}, url]) for n in range(12)])

    one = compare_providers("train.jsonl", providers="trl", offline=True)["trl"]

    assert one.after is not None
    assert (one.verdict, one.after.verdict) == ("unknown", "takes")


def test_texts_of_a_preference_are_strings_for_fireworks() -> None:
    def said(role: str, *texts: str) -> list[Example]:
        return [{"role": role, "content": [{"type": "text", "text": text} for text in texts]}]

    write_jsonl(
        "train.jsonl",
        [
            {
                "input": {"messages": said("user", "Which?", f"{n}")},
                "preferred_output": said("assistant", f"Lot {n}."),
                "non_preferred_output": said("assistant", "No."),
            }
            for n in range(12)
        ],
    )

    after = compare_providers("train.jsonl", providers="fireworks", offline=True)["fireworks"].after
    result = convert("train.jsonl", to="fireworks", out="out")

    assert after is not None
    assert (after.verdict, result.ok) == ("takes", True)
    first = json.loads(Path("out/train.jsonl").read_text().splitlines()[0])
    assert first["input"]["messages"] == [{"role": "user", "content": "Which?\n0"}]


def test_what_a_conversion_leaves_is_named_rule_by_rule(capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl("train.jsonl", examples())
    command = ["convert", "train.jsonl", "--to=bedrock-nova", "--out=out", "--image-prefix=s3://acme/x/"]

    assert main(command) == 0

    out = capsys.readouterr().out
    assert "\nwarning message/no-bucket-owner: 12 messages\n" in out
    assert "\nnot checked: 12 images: not opened (" in out
    assert out.endswith("\nnext: aws s3 cp out/train.jsonl s3://acme/x/\n")


def test_examples_that_are_refused_for_different_reasons_have_one_of_them() -> None:
    image = {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://acme/N.png"}}}}
    text = json.dumps({"messages": [{"role": "user", "content": [image, {"text": "?"}]}]})
    answer = {"role": "assistant", "content": [{"text": "A lot."}]}
    lines = [json.loads(text.replace("N", f"{n}")) for n in range(12)]
    write_jsonl("train.jsonl", [{"messages": [*one["messages"], answer]} for one in lines])

    after = compare_providers("train.jsonl", providers="trl", offline=True)["trl"].after

    assert after is not None
    (left,) = after.left
    assert left.startswith("12 examples cannot be converted: image cannot be fetched: s3://acme/0.png: ")
    assert left.endswith("write paths instead (and 11 other reasons)")


def test_a_key_that_llamafactory_does_not_read_is_at_most_a_loss() -> None:
    asked = {"role": "user", "content": "Which?"}
    write_jsonl("train.jsonl", [{"messages": [asked, {**answered(f"{n}"), "loss": True}]} for n in range(12)])

    one = compare_providers("train.jsonl", providers="llamafactory", offline=True)["llamafactory"]

    assert (one.verdict, [reason.message for reason in one.reasons]) == (
        "loses",
        ["12 messages have an unknown key loss"],
    )
