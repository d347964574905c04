"""Images whose pixels cannot be measured: not checked by each rule on what images show, and said so."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pytest_vft import Report, lint
from pytest_vft.catalogue.cases import draw
from pytest_vft.report.formats import render

SHOWN = "dark", "bright", "low-information", "blurry", "grayscale"
RULES = {*(f"image/{name}" for name in SHOWN), "dataset/near-duplicate", "dataset/near-split-leak"}
WHY = "damaged, or in a format that is not decoded"
GOOD, OTHER = draw("jpeg 128x96 rgb shows=shapes")[1], draw("jpeg 128x96 rgb shows=other-shapes")[1]
TRUNCATED = OTHER[: len(OTHER) * 6 // 10]


def gif() -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(OTHER)).save(file, "GIF")
    return file.getvalue()


def line(image: bytes | str, question: str) -> str:
    url = image if isinstance(image, str) else f"data:image/jpeg;base64,{b64encode(image).decode()}"
    content = [{"type": "text", "text": question}, {"type": "image_url", "image_url": {"url": url}}]
    answer = {"role": "assistant", "content": "A dog."}
    return json.dumps({"messages": [{"role": "user", "content": content}, answer]}) + "\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(*images: bytes | str, **options: Any) -> Report:
    """Return the report on a training split of *images* and a test split with a sound image."""
    Path("train.jsonl").write_text("".join(line(one, f"What is {n}?") for n, one in enumerate(images)))
    Path("test.jsonl").write_text(line(draw("png 64x64 rgb shows=shapes")[1], "Who?"))
    return lint("train.jsonl", test="test.jsonl", select=RULES, offline=True, require_checked=True, **options)


def unknown(report: Report) -> dict[str, int]:
    return {rule.id: rule.tally.unknown for rule in report.rules if rule.tally.unknown}


@pytest.mark.usefixtures("here")
def test_what_is_no_image_has_nothing_to_measure() -> None:
    report = check(GOOD, "data:image/jpeg;base64,!", "data:image/jpeg,x")

    assert not unknown(report)
    assert report.ok


@pytest.mark.parametrize(
    "image", [TRUNCATED, OTHER[:100], gif(), b"<html>"], ids=["truncated", "without a header", "GIF", "HTML"]
)
@pytest.mark.usefixtures("here")
def test_image_whose_pixels_cannot_be_measured_was_not_checked(image: bytes) -> None:
    report = check(GOOD, image, image)  # a rule on the dataset judges each image once

    once = dict.fromkeys(RULES & {rule.id for rule in report.rules if rule.id.startswith("dataset/")}, 1)
    assert unknown(report) == dict.fromkeys(RULES, 2) | once
    assert {rule.id for rule in report.failing} == RULES
    assert {rule.id: rule.damaged for rule in report.rules if rule.damaged} == unknown(report)


@pytest.mark.usefixtures("here")
def test_all_reports_tell_damaged_images_from_those_that_are_offline() -> None:
    report = check(GOOD, TRUNCATED, "https://a.example/1.png")

    for kind in ("text", "markdown", "junit", "html", "concise"):
        shown = " ".join(render(report, kind).split())
        assert WHY in shown, kind
        assert "offline" in shown, kind
    rules = [one for one in json.loads(render(report, "json"))["rules"] if one["id"] in RULES]
    assert [(one["unknown"], one["damaged"]) for one in rules] == [(2, 1)] * len(RULES)
    assert check(GOOD, TRUNCATED, "https://a.example/1.png") == report  # from the cache


@pytest.mark.usefixtures("here")
def test_local_image_that_was_opened_is_not_said_to_be_unopened() -> None:
    image = Path("image.jpg")
    message = {"role": "user", "content": [{"type": "image", "image": image.name}]}
    answer = {"role": "assistant", "content": "A dog."}
    Path("train.jsonl").write_text(json.dumps({"messages": [message, answer]}) + "\n")

    for data, depth, why in ((TRUNCATED, "auto", WHY), (GOOD, "header", "not decoded at depth header")):
        image.write_bytes(data)
        report = lint("train.jsonl", select="image/dark", depth=depth, data_format="swift", offline=True)
        assert why in render(report, "text")
