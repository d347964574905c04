"""Images whose pixels cannot be measured: not checked by each rule on what images show, and said so."""

from __future__ import annotations

import io
import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from web.server import Server, serving

from pytest_vft import Report, lint
from pytest_vft.catalogue.cases import draw
from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.cli import main
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
    assert {rule.id: rule.gaps.get("damaged") for rule in report.rules if rule.gaps} == unknown(report)


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


# Each reason is given to the images that it is about, by all rules alike

ALIKE = "image/dark", "dataset/near-duplicate", "dataset/near-split-leak"
URL = "https://a.example/1.png"


def huge(side: int) -> bytes:
    """Return a PNG that claims to have *side* by *side* pixels."""
    png = draw("png 64x64 rgba")[1]
    header = b"IHDR" + struct.pack(">II", side, side) + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4) + png[33:]


def gaps(report: Report) -> dict[str, dict[str, int]]:
    """Return why rules could not judge images; the reasons add up."""
    for rule in report.rules:
        assert sum(rule.gaps.values()) == rule.tally.unknown
    return {rule.id: dict(rule.gaps) for rule in report.rules}


@pytest.mark.usefixtures("here")
def test_reasons_are_those_of_each_image() -> None:
    images = GOOD, TRUNCATED, gif(), huge(8_000), huge(14_000), URL

    found, text = gaps(check(*images)), " ".join(render(check(*images), "text").split())
    why = {"unfetched": 1, "damaged": 2, "undecoded": 1, "oversized": 1}
    assert {rule: found[rule] for rule in ALIKE} == dict.fromkeys(ALIKE, why)
    for said in (
        "1 image: offline (",
        f"2 images: {WHY} (",
        "1 image: too large to decode here (",
        "1 image: too large to decode here; depth full decodes one at a time (",
    ):
        assert said in text
    (undecoded,) = {one["undecoded"] for one in check(*images).as_dict()["rules"] if one["id"] in ALIKE}
    assert undecoded == 2

    header = gaps(check(*images, depth="header"))  # where no image is decoded, whatever is wrong with it
    assert [header[rule] for rule in ALIKE] == [{"header_only": 7}] * len(ALIKE)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


def images_of(server: Server, *paths: str) -> list[str]:
    return [f"http://127.0.0.1:{server.port}/{path}" for path in paths]


@pytest.mark.usefixtures("here", "online")
def test_url_that_is_not_settled_is_told_from_one_that_was_not_read_whole(server: Server) -> None:
    urls = images_of(server, "ok.jpg", "busy-for-an-hour")
    for depth, read in (("auto", {"header_only": 1}), ("full", {})):
        Path("train.jsonl").write_text("".join(line(url, f"What is {n}?") for n, url in enumerate(urls)))
        select = "image/dark", "image/odd-aspect", "dataset/near-duplicate"
        report = lint("train.jsonl", select=select, depth=depth, allow_private=True)

        odd, dark, near = (
            gaps(report)[id_] for id_ in ("image/odd-aspect", "image/dark", "dataset/near-duplicate")
        )
        assert odd == {"unfetched": 1}
        assert dark == near == {"unfetched": 1} | read
        text = render(report, "text")
        assert "not checked: 1 image: not settled (" in text
        assert ("1 image: not decoded; depth full fetches whole images (" in text) is (depth == "auto")


@pytest.mark.usefixtures("here")
def test_reason_why_nothing_was_checked_is_that_of_each_rule(capsys: pytest.CaptureFixture[str]) -> None:
    rules = "image/odd-aspect", "image/unsupported-format", "image/truncated", "image/dark"
    check_it = ["check", "train.jsonl", "--offline", f"--select={','.join(rules)}"]

    Path("train.jsonl").write_text(line(URL, "What?"))
    assert main([*check_it, "--depth=header"]) == 2
    assert capsys.readouterr().err == (
        "vft: nothing was checked by image/dark: not decoded at depth header; "
        "image/odd-aspect, image/truncated, image/unsupported-format: offline\n"
    )
    Path("train.jsonl").write_text(line("http://127.0.0.1/1.png", "What?"))
    assert main(check_it) == 2
    assert "no image could be read from 1 URL\n" in capsys.readouterr().err


# What the depth leaves out, and nothing else, fails only what was asked for


@pytest.mark.parametrize("image", [gif(), TRUNCATED, huge(14_000)], ids=["GIF", "truncated", "too large"])
@pytest.mark.usefixtures("here")
def test_rule_that_is_on_by_default_fails_for_what_no_depth_decodes(image: bytes) -> None:
    def failing(depth: str) -> set[str]:
        options = {"provider": "swift", "offline": True, "require_checked": True, "ignore": "image/*"}
        report = lint("train.jsonl", validation="validation.jsonl", depth=depth, **options)
        return {rule.id for rule in report.failing}

    Path("train.jsonl").write_text(line(GOOD, "What?") + line(image, "Who?"))
    Path("validation.jsonl").write_text(line(OTHER, "Where?"))
    assert "dataset/near-split-leak" in failing("auto")
    assert "dataset/near-split-leak" not in failing("header")


@pytest.mark.usefixtures("here", "online")
def test_image_that_only_depth_full_fetches_does_not_hide_another(server: Server) -> None:
    def failing(*images: bytes | str, **options: Any) -> bool:
        Path("train.jsonl").write_text("".join(line(one, f"What is {n}?") for n, one in enumerate(images)))
        both = {"validation": "validation.jsonl", "require_checked": True, "allow_private": True}
        report = lint("train.jsonl", **both, **options)
        return "dataset/near-split-leak" in {rule.id for rule in report.failing}

    (url,) = images_of(server, "ok.jpg")
    Path("validation.jsonl").write_text(line(OTHER, "Where?"))
    assert not failing(GOOD, url)
    assert failing(GOOD, url, TRUNCATED)
    assert failing(GOOD, url, extend_select="dataset/near-split-leak")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("image", [TRUNCATED, "https://images.example.com/a.png"], ids=["damaged", "URL"])
