"""Test splits in the data formats of trainers: their questions, and the images that go out with them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_vft import EvaluationError, evaluate
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main
from pytest_vft.runs.live import Evaluator

from .files import write_lines
from .server import Reply, serving

URL = data_url("png 30x30 rgb")
PNG = base64.b64decode(URL.partition(",")[2])
ASKED = {"role": "user", "content": "<image>Is it red?"}
BARE = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Is it red?"}]}
ANSWER = {"role": "assistant", "content": "Yes"}
OTHER = {"role": "assistant", "content": "No"}
FORMATS: dict[str, Mapping[str, Any]] = {
    "sharegpt": {
        "conversations": [
            {"from": "human", "value": "<image>\nIs it red?"},
            {"from": "gpt", "value": "Yes"},
        ],
        "image": "a.png",
    },
    "llamafactory": {"messages": [ASKED, ANSWER], "images": ["a.png"]},
    "alpaca": {"instruction": "<image>Is it red?", "input": "", "output": "Yes", "images": ["a.png"]},
    "ranking": {
        "conversations": [{"from": "human", "value": "<image>Is it red?"}],
        "chosen": {"from": "gpt", "value": "Yes"},
        "rejected": {"from": "gpt", "value": "No"},
        "images": ["a.png"],
    },
    "trl": {"prompt": [BARE], "completion": [ANSWER], "images": ["a.png"]},
    "trl preference": {"prompt": [BARE], "chosen": [ANSWER], "rejected": [OTHER], "images": ["a.png"]},
    "swift": {"query": "<image>Is it red?", "response": "Yes", "images": ["a.png"]},
    "openai-preference": {
        "input": {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": URL}},
                        {"type": "text", "text": "Is it red?"},
                    ],
                }
            ]
        },
        "preferred_output": [ANSWER],
        "non_preferred_output": [OTHER],
    },
}


@pytest.fixture(autouse=True)
def _image() -> None:
    Path("a.png").write_bytes(PNG)


def write_batch(*more: str) -> list[Any]:
    assert main(["eval", "--write-batch=b.jsonl", "--test=test.jsonl", "--model=m", *more]) == 0
    lines = Path("b.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["body"]["messages"] for line in lines]


@pytest.mark.parametrize("name", FORMATS)
def test_a_split_is_evaluated_and_sent_with_its_images(name: str) -> None:
    write_lines("test.jsonl", [FORMATS[name]] * 2)
    write_lines("preds.jsonl", [{"line": n, "predicted_answer": "Yes"} for n in (1, 2)])

    (first, _) = evaluate("preds.jsonl", test="test.jsonl").matched.answers

    assert first.truths == ("Yes",)
    ((message,), _) = write_batch()
    assert message["role"] == "user"
    assert message["content"][0] == {"type": "image_url", "image_url": {"url": URL}}
    (text,) = message["content"][1:]
    assert text["text"].strip() == "Is it red?"


def test_an_array_is_read_and_web_urls_are_sent_as_they_are() -> None:
    lines = [{**FORMATS["swift"], "images": ["https://example.org/a.png"]}]
    Path("test.jsonl").write_text(json.dumps(lines), encoding="utf-8")

    ((message,),) = write_batch()

    assert message["content"][0]["image_url"] == {"url": "https://example.org/a.png"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"images": ["gone.png"]}, "image 'gone.png' is not found"),
        ({"images": ["../a.png"]}, "image '../a.png' leads out of the image roots"),
        ({"images": ["text.png"]}, "image 'text.png' is not a JPEG, PNG, WEBP or GIF"),
        ({"images": ["file:///a.png"]}, "an image is a URL of the scheme file; expected data, http or https"),
        ({"images": []}, "0 images for 1 placeholder or listed image"),
    ],
)
def test_nothing_is_sent_without_its_image(
    more: Mapping[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text.png").write_text("no image", encoding="utf-8")
    write_lines("test.jsonl", [FORMATS["llamafactory"], {**FORMATS["llamafactory"], **more}])

    with serving(lambda _, __: Reply("Yes")) as endpoint, pytest.raises(EvaluationError) as raised:
        Evaluator().run(model="m", test="test.jsonl", transcript="t.jsonl", base_url=endpoint.url)
    assert main(["eval", "--write-batch=b.jsonl", "--test=test.jsonl", "--model=m"]) != 0

    assert not endpoint.requests
    assert f"test.jsonl:2: {words}" in str(raised.value)
    assert words in capsys.readouterr().err
    assert not Path("b.jsonl").exists()


def test_format_and_roots_may_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pictures").mkdir()
    Path("a.png").rename("pictures/b.png")
    write_lines("test.jsonl", [{"messages": [ASKED, ANSWER], "images": ["b.png"]}])
    write_lines("preds.jsonl", [{"line": 1, "predicted_answer": "No"}])
    given = ["--data-format=llamafactory", "--image-root=pictures"]

    ((message,),) = write_batch(*given)
    capsys.readouterr()
    assert main(["eval", "preds.jsonl", "--test=test.jsonl", "--min-accuracy=1", *given]) == 1

    assert message["content"][0]["image_url"] == {"url": URL}
    assert " ".join(given[:1]) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--data-format=lama", "data format 'lama': unknown"),
        ("--image-root=gone", "--image-root: gone: no such folder"),
        (
            "--image-root=s3://cards/i",
            "--image-root: s3://cards/i: is in object storage, and an image root",
        ),
    ],
)
def test_unusable_options_are_named(given: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_lines("test.jsonl", [FORMATS["swift"]])
    write_lines("preds.jsonl", [{"line": 1, "predicted_answer": "No"}])

    assert main(["eval", "preds.jsonl", "--test=test.jsonl", given]) != 0

    assert words in capsys.readouterr().err


def test_a_format_needs_a_test_split(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "preds.jsonl", "--data-format=trl"]) != 0

    assert "need the test split: --test=FILE" in capsys.readouterr().err


def test_a_placeholder_of_openai_is_not_sent_without_an_image() -> None:
    write_lines("test.jsonl", [{"messages": [ASKED, ANSWER]}])

    assert main(["eval", "--write-batch=b.jsonl", "--test=test.jsonl", "--model=m"]) != 0
