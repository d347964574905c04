"""Chats converted for a provider and back: words, roles, order and pixels are kept, or the loss was said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_writers import CHATS, merged, said, trained

from pytest_vft import build_example, convert, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.catalogue.providers import provider_ids
from pytest_vft.formats.conversation import Conversation, read_conversation
from pytest_vft.formats.registry import load_format
from pytest_vft.formats.writers.base import TRAINING_LOSSES

Example = dict[str, Any]
BUCKET = {"vertex": "gs://acme/", "bedrock-nova": "s3://acme/", "bedrock-llama": "s3://acme/"}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def with_pixels(example: Example) -> Example:
    """Return *example* with a data URL for each web address of an image."""
    text = json.dumps(example)
    for number in range(10):
        url = f"https://img.example.com/{number}.png"
        text = text.replace(url, data_url(f"png {64 + number}x64 rgb"))
    return json.loads(text)  # type: ignore[no-any-return]


def numbered(number: int, chat: Example) -> Example:
    """Return *chat* with a turn that tells it from others, and has an image."""
    last = build_example("And which is this?", f"It is {number}.", data_url("png 80x80 rgb"))
    return {"messages": [*with_pixels(chat)["messages"], *last["messages"]]}


def read(path: str | Path) -> dict[str, Conversation]:
    """Return the chats in the file at *path* by their last words."""
    lines = [json.loads(line) for line in Path(path).read_bytes().splitlines()]
    chats = [read_conversation(load_format("openai"), line) for line in lines]
    return {str(chat.turns[-1].texts[-1]): chat for chat in chats}


def random_chats() -> list[Example]:
    """Return chats of which a third is as simple as possible, and some that every provider takes."""
    found: list[Example] = []

    @settings(max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.lists(CHATS, min_size=8, max_size=8))
    def draw(chats: list[Example]) -> None:
        found.extend(chats)

    draw()
    # A provider may demand an order of roles, and a system message in each example if one has it.
    found += [build_example("Which lot?", f"Lot {number}.", system="Look.") for number in range(3)]
    return [numbered(number, chat) for number, chat in enumerate(found)]


@pytest.mark.parametrize("to", [*provider_ids(), "sharegpt"])
def test_a_chat_comes_back_or_the_loss_was_said(to: str) -> None:
    write_jsonl("train.jsonl", random_chats())
    bucket = BUCKET.get(to, "")

    there = convert(
        "train.jsonl", to=to, out="there", allow_loss=TRAINING_LOSSES, drop=True, image_prefix=bucket
    )
    mirror(Path("there/train.jsonl"), bucket)
    back = convert("there/train.jsonl", to="openai", out="back", data_format=there.data_format)

    assert (there.outputs[0].kept > 0, back.refusals, dict(back.losses)) == (True, 0, {})
    before, after = read("train.jsonl"), read("back/train.jsonl")
    assert len(after) == there.outputs[0].kept
    lost = there.losses.keys()
    for words, chat in after.items():
        assert merged(said(chat.turns)) == merged(said(before[words].turns))
        if not lost & {"turns", "roles"} and to not in BUCKET:
            assert said(chat.turns) == said(before[words].turns)
        if not lost & {"weight", "turns"}:
            assert trained(chat) == trained(before[words])
        if "detail" not in lost:
            assert details(chat) == details(before[words])


def mirror(path: Path, bucket: str) -> None:
    """Read the images of *bucket* from the folder that a user would copy there."""
    if bucket:
        path.write_text(path.read_text(encoding="utf-8").replace(bucket, ""), encoding="utf-8")


def details(chat: Conversation) -> list[str | None]:
    return [image.detail for turn in chat.turns for image in turn.images]