def test_image_in_a_file_in_which_a_rule_is_ignored_needs_no_check(image: bytes | str) -> None:
    Path("vft.toml").write_text(
        '[per-file-ignores."train.jsonl"]\n"image/dark" = "old"\n"image/animated" = "old"'
    )
    Path("train.jsonl").write_text(line(image, "What?"))
    Path("test.jsonl").write_text(line(GOOD, "Who?"))
    select = ["image/dark", "image/animated"]

    report = lint("train.jsonl", test="test.jsonl", select=select, offline=True, require_checked=True)

    assert report.ok
    assert unknown(report) == {}
    assert not any(rule.gaps for rule in report.rules)
    assert '<skipped message="ignored: old" />' in render(report, "junit")
    assert "not checked: 1 image" not in render(report, "text")


@pytest.mark.usefixtures("here")
def test_rule_of_a_project_is_asked_for() -> None:
    Path("rules/image").mkdir(parents=True)
    head, _, _ = shipped_rules()["image/dark"].path.read_text(encoding="utf-8").partition("[[cases]]")
    Path("rules/image/own.toml").write_text(head.replace("off      = true", ""))
    Path("vft.toml").write_text('rules = ["rules"]')
    Path("train.jsonl").write_text(line(GOOD, "What?"))

    report = lint("train.jsonl", depth="header", offline=True, require_checked=True)

    assert "image/own" in {rule.id for rule in report.failing}


@pytest.mark.usefixtures("here")
def test_skipped_examples_are_counted_only_by_all_rules_on_them() -> None:
    grey = draw("jpeg 64x64 l")[1]
    Path("train.jsonl").write_text("".join(line(one, f"What is {n}?") for n, one in enumerate((grey, GOOD))))

    def unknown_files(select: str) -> int:
        report = lint("train.jsonl", select=select, offline=True)
        return unknown(report).get("file/too-many-skipped", 0)

    assert unknown_files("file,image") == 0
    assert unknown_files("file/too-many-skipped,image/unsupported-mode") == 1


# Rules of a project, which need no guard


HEAD = """summary = "Own."
severity = "warning"
message = "x"
advice = "x"
why = "x"
source = "https://wiki.example.com/scans"
checked = 2026-11-21
"""


def own_rules(scope: str, **conditions: str) -> None:
    """Write rules of *scope* with these conditions, by name, and the configuration that finds them."""
    folder = Path("rules", scope)
    folder.mkdir(parents=True)
    for name, text in conditions.items():
        (folder / f"{name}.toml").write_text(HEAD + text + "\n")
    Path("vft.toml").write_text('rules = ["rules"]')


@pytest.mark.usefixtures("here")
def test_private_image_that_may_be_fetched_is_offline_like_any_other() -> None:
    def rules(url: str, **options: Any) -> dict[str, dict[str, int]]:
        Path("train.jsonl").write_text(line(url, "What?") + line(GOOD, "Who?"))
        found = gaps(lint("train.jsonl", select="image", offline=True, **options))
        return {id_: gap for id_, gap in found.items() if id_ != "image/not-public"}  # which is waived

    private = "http://127.0.0.1:8765/1.png"
    assert not any(rules(private).values())  # refused, which is a finding
    assert rules(private, allow_private=True) == rules(URL)
    assert rules(URL)["image/too-small"] == {"unfetched": 1}


@pytest.mark.parametrize("depth", ["header", "auto", "full"])
@pytest.mark.usefixtures("here")
def test_image_that_is_not_there_has_a_reason_of_its_own(depth: Any) -> None:
    own_rules(
        "image",
        entropy="[require]\nentropy = { minimum = 1 }",
        width="[require]\nwidth = { minimum = 1 }",
    )
    images = "data:image/jpeg;base64,!", "data:image/jpeg,x", "http://127.0.0.1/1.png"
    Path("train.jsonl").write_text("".join(line(one, f"What is {n}?") for n, one in enumerate(images)))

    report = lint("train.jsonl", select="image/entropy,image/width", depth=depth, offline=True)

    assert [gaps(report)[f"image/{name}"] for name in ("entropy", "width")] == [{"absent": 3}] * 2
    assert "3 images: missing, unreachable, or not an image" in " ".join(render(report, "text").split())


@pytest.mark.usefixtures("here")
def test_reasons_are_counted_only_by_rules_on_what_is_not_known() -> None:
    similar = "[require]\nsimilar = { const = 0 }"
    own_rules(
        "dataset",
        splits='[when]\nkind = { const = "similar image" }\n[require]\nsplits = { maxItems = 1 }',
        copies='[when]\nkind = { const = "near copy" }\n[require]\ncopies = { maximum = 9 }',
        elsewhere='[when]\nkind = { const = "near copy" }\nsplits = { items = { const = "test" } }\n'
        + similar,
        enum='[when]\nkind = { enum = ["similar image"] }\n' + similar,
    )
    Path("train.jsonl").write_text(line(GOOD, "What?") + line(TRUNCATED, "Who?") + line(gif(), "Where?"))
    Path("test.jsonl").write_text(line(draw("png 64x64 rgb shows=shapes")[1], "When?"))

    report = lint("train.jsonl", test="test.jsonl", select="dataset", offline=True)

    known = {f"dataset/{name}": {} for name in ("splits", "copies", "elsewhere")}
    assert known.items() <= gaps(report).items()
    assert gaps(report)["dataset/enum"] == {"damaged": 2}
    assert f"2 images: {WHY} (dataset/" in " ".join(render(report, "text").split())
