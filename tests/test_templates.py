"""Plain examples, which are read without their schema and written by templates, as all others are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pytest_vft import write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.catalogue.providers import provider_ids
from pytest_vft.converting import shard
from pytest_vft.errors import UsageError
from pytest_vft.formats.conversation import read_conversation
from pytest_vft.formats.plain import plain_example
from pytest_vft.formats.registry import load_format
from pytest_vft.formats.writers.base import TRAINING_LOSSES
from pytest_vft.report.conversion import Conversion
from pytest_vft.runs.conversion import convert_files
from pytest_vft.runs.conversion_request import read_request

Example = dict[str, Any]
BUCKET = {"vertex": "gs://acme/", "bedrock-nova": "s3://acme/", "bedrock-llama": "s3://acme/"}
TARGETS = [*provider_ids(), "sharegpt", "openai-preference"]

# Whole images, one that is repaired for its mode and one for its format, what is no image and no base64, and
# a payload that is too short to be taken out of the line.
URLS = [
    *(data_url(f"png {64 + number}x64 rgb") for number in range(3)),
    data_url("jpeg 64x64 cmyk"),
    data_url("webp 64x64 rgb"),
    data_url("png 64x64 rgb").replace("image/png", "image/jpeg"),
    "data:image/png;base64," + "AAAA" * 40,
    "data:image/png;base64," + "?" * 100,
    "data:image/png;base64,AAAA",
    "https://img.example.com/0.png",
]
TEXTS = st.one_of(
    st.sampled_from(['a "quoted" \\ word', "two\nlines", "\u2028\x7f\U0001f600", "#00:0;", "{}", "<b>", ""]),
    st.sampled_from(["Look at <image>.", 'the key "url": "data:image/png;base64,' + "A" * 80]),
    st.text(max_size=5),
)
IMAGES = st.sampled_from(URLS).flatmap(
    lambda url: st.sampled_from([{"url": url}, {"url": url, "detail": "low"}, {"detail": "auto", "url": url}])
)
PARTS = st.one_of(
    TEXTS.map(lambda text: {"type": "text", "text": text}),
    IMAGES.map(lambda image: {"type": "image_url", "image_url": image}),
)
CONTENTS = st.one_of(TEXTS, st.lists(PARTS, max_size=3))


def turn(role: str, content: Any) -> Example:
    return {"role": role, "content": content}


TURNS = st.builds(turn, st.sampled_from(["system", "user", "assistant"]), CONTENTS)
ORDER = ("system", "user", "assistant")
# Half of the chats have the order that every provider takes.
CHATS = st.one_of(
    st.lists(TURNS, min_size=1, max_size=4),
    st.tuples(*(st.builds(turn, st.just(role), CONTENTS) for role in ("system", "user", "assistant"))).map(
        list
    ),
)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def converted(to: str, images: str, out: str) -> tuple[Conversion, dict[str, bytes]] | None:
    """Return the conversion of train.jsonl and the files that it wrote; None if the target takes none so."""
    prefix = BUCKET.get(to, "")
    options = {"to": to, "out": out, "images": images, "image_prefix": prefix, "drop": True, "offline": True}
    try:
        result = convert_files(read_request({**options, "allow_loss": TRAINING_LOSSES}, ["train.jsonl"]))
    except UsageError:
        return None
    files = (path for path in Path(out).rglob("*") if path.is_file())
    return result, {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("to", TARGETS)
def test_a_template_writes_what_the_writer_writes(to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chats: list[list[Example]] = []

    @settings(max_examples=2, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.lists(CHATS, min_size=30, max_size=30))
    def draw(some: list[list[Example]]) -> None:
        chats.extend(some)

    draw()
    shown = {"type": "image_url", "image_url": {"url": URLS[0], "detail": "low"}}
    alike = [(turn("user", [shown]), turn("assistant", f"It is lot {number}.")) for number in range(3)]
    write_jsonl("train.jsonl", [{"messages": chat} for chat in [*chats, *alike]])
    for images in ("keep", "files", "embed"):
        with_templates = converted(to, images, f"{images}-1")
        with monkeypatch.context() as patch:
            patch.setattr(shard, "has_slots", lambda *_: False)
            without = converted(to, images, f"{images}-2")
        if with_templates is None or without is None:
            assert with_templates is without
            continue
        one, other = with_templates[0], without[0]
        assert with_templates[1] == without[1]
        assert (one.refused, one.losses, one.changes) == (other.refused, other.losses, other.changes)


def rich() -> Example:
    """Return a plain example with each kind of content."""
    images = {"url": "a"}, {"url": "b", "detail": "low"}
    shown = [{"type": "image_url", "image_url": image} for image in images]
    asked = [{"type": "text", "text": "Which lots?"}, *shown]
    return {"messages": [turn("system", "Look."), turn("user", asked), turn("assistant", "7 and 8.")]}


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each value in *value*."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def faulty() -> Iterator[Example]:
    """Yield the rich example with each value in it gone or another one, and with each new key."""
    for *path, last in filter(None, places(rich())):
        for change in (None, 3, True, "x", "", [], {}, ["x"], "gone"):
            example: Any = rich()
            at = reduce(getitem, path, example)
            at[last] = change
            if change == "gone":
                del at[last]
            yield example
    for path in places(rich()):
        for key in ("weight", "name", "tool_calls", "refusal", "cache"):
            for value in (None, 0, "x"):
                example = rich()
                at = reduce(getitem, path, example)
                if isinstance(at, dict):
                    at[key] = value
                    yield example


def test_a_plain_example_is_read_as_by_its_format() -> None:
    openai = load_format("openai")
    for example in (rich(), *faulty()):
        if plain := plain_example(example):
            turns, *others = read_conversation(openai, example)
            assert (turns, any(others)) == (plain.conversation.turns, False), example


def test_most_examples_are_plain() -> None:
    assert plain_example(rich()) is not None
    assert plain_example({**rich(), "tools": []}) is None
