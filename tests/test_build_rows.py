"""vft build: rows that cannot be used as they are, refused before anything is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pytest_vft import UsageError, build_dataset, evaluate
from pytest_vft.catalogue.cases import draw

Row = dict[str, Any]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(count: int = 20) -> list[Row]:
    """Return rows with an image of its own in a file each."""
    Path("photos").mkdir(exist_ok=True)
    for number in range(count):
        Path(f"photos/{number}.png").write_bytes(draw(f"png {64 + number}x64 rgb")[1])
    return [
        {"id": n, "question": f"What is {n}?", "answer": f"It is {n}.", "image": f"photos/{n}.png"}
        for n in range(count)
    ]


def as_lines(given: Sequence[Row], name: str = "rows.jsonl") -> str:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in given), encoding="utf-8")
    return name


def lines(path: str) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


def test_a_row_that_is_set_aside_is_like_no_other() -> None:
    given_rows = rows(8)
    for number in range(8):
        photo = Image.effect_noise((96, 96), 90 + number).resize((24, 24)).resize((128, 128)).convert("RGB")
        photo.save(f"photos/{number}.png")
    photo.resize((96, 96)).save("photos/like.png")
    given_rows.append({**given_rows[0], "id": 90, "image": ["photos/like.png", "photos/none.png"]})

    result = build_dataset(as_lines(given_rows), out="out", split="50/25/25", exact=True, near=True, drop=True)

    assert (result.written, result.refusals, result.groups, result.alike) == (True, 1, 8, 0)
