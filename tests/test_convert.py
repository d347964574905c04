"""vft convert: files that the target takes, losses that are said, and nothing written by halves."""

from __future__ import annotations

import ast
import json
import os
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pybase64
import pytest
from forms import FORMS, Example, answered, asked, examples_of
from forms import write as write_lines
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from web.server import Server, serving

import pytest_vft
from pytest_vft import UsageError, build_example, convert, lint, write_jsonl
from pytest_vft.catalogue.cases import data_url, draw
from pytest_vft.catalogue.providers import provider_ids
from pytest_vft.checking import processes
from pytest_vft.cli import main
from pytest_vft.converting import parquet as parquet_writer
from pytest_vft.converting import repairs, work
from pytest_vft.reading import image_reader
from pytest_vft.reading.images import read_image
from pytest_vft.report.conversion import Conversion, render_conversion
from pytest_vft.runs.conversion import convert_files
from pytest_vft.runs.conversion_request import read_request

TRAINERS = ("trl", "llamafactory", "swift", "axolotl", "unsloth", "together", "fireworks", "azure", "openai")
WEIGHT = st.sampled_from([None, 0])
PNG = draw("png 64x64 rgb")[1]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def example(number: int, image: str | None = None) -> Example:
    picture = data_url(f"png {64 + number}x64 rgb") if image is None else image
    return build_example(f"Which is it, {number}?", f"It is {number}.", picture, system="Be brief.")


def dataset(*more: Example, name: str = "train.jsonl", count: int = 12) -> str:
    write_jsonl(name, [*map(example, range(count)), *more])
    return name


def lines(path: str | Path) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


def files(folder: str | Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


# What comes out is taken


@pytest.mark.parametrize("to", [name for name in TRAINERS if name in provider_ids()])
def test_a_converted_file_is_clean_for_the_provider(to: str) -> None:
    result = convert(dataset(), to=to, out="out")

    assert result.ok
    assert result.report is not None
    assert result.report.provider == to
    assert (result.refusals, result.outputs[0].kept) == (0, 12)
    again = lint("out/train.jsonl", provider=to, offline=True)
    assert [finding.rule for finding in again.findings] == []
    assert again.files[0].images == 12


@pytest.mark.parametrize("name", [name for name in FORMS if name != "openai-preference"])
def test_each_form_becomes_openai(name: str) -> None:
    write_lines(*examples_of(name))
    preference = "ranking" in name or "preference" in name

    result = convert("train.jsonl", to="openai", out="out")

    assert result.data_format == ("openai-preference" if preference else "openai")
    assert result.outputs[0].kept == 12
    first = lines("out/train.jsonl")[0]
    messages = (first["input"] if preference else first)["messages"]
    parts = [part for message in messages for part in message["content"] if isinstance(part, dict)]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert urls == [f"data:image/png;base64,{pybase64.b64encode(Path('images/0.png').read_bytes()).decode()}"]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(["trl", "llamafactory", "swift", "sharegpt"]), st.lists(WEIGHT, max_size=2))
def test_there_and_back_keeps_words_and_pixels(to: str, weights: list[int | None]) -> None:
    shots = [
        {**message, **({"weight": weight} if message["role"] == "assistant" and weight is not None else {})}
        for number, weight in enumerate(weights)
        for message in example(number)["messages"][1:]
    ]
    one = example(9)
    whole = {"messages": [one["messages"][0], *shots, *one["messages"][1:]]}
    write_lines(*[whole] * 12)

    there = convert("train.jsonl", to=to, out=f"there-{to}", force=True, allow_loss="weight")
    back = convert(f"there-{to}/train.jsonl", to="openai", out="back", force=True)

    assert back.written
    (found,) = {json.dumps(line) for line in lines("back/train.jsonl")}
    kept = json.loads(found)
    if there.losses.get("weight") or (to in ("llamafactory", "sharegpt") and 0 in weights):
        for message in (*whole["messages"], *kept["messages"]):
            message.pop("weight", None)
    assert [plain(message) for message in kept["messages"]] == [plain(m) for m in whole["messages"]]


def plain(message: Example) -> Example:
    """Return *message* with a list of one text as a string."""
    content = message["content"]
    if isinstance(content, list) and len(content) == 1 and content[0]["type"] == "text":
        return {**message, "content": content[0]["text"]}
    return message


# Images


def test_the_same_image_is_written_once_and_byte_for_byte() -> None:
    write_jsonl("train.jsonl", [example(n, data_url("png 64x64 rgb")) for n in range(12)])

    result = convert("train.jsonl", to="llamafactory", out="out")

    (name,) = files("out/images")
    assert Path("out/images", name).read_bytes() == PNG
    assert {image for line in lines("out/train.jsonl") for image in line["images"]} == {f"images/{name}"}
    assert result.changes == {"written to files": 12, "image files": 1}
    assert "changed: 12 images written to 1 file\n" in render_conversion(result)
    again = convert("train.jsonl", to="llamafactory", out="out", force=True)
    assert again.changes["image files"] == 1  # which was there already
    assert name.rpartition(".")[2] == "png"


def test_the_end_of_a_name_is_that_of_the_content() -> None:
    wrong = data_url("jpeg 64x64 rgb").replace("image/jpeg", "image/png")
    write_jsonl("train.jsonl", [example(n, wrong) for n in range(12)])

    convert("train.jsonl", to="llamafactory", out="out")

    assert all(name.endswith(".jpg") for name in files("out/images"))


def test_local_images_are_copied_and_embedded() -> None:
    write_lines(*examples_of("llamafactory"))

    convert("train.jsonl", to="trl", out="trl")
    convert("train.jsonl", to="together", out="together")

    image = lines("trl/train.jsonl")[3]["images"][0]
    assert Path("trl", image).read_bytes() == Path("images/3.png").read_bytes()
    assert lint("trl/train.jsonl", offline=True).ok
    url = lines("together/train.jsonl")[3]["messages"][1]["content"][0]["image_url"]["url"]
    assert pybase64.b64decode(url.partition(",")[2]) == Path("images/3.png").read_bytes()


def test_images_of_a_bucket_have_its_prefix() -> None:
    result = convert(
        dataset(),
        to="bedrock",
        out="out",
        images="files",
        image_prefix="s3://acme/x",
        bucket_owner="123456789012",
    )

    source = lines("out/train.jsonl")[0]["messages"][0]["content"][1]["image"]["source"]["s3Location"]
    (bucket, name) = source["uri"].split("s3://acme/x/")
    assert (bucket, source["bucketOwner"]) == ("", "123456789012")
    assert name in files("out")
    assert "copy out/images to s3://acme/x/images" in result.next


@pytest.mark.parametrize(
    "folder",
    [
        *(
            "s3://",
            "s3:///x",
            "s3://b/../etc",
            "s3://b/./x",
            "s3://b?x=1",
            "s3://b/x#y",
            "s3://b/$(id)",
            's3://b/"}',
        ),
        *(
            "s3://b//x",
            "gs://b",
            "/etc",
            "../x",
            "file:///etc",
            "s3:b",
            "s3://BUCKET/x",
            "s3://b/x\n",
            "s3://b/ü",
        ),
    ],
)
def test_a_prefix_that_is_no_folder_of_a_bucket_is_a_usage_error(folder: str) -> None:
    with pytest.raises(UsageError, match="expected s3://BUCKET/FOLDER/"):
        convert(dataset(), to="bedrock-nova", out="out", image_prefix=folder)

    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("to", "folder"),
    [("bedrock-nova", "s3://b"), ("bedrock-llama", "s3://a.b-c/2026/cards_1/"), ("vertex", "gs://a_b/x")],
)
def test_a_folder_of_a_bucket_is_taken(to: str, folder: str) -> None:
    assert convert(dataset(), to=to, out="out", image_prefix=folder).written


@pytest.mark.parametrize(
    "owner", ["", "abc", "12345678901", '123456789012"', "1234567890123", "١٢٣٤٥٦٧٨٩٠١٢"]
)
def test_an_owner_that_is_no_account_is_a_usage_error(owner: str) -> None:
    with pytest.raises(UsageError, match="expected the 12 digits of an account"):
        convert(dataset(), to="bedrock-nova", out="out", image_prefix="s3://b/", bucket_owner=owner)

    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("read", "to", "other"), [("bedrock", "vertex", "gs"), ("gemini", "bedrock-nova", "s3")]
)
def test_an_image_in_a_bucket_of_another_provider_is_refused(read: str, to: str, other: str) -> None:
    scheme = {"gs": "s3", "s3": "gs"}[other]
    convert(dataset(), to=read, out="there", images="files", image_prefix=f"{scheme}://b/")

    result = convert("there/train.jsonl", to=to, out="out", image_prefix=f"{other}://b/", data_format=read)

    assert not result.written
    (refused,) = result.refused
    assert (refused.number, f"{to} reads images from {other}://" in refused.why) == (12, True)


def test_no_folder_is_to_be_copied_if_there_is_none() -> None:
    result = convert(dataset(), to="trl", out="out", image_prefix="s3://acme/x/")

    assert [step for step in result.next if "copy" in step] == []


def test_a_path_out_of_the_roots_is_not_read(tmp_path: Path) -> None:
    Path("secret.png").write_bytes(PNG)
    Path("data").mkdir()
    write_lines(
        *[{"messages": [asked(), answered("A.")], "images": ["../secret.png"]}] * 12, name="data/train.jsonl"
    )

    result = convert("data/train.jsonl", to="together", out="out")

    assert not result.written
    assert result.refused[0].why == (
        "../secret.png: the path leads out of the image roots; --image-root=DIR names another root"
    )
    assert convert("data/train.jsonl", to="together", out="out", image_roots=tmp_path).refusals == 0


@pytest.mark.parametrize(
    ("to", "images", "words"),
    [
        ("together", "files", "together does not take images so; expected --images=keep or --images=embed"),
        ("llamafactory", "embed", "expected --images=files"),
        ("llamafactory", "copy", "images is 'copy'"),
    ],
)
def test_images_that_the_target_does_not_take(to: str, images: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        convert(dataset(), to=to, out="out", images=images)


# Repairs


@pytest.mark.parametrize("to", ["fireworks", "bedrock-nova"])
def test_a_format_that_is_refused_is_replaced(to: str) -> None:
    dataset(example(20, data_url("webp 64x64 rgb")))
    prefix = "s3://acme/x" if to == "bedrock-nova" else ""

    result = convert("train.jsonl", to=to, out="out", image_prefix=prefix)

    assert result.refusals == 0
    assert result.changes["repaired"] == (1 if to == "fireworks" else 0)  # Nova 1 reads WEBP


@pytest.mark.parametrize(
    ("image", "repaired"),
    [
        ("png 64x64 rgb", 0),
        ("png 64x64 rgba", 0),
        ("jpeg 64x64 cmyk", 1),
        ("png 64x64 l", 1),
        ("jpeg 64x48 rgb exif=rotated", 1),
        ("jpeg 64x48 rgb exif=gps", 1),
        ("png 64x64 rgb as=image/jpeg", 1),
    ],
)
def test_an_image_that_passes_is_not_touched_and_others_are_repaired(image: str, repaired: int) -> None:
    dataset(example(20, data_url(image)))

    result = convert("train.jsonl", to="openai", out="out")

    assert result.changes.get("repaired", 0) == repaired
    assert result.report is not None
    assert [finding.rule for finding in result.report.findings] == []
    if not repaired:
        assert lines("out/train.jsonl")[12] == example(20, data_url(image))


def test_base64_with_line_breaks_is_repaired() -> None:
    url = data_url("png 64x64 rgb")
    dataset(example(20, url[:60] + "\n" + url[60:]))

    result = convert("train.jsonl", to="openai", out="out")

    assert (result.ok, result.changes) == (True, {"repaired": 1})
    assert lines("out/train.jsonl")[12] == example(20, url)


def test_a_repair_is_in_the_file_as_well() -> None:
    dataset(example(20, data_url("jpeg 64x48 rgb exif=rotated")))

    result = convert("train.jsonl", to="llamafactory", out="out")

    assert result.changes["repaired"] == 1
    with Image.open(Path("out", lines("out/train.jsonl")[12]["images"][0])) as image:
        assert image.size == (48, 64)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


@pytest.mark.usefixtures("online")
def test_images_behind_urls_are_fetched_and_embedded(server: Server) -> None:
    dataset(
        example(20, f"http://127.0.0.1:{server.port}/ok.jpg"),
        example(21, f"http://127.0.0.1:{server.port}/ok.jpg"),
    )

    result = convert("train.jsonl", to="together", out="out", allow_private=True)

    assert result.ok
    assert result.changes == {"fetched": 2, "embedded": 2, "contents": 28}
    assert "2 images embedded; contents of 28 messages written as\n  lists\n" in render_conversion(result)
    assert server.paths["/ok.jpg"] == 1


@pytest.mark.usefixtures("online")
def test_an_image_that_is_not_there_is_refused(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{server.port}/404"
    dataset(example(20, url))
    command = ["convert", "train.jsonl", "--to=together", "--out=out", "--allow-private"]

    assert main(command) == 1

    printed = capsys.readouterr().out
    assert f"train.jsonl:13  refused: image cannot be fetched: {url}: 404 Not Found" in printed
    assert (
        "FAILED  1 of 13 examples cannot be converted; nothing was written (--drop sets it aside)" in printed
    )
    assert not Path("out").exists()

    assert main([*command, "--drop"]) == 0
    printed = capsys.readouterr().out
    assert "12 kept + 1 set aside = 13" in printed
    assert lines("out/train.jsonl.rej") == [example(20, url)]
    assert '"13"' in Path("out/train.jsonl.rej.csv").read_text()


def test_nothing_is_fetched_offline() -> None:
    dataset(example(20, "https://img.example.com/a.png"))

    result = convert("train.jsonl", to="together", out="out", offline=True)

    assert result.refused[0].why.endswith("--offline does not fetch")
    assert convert("train.jsonl", to="trl", out="out", offline=True).ok  # which takes URLs


# Losses


def with_weights() -> str:
    shown = [*example(1)["messages"][1:], *example(2)["messages"][1:]]
    shown[1] = {**shown[1], "weight": 0}
    return dataset({"messages": [*shown, *example(3)["messages"][1:]]})


def test_a_loss_that_changes_training_is_refused_unless_it_is_allowed() -> None:
    result = convert(with_weights(), to="axolotl", out="out")

    assert not result.written
    assert result.refused[0].why == "axolotl would lose which answers are trained on (--allow-loss=weight)"
    assert not Path("out").exists()

    allowed = convert("train.jsonl", to="axolotl", out="out", allow_loss="weight")
    assert (allowed.written, allowed.losses["weight"]) == (True, 1)


def test_one_reason_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl("train.jsonl", [*map(example, range(3)), *({"messages": []} for _ in range(9))])

    assert main(["convert", "train.jsonl", "--to=trl", "--out=out"]) == 1

    first, last = capsys.readouterr().out.splitlines()
    assert first == "train.jsonl:4  refused: messages is empty; 8 more"
    assert last.startswith("FAILED  9 of 12 examples")


def test_a_loss_that_does_not_change_training_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(
        "train.jsonl",
        [build_example(f"{n}?", "A.", data_url("png 64x64 rgb"), detail="low") for n in range(12)],
    )

    assert main(["convert", "train.jsonl", "--to=trl", "--out=out"]) == 0

    assert "\nlost: detail of 12 images\n" in capsys.readouterr().out


def test_the_other_name_of_a_system_message_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    with_developer = example(12)
    with_developer["messages"][0]["role"] = "developer"
    dataset(with_developer)

    assert main(["convert", "train.jsonl", "--to=trl", "--out=out"]) == 0

    assert "\nlost: role developer of 1 message, written as system\n" in capsys.readouterr().out
    assert convert("out/train.jsonl", to="openai", out="back").losses == {}


@pytest.mark.parametrize(
    ("to", "more"), [("llamafactory", {}), ("bedrock-nova", {"image_prefix": "s3://acme/x/"})]
)
def test_an_order_that_the_target_leaves_out_is_refused_before_it_is_written(
    to: str, more: dict[str, Any]
) -> None:
    hello, question = answered("Hello."), asked("And?")
    first, last = example(12)["messages"], example(13)["messages"]
    path = dataset({"messages": [hello, *first[1:]]}, {"messages": [*last, question]})

    assert not convert(path, to=to, out="out", **more).written
    result = convert(path, to=to, out="out", drop=True, **more)

    assert [one.why for one in result.refused] == [
        f"starts with an answer; {to} reads a question first",
        f"ends without an answer; {to} reads an answer last",
    ]
    assert (result.outputs[0].kept, result.ok) == (12, True)


def test_keys_that_are_lost_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    keyed = [{"id": n, "\x1bnote": "", **example(n)} for n in range(12)]
    keyed[0]["messages"][1]["colour"] = "red"
    write_jsonl("train.jsonl", keyed)

    assert main(["convert", "train.jsonl", "--to=openai", "--out=out"]) == 0

    assert "lost: keys \\x1bnote (12), id (12), colour (1)" in capsys.readouterr().out
    assert [line.keys() for line in lines("out/train.jsonl")] == [{"messages"}] * 12


def test_options_and_steps_are_those_of_the_files(capsys: pytest.CaptureFixture[str]) -> None:
    train, validation = dataset(), "validation.jsonl"
    write_jsonl(validation, map(example, range(20, 32)))
    arguments = [train, "--validation-data", validation]

    assert main(["convert", *arguments, "--to=openai", "--out=out", "--image-prefix=x/"]) == 0
    out = capsys.readouterr().out
    assert "note: --image-prefix has no effect" in out
    assert "vft submit plan out/train.jsonl --validation-data=out/validation.jsonl --provider=openai" in out
    assert main(["convert", train, "--to=llamafactory", "--out=lf"]) == 0
    out = capsys.readouterr().out
    assert ('dataset: "train"' in out, "--image-prefix" in out) == (True, False)
    assert main(["convert", validation, "--to=llamafactory", "--out=lf"]) == 2
    assert "dataset_info.json: exists already; --force adds to it" in capsys.readouterr().err


def test_an_image_as_a_word_is_said_alike_by_check_and_convert() -> None:
    """ms-swift puts an image in its place; for TRL it depends on the model."""
    word = build_example("What does <image> mean?", "A tag.", data_url("png 64x64 rgb"))
    path = dataset(word)

    (said,) = convert(path, to="swift", out="swift").refused
    assert "a text contains <image>" in said.why
    failed = {one.rule: one.severity for one in lint(path, provider="swift").findings}
    assert failed == {"example/image-as-word": "error"}
    report = convert(path, to="trl", out="trl").report
    assert report is not None
    assert {one.rule: one.severity for one in report.findings} == {"example/image-as-word": "warning"}


def test_an_unknown_loss_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"^--allow-loss=weigth \(did you mean 'weight'"):
        convert(dataset(), to="trl", out="out", allow_loss="weigth")


# Files


def test_all_files_have_one_shape() -> None:
    """A prompt with a completion in one file and messages in another cannot be trained on together."""
    shot = {**answered("It is 1."), "weight": 0}
    write_lines(*[{"messages": [asked("1?"), shot, asked("2?"), answered("It is 2.")]}] * 12)
    write_lines(*map(example, range(12)), name="validation.jsonl")

    result = convert("train.jsonl", "validation.jsonl", to="trl", out="out")

    assert result.losses == {}
    for name in ("train", "validation"):
        assert {frozenset(line) for line in lines(f"out/{name}.jsonl")} == {
            frozenset({"prompt", "completion", "images"})
        }


def test_an_array_becomes_lines() -> None:
    Path("cards.json").write_text(json.dumps(examples_of("sharegpt"), indent=2))

    result = convert("cards.json", to="openai", out="out")

    assert result.ok
    assert len(lines("out/cards.jsonl")) == 12


def test_what_cannot_be_read_is_set_aside_byte_for_byte() -> None:
    bad = [b"not json", b'{"messages": 7}', b'{"messages": [], "messages": []}', b"[7]"]
    good = Path(dataset()).read_bytes()
    Path("train.jsonl").write_bytes(b"\n".join(bad) + b"\n\n" + good)

    result = convert("train.jsonl", to="llamafactory", out="out", drop=True)

    (output,) = result.outputs
    assert (output.total, output.kept, output.aside, output.removed) == (17, 12, 4, {"blank line": 1})
    assert Path("out/train.jsonl.rej").read_bytes().splitlines() == bad
    assert "12" in Path("out/train.jsonl.origin.csv").read_text()


@pytest.mark.parametrize("more", [(), ("train.jsonl",)])
def test_a_file_of_which_nothing_is_left_fails(
    more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl("empty.jsonl", [{"messages": []}] * 12)
    dataset()

    assert main(["convert", *more, "empty.jsonl", "--to=axolotl", "--out=out", "--drop"]) == 1

    out = capsys.readouterr().out
    assert out.endswith("FAILED  out/empty.jsonl: has no example; all were set aside\n")
    assert "next:" not in out
    assert "PASSED" not in out


def test_more_than_may_be_dropped_is_not_written() -> None:
    write_jsonl("train.jsonl", [*map(example, range(12)), {"messages": []}, {"messages": []}])

    assert not convert("train.jsonl", to="trl", out="out", drop=True, max_dropped=1).written
    assert convert("train.jsonl", to="trl", out="out", drop=True, max_dropped=2).written


@pytest.mark.parametrize("to", ["openai", "together", "axolotl", "trl"])
def test_an_image_that_the_target_cannot_open_is_set_aside(to: str) -> None:
    whole, cut = draw("jpeg 64x64 rgb")[1], draw("jpeg 256x256 rgb")[1][:-200]
    for name, data in (("whole.jpg", whole), ("cut.jpg", cut)):
        Path(name).write_bytes(data)
    broken = [f"data:image/jpeg;base64,{pybase64.b64encode(cut).decode()}", "data:image/jpeg;base64,AAAA"]
    write_jsonl("embedded.jsonl", [example(n, data_url("png 64x64 rgb")) for n in range(12)])
    with Path("embedded.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(example(20, one))}\n" for one in broken)
    placed = [FORMS["trl"].example(n, "cut.jpg" if n == 12 else "whole.jpg") for n in range(13)]
    write_jsonl("files.jsonl", placed)

    result = convert("embedded.jsonl", "files.jsonl", to=to, out="out", drop=True)

    assert [(one.kept, one.aside) for one in result.outputs] == [(12, 2), (12, 1)]
    reasons = [f"{one.path}:{one.place} {one.why}" for one in result.refused]
    assert [one.partition(": ")[0] for one in reasons if "ends too early" in one] == [
        "embedded.jsonl:13 image ends too early",
        "files.jsonl:13 image ends too early",
    ]
    assert result.report is not None
    assert not [one for one in result.report.findings if one.rule.startswith("image/")]
    left = convert("embedded.jsonl", to=to, out="left", images="keep" if to != "trl" else None)
    assert left.written  # and the check says so


def test_a_file_that_exists_is_replaced_only_by_force() -> None:
    convert(dataset(), to="trl", out="out")

    with pytest.raises(UsageError, match="exists already"):
        convert("train.jsonl", to="trl", out="out")
    assert convert("train.jsonl", to="trl", out="out", force=True).ok


def test_the_input_is_not_replaced() -> None:
    with pytest.raises(UsageError, match="this file is read"):
        convert(dataset(), to="trl", out=".", force=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"to": "togehter"}, "did you mean 'together'"),
        ({"data_format": "opanai"}, "did you mean 'openai'"),
        ({"max_dropped": 1}, "--max-dropped has no effect without --drop"),
    ],
)
def test_mistakes_are_usage_errors(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        convert(dataset(), **{"to": "trl", "out": "out", **options})


def test_a_container_that_is_not_read_is_named() -> None:
    Path("train.jsonl").write_bytes(b"BZh9" + bytes(64))

    with pytest.raises(UsageError, match=r"train\.jsonl: is bzip2"):
        convert("train.jsonl", to="trl", out="out")


def test_a_file_without_examples_is_named() -> None:
    dataset()
    Path("empty.jsonl").write_text("\n\n")

    with pytest.raises(UsageError, match=r"empty\.jsonl: has no examples"):
        convert("train.jsonl", "empty.jsonl", to="trl", out="out")
    assert not Path("out").exists()


def test_a_provider_of_ones_own_has_the_style_of_its_parent() -> None:
    Path("acme.toml").write_text('name = "Acme"\nextends = "together"\n')

    result = convert(dataset(), to="./acme.toml", out="out")

    assert (result.ok, result.target) == (True, "acme")


def test_the_command_needs_a_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", dataset(), "--out=out"]) == 2
    assert "--to=NAME" in capsys.readouterr().err


def test_the_description_is_written_and_read() -> None:
    result = convert(dataset(), to="llamafactory", out="out")

    assert result.side_files == ("out/dataset_info.json",)
    assert result.report is not None
    assert result.report.files[0].layout["dataset"] == "train"


def test_the_description_of_other_data_is_kept() -> None:
    convert(dataset(), to="llamafactory", out="out")
    convert(dataset(name="more.jsonl"), to="llamafactory", out="out", force=True)

    described = json.loads(Path("out/dataset_info.json").read_bytes())
    assert {name: one["file_name"] for name, one in described.items()} == {
        "train": "train.jsonl",
        "more": "more.jsonl",
    }


def test_findings_of_the_check_fail_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", dataset(count=3), "--to=openai", "--out=out"]) == 1

    printed = capsys.readouterr().out
    assert "error file/too-few-examples" in printed
    assert "FAILED" in printed
    assert "next:" not in printed
    assert Path("out/train.jsonl").exists()


def test_a_name_is_never_a_command_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "tr\x1b[31main.jsonl"
    dataset({"messages": []}, name=name)

    assert main(["convert", name, "--to=trl", "--out=out"]) == 1

    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("to", ["trl", "unsloth", "axolotl", "swift"])
def test_a_file_name_stays_a_name_in_the_lines_to_copy(to: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\" $(id) '; id; b: #\u2028import os #.jsonl"
    written = "out/" + name

    assert main(["convert", dataset(name=name), f"--to={to}", "--images=keep", "--out=out"]) == 0

    (step,) = convert(name, to=to, out="out", force=True).next
    if to == "swift":
        assert shlex.split(step) == ["swift", "sft", "--dataset", written, "--model", "MODEL"]
    elif to == "axolotl":
        place = step.split("path: ")[1].split("\n")[0]
        assert json.loads(place) == written
    else:
        arguments = {one.arg: one.value for one in ast.walk(ast.parse(step)) if isinstance(one, ast.keyword)}
        assert ast.literal_eval(arguments["data_files"]) == written
    assert "\n  import os" not in capsys.readouterr().out


@pytest.mark.parametrize("to", ["trl", "axolotl", "swift", "llamafactory"])
def test_the_lines_to_copy_are_for_the_folder_of_the_images(to: str) -> None:
    result = convert(dataset(), to=to, images="files", out="of images")

    (folder, step) = result.next
    assert shlex.split(folder, comments=True) == ["cd", "of images"]
    assert "of images" not in step
    assert "train.jsonl" in step


def test_each_of_several_files_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", dataset(), dataset(name="b c.jsonl"), "--to=swift", "--out=out"]) == 0

    assert "next: likewise for 'out/b c.jsonl'\n" in capsys.readouterr().out


def test_several_processes_write_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LEAST_FORKED", 1)
    monkeypatch.setattr(processes, "_LEAST_SPAWNED", 1)
    monkeypatch.setattr(processes, "SHARD_BYTES", 1)
    monkeypatch.setattr(work, "SHARD_BYTES", 2_000)
    dataset({"messages": []}, *map(example, range(20, 30)))

    for jobs in (1, 2):
        result = convert("train.jsonl", to="llamafactory", out=f"out{jobs}", drop=True, jobs=jobs)
        assert (result.outputs[0].kept, result.refusals) == (22, 1)

    assert files("out1") == files("out2")
    for name in files("out1"):
        if not name.endswith(".csv"):
            assert Path("out1", name).read_bytes() == Path("out2", name).read_bytes()


def test_an_image_that_is_judged_is_decoded_once_in_all_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: Counter[bytes] = Counter()

    def counting(data: bytes, *, full: bool, **others: Any) -> Any:
        decoded[data] += full
        return read_image(data, full=full, **others)

    monkeypatch.setattr(image_reader, "read_image", counting)
    monkeypatch.setattr(repairs, "measure_image", lambda data, **others: counting(data, **others)[0])
    write_jsonl("train.jsonl", [example(number) for number in range(1, 13)])

    for out in ("one", "two"):
        assert convert("train.jsonl", to="llamafactory", out=out, drop=True).ok
    assert lint("train.jsonl").files[0].images == 12

    assert [decoded[draw(f"png {64 + number}x64 rgb")[1]] for number in range(1, 13)] == [1] * 12


KILLED = """
import os, signal, sys
from test_convert import unchecked
unchecked("out/first")  # so that what is loaded once is not loaded in each process
whole_write = os.write
def kill_at(step):
    def count(before_kill=lambda: None):
        nonlocal step
        step -= 1
        if step < 0:
            before_kill()
            os.kill(os.getpid(), signal.SIGKILL)
    def watch(event, arguments):
        changes = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir")
        if changes or (event == "open" and arguments[2] & os.O_CREAT and "out/" in str(arguments[0])):
            count()
    def write(file, data):
        count(lambda: whole_write(file, data[: len(data) // 2]))
        return whole_write(file, data)
    sys.addaudithook(watch)
    os.write = write
for step in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        kill_at(step)
        unchecked(f"out/{step}")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status))
    if not status:
        break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9, and many processes")
def test_a_run_that_is_killed_anywhere_is_ended_by_the_next() -> None:
    dataset({"messages": []}, count=2)
    dataset(example(40), name="more.jsonl", count=1)  # one image is in both files
    originals = {name: Path(name).read_bytes() for name in ("train.jsonl", "more.jsonl")}
    whole = unchecked("whole")
    expected = contents("whole")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}

    killed = subprocess.run(
        [sys.executable, "-c", KILLED, "100"], env=environment, check=True, capture_output=True, text=True
    ).stdout.split()

    steps = killed.index("0")
    assert set(killed[:steps]) == {str(-signal.SIGKILL)}
    assert steps > 25
    complete = 0
    for step in range(steps):
        before = contents(f"out/{step}").items()
        try:
            again = unchecked(f"out/{step}")
        except UsageError:  # the files are there, but the process had not ended
            complete += 1
            assert before >= expected.items()
        else:
            assert (again.outputs[0].kept, again.changes) == (whole.outputs[0].kept, whole.changes)
        assert contents(f"out/{step}") == expected
    assert complete < 5
    assert {name: Path(name).read_bytes() for name in originals} == originals


def unchecked(out: str) -> Conversion:
    """Return the conversion of two files, whose result is not checked."""
    options = {"to": "llamafactory", "out": out, "drop": True, "jobs": 1}
    return convert_files(read_request(options, ["train.jsonl", "more.jsonl"]))


def contents(folder: str | Path) -> dict[str, bytes]:
    return {name: Path(folder, name).read_bytes() for name in files(folder)}


def test_convert_is_public() -> None:
    assert pytest_vft.convert is convert


def unweighted() -> Example:
    shot = example(7)["messages"][1:]
    shot[1]["weight"] = 0
    whole = example(8)
    return {"messages": [whole["messages"][0], *shot, *whole["messages"][1:]]}


@pytest.mark.parametrize(
    ("last", "to"),
    [
        (unweighted(), "trl"),
        (unweighted(), "llamafactory"),
        ({**example(3), "tools": [{"type": "function", "function": {"name": "f"}}]}, "swift"),
        (example(3, "https://example.com/a.png"), "together"),
        (example(3, "https://example.com/a.png"), "trl"),
    ],
)
def test_the_last_shard_decides_as_the_first_one_does(
    last: Example, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset(last)
    at_once = convert("train.jsonl", to=to, out="at-once", offline=True)

    monkeypatch.setattr(work, "SHARD_BYTES", 1)
    by_line = convert("train.jsonl", to=to, out="by-line", offline=True)

    assert by_line.refused == at_once.refused
    assert by_line.losses == at_once.losses
    assert files("by-line") == files("at-once")
    for name in files("at-once"):
        assert Path("by-line", name).read_bytes() == Path("at-once", name).read_bytes()


def test_a_folder_of_images_keeps_those_of_other_files() -> None:
    convert(dataset(count=3), to="llamafactory", out="out")
    before = files("out/images")
    convert(dataset(example(40), name="more.jsonl", count=2), to="llamafactory", out="out", force=True)

    assert len(before) == 3
    assert len(files("out/images") - before) == 1


# Parquet


def table(*, bad: bool = False) -> str:
    """Write a table of twelve examples; if *bad*, the eighth has a placeholder without an image."""
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = []
    for number in range(12):
        images = [{"bytes": draw(f"png {64 + number}x64 rgb")[1], "path": None}]
        messages = FORMS["trl"].example(number, "")["messages"]
        rows.append({"messages": messages, "images": images * (2 if bad and number == 7 else 1)})
    parquet.write_table(pa.Table.from_pylist(rows), "cards.parquet")
    return "cards.parquet"


@pytest.mark.parametrize("to", ["trl", "swift", "llamafactory"])
def test_parquet_stays_parquet_with_a_column_of_images(to: str) -> None:
    result = convert(table(), to=to, out="out")

    assert result.ok
    assert result.outputs[0].path == "out/cards.parquet"
    read = pytest.importorskip("pyarrow.parquet").read_table("out/cards.parquet")
    features = json.loads(read.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["images"] == [{"_type": "Image"}]
    assert features.keys() == set(read.schema.names)
    assert [row["images"][0]["bytes"] for row in read.to_pylist()] == [
        draw(f"png {64 + n}x64 rgb")[1] for n in range(12)
    ]


def test_parquet_becomes_lines_for_others() -> None:
    result = convert(table(), to="together", out="out")

    assert result.ok
    assert len(lines("out/cards.jsonl")) == 12
    assert files("out") == {"cards.jsonl"}


def test_bytes_of_a_table_are_no_data_urls_to_a_trainer_of_files() -> None:
    convert(table(), to="llamafactory", out="out")
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table("out/cards.parquet").to_pylist()
    urls = [pybase64.b64encode(row["images"][0]["bytes"]).decode() for row in rows]
    rows = [{**row, "images": [f"data:image/png;base64,{url}"]} for row, url in zip(rows, urls, strict=True)]
    parquet.write_table(pa.Table.from_pylist(rows), "urls.parquet")

    def found(path: str) -> set[str]:
        options: Any = {"provider": "llamafactory", "data_format": "llamafactory"}
        return {finding.rule for finding in lint(path, **options).findings}

    assert found("out/cards.parquet") == set()
    assert found("urls.parquet") == {"image/unsupported-url-scheme"}


def test_only_the_table_of_several_files_keeps_its_images_inside() -> None:
    dataset(count=1)

    result = convert("train.jsonl", table(), to="llamafactory", out="out")

    assert result.ok
    assert [Path(output.path).suffix for output in result.outputs] == [".jsonl", ".parquet"]
    assert len(list(Path("out/images").iterdir())) == 1


def test_a_row_that_is_not_converted_is_set_aside() -> None:
    result = convert(table(bad=True), to="trl", out="out", drop=True)

    assert (result.outputs[0].kept, result.outputs[0].aside) == (11, 1)
    assert '"8"' in Path("out/cards.parquet.rej.csv").read_text()


def test_rows_with_different_keys_have_one_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_writer, "_BATCH", 1)
    parquet = pytest.importorskip("pyarrow.parquet")
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    calling = [
        asked("Which?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "7", "tool_call_id": "call_1"},
        answered("7"),
    ]
    write_lines(*[{"messages": [asked("?"), answered("7")]}] * 3, {"messages": calling})
    convert("train.jsonl", to="trl", out="lines")

    with Path("all.parquet").open("wb") as file:
        parquet_writer.write_parquet(Path("lines/train.jsonl"), file)

    rows = parquet.read_table("all.parquet").to_pylist()
    assert rows[3]["messages"][1]["tool_calls"] == [call]
    assert rows[0]["messages"][1]["tool_calls"] is None
